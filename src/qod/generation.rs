//! The API's generations and the operations that each has.

use std::fmt;
use std::str::FromStr;

use super::fault::{Fault, Field};

/// A generation of CAMARA's QoD API. It is configured, never guessed: 0.8 to 0.10 share one base path, and so do 1.0 and 1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the version that its name says")]
pub enum Generation {
    V0_8,
    V0_9,
    V0_10,
    V0_11,
    V1_0,
    V1_1,
    V1_2,
}

/// The text names no generation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a generation of the QoD API: v0.8, v0.9, v0.10, v0.11, v1.0, v1.1 and v1.2 are")]
pub struct UnknownGeneration;

/// The operations of the QoD and the QoS profiles API, by their operationId.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `POST /sessions`
    CreateSession,
    /// `GET /sessions/{sessionId}`
    GetSession,
    /// `DELETE /sessions/{sessionId}`
    DeleteSession,
    /// `POST /sessions/{sessionId}/extend`, since 0.10
    ExtendQosSessionDuration,
    /// `POST /retrieve-sessions`, since 0.11
    RetrieveSessions,
    /// `GET /qos-profiles`, in 0.9 and 0.10
    GetQosProfiles,
    /// `GET /qos-profiles/{name}`, since 0.9
    GetQosProfile,
    /// `POST /retrieve-qos-profiles`, since 0.11
    RetrieveQosProfiles,
}

impl Generation {
    /// All generations, oldest first.
    pub const ALL: [Self; 7] = [Self::V0_8, Self::V0_9, Self::V0_10, Self::V0_11, Self::V1_0, Self::V1_1, Self::V1_2];

    /// The generation as it is written in settings, `v0.10` for instance.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_8 => "v0.8",
            Self::V0_9 => "v0.9",
            Self::V0_10 => "v0.10",
            Self::V0_11 => "v0.11",
            Self::V1_0 => "v1.0",
            Self::V1_1 => "v1.1",
            Self::V1_2 => "v1.2",
        }
    }

    /// Whether the generation's specification has the operation.
    pub const fn has(self, operation: Operation) -> bool {
        match operation {
            Operation::CreateSession | Operation::GetSession | Operation::DeleteSession => true,
            Operation::ExtendQosSessionDuration => !matches!(self, Self::V0_8 | Self::V0_9),
            Operation::GetQosProfile => !matches!(self, Self::V0_8),
            Operation::GetQosProfiles => matches!(self, Self::V0_9 | Self::V0_10),
            Operation::RetrieveSessions | Operation::RetrieveQosProfiles => {
                !matches!(self, Self::V0_8 | Self::V0_9 | Self::V0_10)
            }
        }
    }

    /// An error for an operation that the generation does not have, so that nothing is sent.
    pub fn require(self, operation: Operation) -> Result<(), Fault> {
        if self.has(operation) {
            Ok(())
        } else {
            let why = match operation {
                Operation::ExtendQosSessionDuration => "extend appears in v0.10",
                Operation::RetrieveSessions => "retrieve-sessions appears in v0.11",
                Operation::GetQosProfiles if self == Self::V0_8 => "profiles appear in v0.9",
                Operation::GetQosProfile => "profiles appear in v0.9",
                Operation::GetQosProfiles => "from v0.11 on profiles are listed by retrieve-qos-profiles",
                _ => "retrieve-qos-profiles appears in v0.11",
            };
            Err(Fault::not_expressible(Field::Operation, why).in_generation(self))
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Generation {
    type Err = UnknownGeneration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|generation| generation.as_str() == text).ok_or(UnknownGeneration)
    }
}

impl Operation {
    /// The operationId, for logs and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateSession => "createSession",
            Self::GetSession => "getSession",
            Self::DeleteSession => "deleteSession",
            Self::ExtendQosSessionDuration => "extendQosSessionDuration",
            Self::RetrieveSessions => "retrieveSessions",
            Self::GetQosProfiles => "getQosProfiles",
            Self::GetQosProfile => "getQosProfile",
            Self::RetrieveQosProfiles => "retrieveQosProfiles",
        }
    }

    /// Whether the operation changes something at the provider. Such a request is never sent twice, and when its answer is lost
    /// it may have taken effect.
    pub const fn has_effect(self) -> bool {
        matches!(self, Self::CreateSession | Self::DeleteSession | Self::ExtendQosSessionDuration)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generation_is_read_as_it_is_written_and_nothing_else_is() {
        for generation in Generation::ALL {
            assert_eq!(generation.to_string().parse(), Ok(generation));
        }
        assert_eq!("0.10".parse::<Generation>(), Err(UnknownGeneration));
    }
}
