//! One function per operationId.

use uuid::Uuid;

use super::classify::{self, Asked};
use super::fault::Fault;
use super::generation::{Generation, Operation};
use super::profile::{ProfileFilter, QosProfile};
use super::session::{AccessToken, CreateSession, Device, SessionId, SessionInfo, SessionList};
use super::settings::{Settings, SettingsError};
use super::transport::Transport;
use super::wire::{self, Flavour, Request, Shape};
use crate::http::Received;

/// A client of one provider. Its clones share their connections.
///
/// Every function sends at most one request, and never again: who retries is the caller. Dropping the future of a function that
/// changes something leaves its outcome unknown.
#[derive(Clone, Debug)]
pub struct Client {
    generation: Generation,
    shape: Shape,
    flavour: Flavour,
    correlator: Option<Uuid>,
    transport: Transport,
}

impl Client {
    /// A client for that provider. Nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let (generation, flavour) = (settings.generation, settings.flavour());
        let shape = Shape::of(generation);
        Ok(Self { generation, shape, flavour, correlator: None, transport: Transport::new(settings)? })
    }

    /// A client whose requests carry this `x-correlator` in place of a fresh one each, so that the caller can name it. Generations
    /// before 0.11 have none and send none.
    #[must_use]
    pub fn with_correlator(&self, correlator: Uuid) -> Self {
        Self { correlator: Some(correlator), ..self.clone() }
    }

    /// The generation of the API that it speaks.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether the generation can say this request at all; nothing is sent.
    pub fn can_express(&self, request: &CreateSession) -> Result<(), Fault> {
        self.shape.create(request, self.flavour).map(|_| ()).map_err(|fault| fault.in_generation(self.generation))
    }

    /// `POST /sessions`. [`FaultClass::Ambiguous`](super::FaultClass::Ambiguous) means that a session may have been created, and
    /// no other fault does.
    pub async fn create_session(&self, token: &AccessToken, request: &CreateSession) -> Result<SessionInfo, Fault> {
        let asked = self.asked(Operation::CreateSession, request.device.is_some())?;
        let received = self.send(asked, token, self.shape.create(request, self.flavour)).await?;
        classify::session(self.shape, asked, &received.answer())
    }

    /// `GET /sessions/{sessionId}`. Providers exist that answer for any id: see [`SessionInfo::flow_matches`].
    pub async fn get_session(&self, token: &AccessToken, id: &SessionId) -> Result<SessionInfo, Fault> {
        let asked = self.asked(Operation::GetSession, false)?;
        let received = self.send(asked, token, wire::get(id)).await?;
        classify::session(self.shape, asked, &received.answer())
    }

    /// `DELETE /sessions/{sessionId}`. It may be asked again after an
    /// [`Ambiguous`](super::FaultClass::Ambiguous) one; then [`Gone`](super::FaultClass::Gone) is a success too.
    pub async fn delete_session(&self, token: &AccessToken, id: &SessionId) -> Result<(), Fault> {
        let asked = self.asked(Operation::DeleteSession, false)?;
        let received = self.send(asked, token, wire::delete(id)).await?;
        classify::released(asked, &received.answer())
    }

    /// `POST /sessions/{sessionId}/extend`. The seconds are added to what the session has, so after an
    /// [`Ambiguous`](super::FaultClass::Ambiguous) one the session must be read before it is asked again.
    pub async fn extend_qos_session_duration(
        &self,
        token: &AccessToken,
        id: &SessionId,
        additional_seconds: i64,
    ) -> Result<SessionInfo, Fault> {
        let asked = self.asked(Operation::ExtendQosSessionDuration, false)?;
        let received = self.send(asked, token, self.shape.extend(id, additional_seconds)).await?;
        classify::session(self.shape, asked, &received.answer())
    }

    /// `GET /qos-profiles` (0.9, 0.10), all of them. 404 `NOT_FOUND` is the empty list.
    pub async fn get_qos_profiles(&self, token: &AccessToken) -> Result<Vec<QosProfile>, Fault> {
        self.get_qos_profiles_matching(token, &ProfileFilter::default()).await
    }

    /// `GET /qos-profiles` (0.9, 0.10), those that the filter lets through.
    pub async fn get_qos_profiles_matching(&self, token: &AccessToken, filter: &ProfileFilter) -> Result<Vec<QosProfile>, Fault> {
        let asked = self.asked(Operation::GetQosProfiles, false)?;
        let received = self.send(asked, token, Ok(wire::list_profiles(filter))).await?;
        classify::profiles(asked, &received.answer())
    }

    /// `GET /qos-profiles/{name}`. `Refused(Profile)` where there is none of that name.
    pub async fn get_qos_profile(&self, token: &AccessToken, name: &str) -> Result<QosProfile, Fault> {
        let asked = self.asked(Operation::GetQosProfile, false)?;
        let received = self.send(asked, token, wire::get_profile(name)).await?;
        classify::profile(asked, &received.answer())
    }

    /// `POST /retrieve-sessions` (0.11 and later): the sessions of this client with that device; without one, with the device that
    /// the token names. [`SessionList::complete`] says whether a session that is not in the list is not there.
    pub async fn retrieve_sessions(&self, token: &AccessToken, device: Option<&Device>) -> Result<SessionList, Fault> {
        let asked = self.asked(Operation::RetrieveSessions, device.is_some())?;
        let received = self.send(asked, token, self.shape.retrieve_sessions(device)).await?;
        classify::sessions(self.shape, asked, &received.answer())
    }

    /// `POST /retrieve-qos-profiles` (0.11 and later): the profiles that the filter lets through, and that the device can have where
    /// one is named.
    pub async fn retrieve_qos_profiles(
        &self,
        token: &AccessToken,
        device: Option<&Device>,
        filter: &ProfileFilter,
    ) -> Result<Vec<QosProfile>, Fault> {
        let asked = self.asked(Operation::RetrieveQosProfiles, device.is_some())?;
        let received = self.send(asked, token, self.shape.retrieve_profiles(device, filter)).await?;
        classify::profiles(asked, &received.answer())
    }

    /// All profiles, in the generation's own way; 0.8 has none.
    pub async fn profiles(&self, token: &AccessToken) -> Result<Vec<QosProfile>, Fault> {
        if self.generation.has(Operation::RetrieveQosProfiles) {
            self.retrieve_qos_profiles(token, None, &ProfileFilter::default()).await
        } else {
            self.get_qos_profiles(token).await
        }
    }

    /// Sends a request that could be written; one that could not names the generation that cannot say it.
    async fn send(&self, asked: Asked, token: &AccessToken, request: Result<Request, Fault>) -> Result<Received, Fault> {
        let request = request.map_err(|fault| fault.in_generation(self.generation))?;
        let correlator = (self.generation >= Generation::V0_11).then(|| self.correlator.unwrap_or_else(Uuid::new_v4));
        self.transport.send(asked.operation, token, request, correlator).await
    }

    fn asked(&self, operation: Operation, device_sent: bool) -> Result<Asked, Fault> {
        self.generation.require(operation)?;
        Ok(Asked { operation, device_sent })
    }
}
