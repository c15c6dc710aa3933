//! The read of the provider that the decision rests on, at most one.

use super::Observation;
use crate::api::QosSession;
use crate::auth::Subject;
use crate::provider::Provider;
use crate::qod::{
    self, AccessToken, Client, Fault, FaultClass, Field, Generation, Operation, QosStatus, Reason as Refusal, SessionId,
    SessionInfo, SessionList, StatusInfo,
};
use crate::session::context::Context;
use crate::session::facts::{Got, Listed, Look, Read, Word};
use crate::session::sink::{self, ObjectKey};
use crate::session::{bounds, decide, desired, past};

/// A 200 whose fields are not ours says nothing about our session.
const FOREIGN: Fault =
    Fault { class: FaultClass::Unparseable, status: Some(200), code: None, retry_after: None, generation: None };

impl Observation {
    pub(super) async fn look(&mut self, context: &Context, object: &QosSession) {
        match decide::due_read(&self.goal, &self.past, &self.observed, self.event.is_some(), self.now) {
            Read::Held => self.look_at_held(context, object).await,
            Read::List => self.look_at_list(context, object).await,
            Read::OfEvent => self.look_at_event(context, object).await,
            Read::None => {}
        }
    }

    /// GET of a session where the recorded one lives, or the open attempt was sent.
    async fn get(&self, context: &Context, object: &QosSession, home: &Provider, id: &SessionId) -> Result<SessionInfo, Fault> {
        let subject = self.home_subject(context, object).await;
        let get = |client: Client, token: AccessToken| {
            let id = id.clone();
            async move { client.get_session(&token, &id).await }
        };
        home.call(subject.as_ref(), Operation::GetSession, get).await.map(|info| home.understood(info))
    }

    /// What an answer means; only the client that made a session is told whether it is there.
    fn got(&self, answer: Result<&SessionInfo, &Fault>) -> Got {
        match answer {
            Ok(info) => Got::Session(past::said(info)),
            Err(fault) if fault.class == FaultClass::Gone && !self.other_client => Got::Gone,
            Err(fault) if fault.class == FaultClass::NotSupported => Got::NotSupported,
            Err(_) => Got::Error,
        }
    }

    /// GET of the session that a notification named for the open attempt. It must be that attempt's own to be believed.
    async fn look_at_event(&mut self, context: &Context, object: &QosSession) {
        let Some((home, id)) = self.home.clone().zip(self.event.clone()) else { return };
        let answer = self.get(context, object, &home, &id).await;
        let sent_to = self.home_number(context, object).await;
        let device = desired::device(self.recorded_device(object), sent_to).ok();
        let answer = answer.and_then(|info| {
            if self.is_of_attempt(context, object, device.as_ref(), &id, &info) { Ok(info) } else { Err(FOREIGN) }
        });
        let foreign = answer.as_ref().is_err_and(|fault| *fault == FOREIGN);
        let (now, jitter) = (context.clock.now(), context.jitter());
        context.memories.with(&self.key.uid, |remembered| {
            remembered.looked(answer.as_ref(), self.periods, now, jitter);
            if foreign || answer.as_ref().is_err_and(|fault| fault.class == FaultClass::NotSupported) {
                remembered.event = None;
            }
            self.observed.memory = remembered.memory;
        });
        self.observed.look = Look::OfEvent(self.got(answer.as_ref()));
        match answer {
            Ok(info) => self.found = Some(info),
            Err(fault) => self.look_fault = Some(fault).filter(|_| self.observed.look != Look::OfEvent(Got::Gone)),
        }
    }

    /// Whether the session is that of the open attempt: by its callback URL where the provider repeats that, else by the fields of
    /// what was sent, of which the device is known even if the spec has changed since.
    fn is_of_attempt(
        &self,
        context: &Context,
        object: &QosSession,
        device: Option<&qod::Device>,
        id: &SessionId,
        info: &SessionInfo,
    ) -> bool {
        let Some(open) = bounds::open(&self.past, self.now) else { return false };
        if !info.session_id.as_str().eq_ignore_ascii_case(id.as_str()) {
            return false;
        }
        if let Some(mark) = info.callback.as_ref().and_then(sink::read) {
            return mark == sink::Mark { object: ObjectKey::of(&context.operator_key, &self.key.uid), nonce: open.nonce };
        }
        if self.goal.hash == Some(open.hash) {
            return desired::request(object, self.number.as_ref(), 1).is_ok_and(|request| info.flow_matches(&request.flow()));
        }
        device.is_some_and(|device| info.device_matches(device))
    }

