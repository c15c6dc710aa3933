//! One function per operationId.

use super::classify::{self, Asked};
use super::fault::Fault;
use super::generation::{Generation, Operation};
use super::profile::{ProfileFilter, QosProfile};
use super::session::{AccessToken, CreateSession, SessionId, SessionInfo};
use super::settings::{Settings, SettingsError};
use super::transport::Transport;
use super::wire::{self, Shape};

/// A client of one provider. Its clones share their connections.
///
/// Every function sends at most one request, and never again: who retries is the caller. Dropping the future of a function that
/// changes something leaves its outcome unknown.
#[derive(Clone, Debug)]
pub struct Client {
    generation: Generation,
    shape: Shape,
    transport: Transport,
}

impl Client {
    /// A client for that provider. Nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let shape = Shape::of(settings.generation).ok_or(SettingsError::Generation(settings.generation))?;
        let generation = settings.generation;
        Ok(Self { generation, shape, transport: Transport::new(settings)? })
    }

    /// The generation of the API that it speaks.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// `POST /sessions`. [`FaultClass::Ambiguous`](super::FaultClass::Ambiguous) means that a session may have been created, and
    /// no other fault does.
    pub async fn create_session(&self, token: &AccessToken, request: &CreateSession) -> Result<SessionInfo, Fault> {
        let asked = self.asked(Operation::CreateSession, true)?;
        let received = self.transport.send(asked.operation, token, self.shape.create(request)?).await?;
        classify::session(self.shape, asked, &received.answer())
    }

    /// `GET /sessions/{sessionId}`. Providers exist that answer for any id: see [`SessionInfo::flow_matches`].
    pub async fn get_session(&self, token: &AccessToken, id: &SessionId) -> Result<SessionInfo, Fault> {
        let asked = self.asked(Operation::GetSession, false)?;
        let received = self.transport.send(asked.operation, token, wire::get(id)?).await?;
        classify::session(self.shape, asked, &received.answer())
    }

    /// `DELETE /sessions/{sessionId}`. It may be asked again after an
    /// [`Ambiguous`](super::FaultClass::Ambiguous) one; then [`Gone`](super::FaultClass::Gone) is a success too.
    pub async fn delete_session(&self, token: &AccessToken, id: &SessionId) -> Result<(), Fault> {
        let asked = self.asked(Operation::DeleteSession, false)?;
        let received = self.transport.send(asked.operation, token, wire::delete(id)?).await?;
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
        let received = self.transport.send(asked.operation, token, self.shape.extend(id, additional_seconds)?).await?;
        classify::session(self.shape, asked, &received.answer())
    }

    /// All profiles, the generation's own way.
    pub async fn profiles(&self, token: &AccessToken) -> Result<Vec<QosProfile>, Fault> {
        self.get_qos_profiles(token).await
    }

    /// `GET /qos-profiles` (0.9, 0.10), all of them. 404 `NOT_FOUND` is the empty list.
    pub async fn get_qos_profiles(&self, token: &AccessToken) -> Result<Vec<QosProfile>, Fault> {
        self.get_qos_profiles_matching(token, &ProfileFilter::default()).await
    }

    /// `GET /qos-profiles` (0.9, 0.10), those that the filter lets through.
    pub async fn get_qos_profiles_matching(&self, token: &AccessToken, filter: &ProfileFilter) -> Result<Vec<QosProfile>, Fault> {
        let asked = self.asked(Operation::GetQosProfiles, false)?;
        let received = self.transport.send(asked.operation, token, wire::list_profiles(filter)).await?;
        classify::profiles(asked, &received.answer())
    }

    /// `GET /qos-profiles/{name}`. `Refused(Profile)` where there is none of that name.
    pub async fn get_qos_profile(&self, token: &AccessToken, name: &str) -> Result<QosProfile, Fault> {
        let asked = self.asked(Operation::GetQosProfile, false)?;
        let received = self.transport.send(asked.operation, token, wire::get_profile(name)?).await?;
        classify::profile(asked, &received.answer())
    }

    fn asked(&self, operation: Operation, device_sent: bool) -> Result<Asked, Fault> {
        self.generation.require(operation)?;
        Ok(Asked { operation, device_sent })
    }
}
