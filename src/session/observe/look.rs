//! The read of the provider that the decision rests on, at most one.

use super::Observation;
use crate::api::QosSession;
use crate::qod::{AccessToken, Client, Fault, FaultClass, Operation, SessionId, SessionInfo};
use crate::session::context::Context;
use crate::session::facts::{Got, Look, Read};
use crate::session::{decide, desired, past};

/// A 200 whose fields are not ours says nothing about our session.
const FOREIGN: Fault = Fault { class: FaultClass::Unparseable, status: Some(200), code: None, retry_after: None, generation: None };

impl Observation {
    pub(super) async fn look(&mut self, context: &Context, object: &QosSession) {
        match decide::due_read(&self.goal, &self.past, &self.observed, false, self.now) {
            Read::Held => self.look_at_held(context, object).await,
            Read::None | Read::OfEvent | Read::List => {}
        }
    }

    /// GET of the recorded session.
    async fn look_at_held(&mut self, context: &Context, object: &QosSession) {
        let id = object.status.as_ref().and_then(|status| status.session_id.as_deref()).map(SessionId::new);
        let Some((home, id)) = self.home.clone().zip(id) else { return };
        let subject = self.home_subject(context, object).await;
        let get = |client: Client, token: AccessToken| {
            let id = id.clone();
            async move { client.get_session(&token, &id).await }
        };
        let answer = home.call(subject.as_ref(), Operation::GetSession, get).await.map(|info| home.understood(info));
        let answer = answer.and_then(|info| if self.is_ours(object, &id, &info) { Ok(info) } else { Err(FOREIGN) });
        let (now, jitter) = (context.clock.now(), context.jitter());
        context.memories.with(&self.key.uid, |remembered| {
            remembered.looked(answer.as_ref(), self.periods, now, jitter);
            self.observed.memory = remembered.memory;
        });
        self.observed.look = Look::Held(match &answer {
            Ok(info) => Got::Session(past::said(info)),
            // Only the client that made it is told whether it is there.
            Err(fault) if fault.class == FaultClass::Gone && !self.other_client => Got::Gone,
            Err(fault) if fault.class == FaultClass::NotSupported => Got::NotSupported,
            Err(_) => Got::Error,
        });
        // `self.now` stays at the time before the look: what the look shows is not newer than that.
        match answer {
            Ok(info) => self.found = Some(info),
            Err(fault) => self.look_fault = Some(fault).filter(|_| self.observed.look != Look::Held(Got::Gone)),
        }
    }

    /// A provider's mock answers any id: the id, and while the spec is what was sent, the fields must be ours.
    fn is_ours(&self, object: &QosSession, id: &SessionId, info: &SessionInfo) -> bool {
        let same_request = self.past.held.is_some_and(|held| held.hash.is_some() && held.hash == self.goal.hash);
        let request = same_request.then(|| desired::request(object, self.number.as_ref(), 1).ok()).flatten();
        info.session_id == *id && request.is_none_or(|request| info.flow_matches(&request.flow()))
    }
}