    /// GET of the recorded session.
    async fn look_at_held(&mut self, context: &Context, object: &QosSession) {
        let id = object.status.as_ref().and_then(|status| status.session_id.as_deref()).map(SessionId::new);
        let Some((home, id)) = self.home.clone().zip(id) else { return };
        let answer = self.get(context, object, &home, &id).await;
        let mut answer = answer.and_then(|info| if self.is_ours(object, &id, &info) { Ok(info) } else { Err(FOREIGN) });
        let (now, jitter) = (context.clock.now(), context.jitter());
        let told = context.memories.with(&self.key.uid, |remembered| {
            remembered.looked(answer.as_ref(), self.periods, now, jitter);
            self.observed.memory = remembered.memory;
            remembered.told.clone()
        });
        if let Ok(info) = &mut answer {
            complete(info, told.as_ref());
        }
        self.observed.look = Look::Held(self.got(answer.as_ref()));
        if self.was_not_told(told.map(|(word, _)| word)) {
            home.unheard();
        }
        // `self.now` stays at the time before the look: what the look shows is not newer than that.
        match answer {
            Ok(info) => self.found = Some(info),
            Err(fault) => self.look_fault = Some(fault).filter(|_| self.observed.look != Look::Held(Got::Gone)),
        }
    }

    /// Whether this look found a change that a notification should have told, and none did.
    fn was_not_told(&self, told: Option<Word>) -> bool {
        let Some(held) = self.past.held.filter(|_| self.parsed.record().is_some_and(|record| record.sink)) else { return false };
        let word = match self.observed.look {
            Look::Held(Got::Session(seen)) => seen.word,
            Look::Held(Got::Gone) if held.seen.expires_at.is_some_and(|at| at > self.now) => Word::Unavailable,
            _ => return false,
        };
        matches!(word, Word::Available | Word::Unavailable) && word != held.seen.word && told != Some(word)
    }

    /// The list of the sessions of the device: the recorded one's while a send is open, the spec's at first sight.
    async fn look_at_list(&mut self, context: &Context, object: &QosSession) {
        let answer = self.list(context, object).await;
        let (now, jitter) = (context.clock.now(), context.jitter());
        let listed = match answer {
            Ok(list) => {
                self.listed = list.sessions;
                // A list that is cut, or holds what cannot be read, shows what is there and not what is missing. Another client's
                // sessions are in no list of ours.
                let listed = self.sort(context, object);
                let whole = list.complete && !self.other_client;
                Some(listed).filter(|listed| whole || listed.own.is_some() || listed.other_own.is_some())
            }
            // There is no such look, now or later: the pass goes on as at a provider that never had it.
            Err(fault) if fault.class == FaultClass::NotSupported => {
                self.observed.abilities.lists = false;
                return;
            }
            Err(fault) => {
                self.look_fault = Some(fault);
                None
            }
        };
        self.found = listed.and_then(|listed| listed.own.or(listed.other_own)).and_then(|index| self.listed.get(index)).cloned();
        let open = bounds::open(&self.past, self.now);
        let settles = listed.is_some_and(|listed| {
            let ours = listed.own.is_some() || listed.other_own.is_some();
            let blocked = listed.flow && !self.observed.abilities.sink;
            ours || open.is_none_or(|attempt| self.now > attempt.lands_by && !blocked)
        });
        context.memories.with(&self.key.uid, |remembered| {
            remembered.listed(settles, self.look_fault.as_ref(), open.map(|attempt| attempt.lands_by), now, jitter);
            self.observed.memory = remembered.memory;
        });
        self.observed.look = Look::List(listed);
    }

    async fn list(&self, context: &Context, object: &QosSession) -> Result<SessionList, Fault> {
        let open = bounds::open(&self.past, self.now).is_some();
        let provider = if open { &self.home } else { &self.provider };
        let Some(provider) = provider.clone() else { return Err(Fault::new(FaultClass::Unavailable)) };
        let (spec, number, subject) = if open {
            let number = self.home_number(context, object).await;
            (self.recorded_device(object), number, self.home_subject(context, object).await)
        } else {
            (&object.spec.device, self.number.as_ref(), self.subject(object))
        };
        let unnamed = spec.phone_number_from.is_some() && number.is_none();
        let device = desired::device(spec, number).ok().filter(|_| !unnamed);
        let device =
            device.ok_or_else(|| Fault::not_expressible(Field::Device, "its Secret no longer names the one that was sent"));
        let sent = if provider.sends_device() { Some(device.clone()?) } else { None };
        let mut list = match retrieve(&provider, subject.as_ref(), sent).await {
            // 0.11 lets the token or the body name the device, and providers of it exist that refuse `{}`.
            Err(fault) if provider.generation == Generation::V0_11 && fault.class == FaultClass::Refused(Refusal::Invalid) => {
                retrieve(&provider, subject.as_ref(), Some(device?)).await?
            }
            answer => answer?,
        };
        list.sessions = list.sessions.into_iter().map(|info| provider.understood(info)).collect();
        Ok(list)
    }

    /// Which of the listed sessions are this object's, by their callback URL alone: the fields of a flow are no proof of whose it is.
    fn sort(&self, context: &Context, object: &QosSession) -> Listed {
        let ours = ObjectKey::of(&context.operator_key, &self.key.uid);
        let open = bounds::open(&self.past, self.now);
        let marks: Vec<_> = self.listed.iter().map(|info| info.callback.as_ref().and_then(sink::read)).collect();
        let is_own = |mark: &Option<sink::Mark>| mark.as_ref().is_some_and(|mark| mark.object == ours);
        let of_open = |mark: &Option<sink::Mark>| {
            is_own(mark) && open.is_some_and(|attempt| mark.as_ref().is_some_and(|mark| mark.nonce == attempt.nonce))
        };
        let own = marks.iter().position(of_open);
        // Also one that a proxy's repetition of the same send has made.
        let other_own = marks.iter().enumerate().position(|(index, mark)| is_own(mark) && Some(index) != own);
        let request = desired::request(object, self.number.as_ref(), 1).ok();
        let matches = |info: &SessionInfo| request.as_ref().is_some_and(|request| info.flow_matches(&request.flow()));
        // The flow of a send that is not what is desired any more is not at hand: then any session may be in its way.
        let as_sent = open.is_none_or(|attempt| Some(attempt.hash) == self.goal.hash);
        let flow = request.as_ref().filter(|_| as_sent).map(qod::CreateSession::flow);
        let overlaps = |info: &SessionInfo| flow.as_ref().is_none_or(|flow| info.may_overlap(flow));
        Listed {
            own,
            other_own,
            own_matches: other_own.and_then(|index| self.listed.get(index)).is_some_and(matches),
            flow: self.listed.iter().any(overlaps),
        }
    }

    /// A provider's mock answers any id: the id, and while the spec is what was sent, the fields must be ours.
    fn is_ours(&self, object: &QosSession, id: &SessionId, info: &SessionInfo) -> bool {
        let same_request = self.past.held.is_some_and(|held| held.hash.is_some() && held.hash == self.goal.hash);
        let request = same_request.then(|| desired::request(object, self.number.as_ref(), 1).ok()).flatten();
        info.session_id == *id && request.is_none_or(|request| info.flow_matches(&request.flow()))
    }
}

/// Up to version 0.10 only a notification says why a session is UNAVAILABLE.
fn complete(info: &mut SessionInfo, told: Option<&(Word, Option<StatusInfo>)>) {
    if info.qos_status == Some(QosStatus::Unavailable)
        && info.status_info.is_none()
        && let Some((Word::Unavailable, Some(reason))) = told
    {
        info.status_info = Some(reason.clone());
    }
}

async fn retrieve(provider: &Provider, subject: Option<&Subject>, device: Option<qod::Device>) -> Result<SessionList, Fault> {
    let ask = |client: Client, token: AccessToken| {
        let device = device.clone();
        async move { client.retrieve_sessions(&token, device.as_ref()).await }
    };
    provider.call(subject, Operation::RetrieveSessions, ask).await
}
