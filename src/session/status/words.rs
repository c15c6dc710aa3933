//! Each state in conditions, message and Event.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::Pass;
use super::told::Told;
use crate::api::{QosSession, QosSessionStatus, Reason};
use crate::clock::later;
use crate::session::memory::is_slow;
use crate::session::outcome::PeerWords;

/// Which condition says that more is to come, or that a person must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deciding {
    /// The operator is at work, or waits for what can come by itself.
    Reconciling,
    /// The spec must change, or a person must lift a refusal.
    Stalled,
}

/// A state in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// Status of Available.
    pub available: &'static str,
    /// Status of Ready.
    pub ready: &'static str,
    /// Reason of Ready.
    pub reason: Reason,
    /// Reconciling or Stalled, and its reason.
    pub deciding: Option<(Deciding, Reason)>,
    /// Cause and remedy.
    pub message: String,
    /// The Event on the transition: warning, reason, action.
    pub note: Option<(bool, &'static str, &'static str)>,
    /// The Event is written although the reason is the same.
    pub always: bool,
    /// How the session before this one ended, where that is still to be remembered.
    pub ended_by: Option<Reason>,
}

impl Words {
    fn new(available: &'static str, ready: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self { available, ready, reason, deciding: None, message: message.into(), note: None, always: false, ended_by: None }
    }

    const fn reconciling(mut self) -> Self {
        self.deciding = Some((Deciding::Reconciling, self.reason));
        self
    }

    const fn stalled(mut self) -> Self {
        self.deciding = Some((Deciding::Stalled, self.reason));
        self
    }

    const fn by(mut self, reason: Reason) -> Self {
        let kind = if is_slow(reason) { Deciding::Stalled } else { Deciding::Reconciling };
        self.deciding = Some((kind, reason));
        self
    }

    const fn warns(mut self, action: &'static str) -> Self {
        self.note = Some((true, self.reason.as_str(), action));
        self
    }

    /// What stands against a create, as the Event tells it; what passes with the order in which objects are applied, and what the
    /// provider tells, is told by none.
    fn of_bar(reason: Reason, message: &str, pass: &Pass<'_>) -> Self {
        let mut words = Self::new("False", "False", reason, message).by(reason);
        match reason {
            Reason::ProviderNotReady => words,
            Reason::ProviderNotFound if young(pass) => {
                words.message.push_str("; it may be on its way");
                words
            }
            Reason::ProviderNotFound => {
                words = words.warns("Resolve");
                words.always = true;
                words
            }
            Reason::InvalidSpec => words.warns("Validate"),
            Reason::NamespaceNotAllowed | Reason::SecretNotFound => words.warns("Resolve"),
            Reason::ConsentDenied => words.warns("Authorize"),
            Reason::ConsentPending => Self { note: Some((false, reason.as_str(), "Authorize")), ..words },
            _ => words.warns("Create"),
        }
    }

    /// The reason of Available: its own while it is True or Unknown under another Ready, or what ended the session before this
    /// one; else Ready's.
    pub fn available_reason(&self) -> Reason {
        match self.available {
            "True" => Reason::Available,
            "Unknown" => Reason::OutcomeUnknown,
            _ => self.ended_by.unwrap_or(self.reason),
        }
    }
}

/// What a new object needs may be applied after it.
const ORDERING: SignedDuration = SignedDuration::from_secs(60);

/// Until when what the object needs may still be on its way.
pub fn ordering_ends(object: &QosSession) -> Option<Timestamp> {
    object.metadata.creation_timestamp.as_ref().map(|created| later(created.0, ORDERING))
}

fn young(pass: &Pass<'_>) -> bool {
    ordering_ends(pass.object).is_some_and(|end| pass.now < end)
}

/// A time as messages write it.
fn at(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

const IN_FORCE: &str = "the network gives the QoS";

impl Told {
    /// The words; `None`: as before. `status` has the fields of this pass already.
    #[expect(clippy::too_many_lines, reason = "one table, a row a state")]
    pub fn words(&self, pass: &Pass<'_>, before: &QosSessionStatus, status: &QosSessionStatus) -> Option<Words> {
        let live = status.qos_status.as_deref() == Some("AVAILABLE") && status.session_id.is_some();
        let truth = if live { "True" } else { "False" };
        let other_message =
            |words: &Words| super::find(before, crate::api::ConditionType::Ready).is_none_or(|c| c.message != words.message);
        let words = match self {
            Self::Keep => return None,
            Self::Barred(reason, message) => {
                let mut words = Words::of_bar(*reason, message, pass);
                words.always = words.always && other_message(&words);
                words
            }
            Self::KeptFor(reason, message) => Words { always: false, ..Words::of_bar(*reason, message, pass) },
            Self::BusyWithPeer => {
                let message = match pass.peer {
                    Some(PeerWords::Named { name, older: true }) => {
                        format!("waits for QosSession {name}, which is older and holds this device and flow")
                    }
                    Some(PeerWords::Named { name, older: false }) => {
                        format!("waits for QosSession {name}, which holds this device and flow")
                    }
                    _ => "waits for a session of another namespace, which holds this device and flow".to_owned(),
                };
                Words::new("False", "False", Reason::DeviceBusy, message).reconciling().warns("Create")
            }
            Self::BusyElsewhere => {
                let message = "the provider holds another session for this device and flow (409 CONFLICT); no QosSession of this \
                               cluster holds it";
                Words::new("False", "False", Reason::DeviceBusy, message).reconciling().warns("Create")
            }
            Self::BusyWithLost(until) => {
                let message = format!("a create whose answer was lost may hold this device until {}", at(*until));
                Words::new("False", "False", Reason::DeviceBusy, message).reconciling().warns("Create")
            }
            Self::Requested(None) => {
                let words = Words::new("False", "False", Reason::Requested, "accepted by the provider, not yet in force");
                Words { ended_by: super::ended_by(before), ..words.reconciling() }
            }
            Self::Requested(Some(since)) => {
                let message = format!("accepted by the provider, not yet in force since {}", at(*since));
                let mut words = Words::new("False", "False", Reason::Requested, message).reconciling().warns("Observe");
                words.always = other_message(&words);
                words.ended_by = super::ended_by(before);
                words
            }
            Self::Available => Words::new("True", "True", Reason::Available, IN_FORCE),
            Self::Updating => {
                Words::new("False", "False", Reason::Updating, "the session of the earlier spec is being released").reconciling()
            }
            Self::RenewalFailing(reason, message) => {
                Words::new("True", "True", Reason::RenewalFailing, message.clone()).by(*reason).warns("Renew")
            }
            Self::Gap { updating: true } => {
                let message = "the session of the earlier spec is released; one for the new spec is being created";
                Words::new("False", "False", Reason::Updating, message).reconciling()
            }
            Self::Gap { updating: false } => {
                let message = "the session could not be extended: released, being created again";
                Words::new("False", "False", Reason::Renewing, message).reconciling()
            }
            Self::NetworkTerminated { again: true } => {
                let message = "the network ended the session; it is released and created again";
                Words::new("False", "False", Reason::NetworkTerminated, message).reconciling().warns("Observe")
            }
            Self::NetworkTerminated { again: false } => {
                let message = "the network ended the session and recoveryPolicy is Never";
                Words::new("False", "False", Reason::NetworkTerminated, message).stalled().warns("Observe")
            }
            Self::Expired(seconds) => {
                let whole = matches!(status.status_info.as_deref(), Some("DURATION_EXPIRED" | "DELETE_REQUESTED"));
                let message = if whole {
                    format!("ran for {seconds} s, as declared")
                } else {
                    format!("the session ended early, and of the declared {seconds} s too little is left for another")
                };
                let mut words = Words::new("False", "True", Reason::Expired, message);
                words.note = Some((false, Reason::Expired.as_str(), "Observe"));
                words
            }
            Self::Suspended => Words::new("False", "True", Reason::Suspended, "no session is held while suspend is true"),
            Self::Releasing { suspended } => {
                let cause = if *suspended { "suspend is true" } else { "the declared time is over" };
                let message = format!("{cause}: the session is being released");
                Words::new("False", "False", Reason::Releasing, message).reconciling()
            }
            Self::OutcomeUnknown => {
                let message = "the answer to a create was lost; whether a session exists is being found out";
                Words::new("Unknown", "Unknown", Reason::OutcomeUnknown, message).reconciling().warns("Create")
            }
            Self::RunOut(reason) => {
                let cause = if *reason == Reason::ProviderUnreachable { "does not answer" } else { "gives no usable answer" };
                let message = format!("the session has run out and the provider {cause}");
                Words::new("False", "False", *reason, message).by(*reason).warns("Renew")
            }
            Self::ReleaseBlocked { cause, until, unknown } => {
                let end = until.map_or_else(String::new, |until| {
                    format!("; at {} nothing can be left to release and the object goes", at(until))
                });
                let available = if *unknown { "Unknown" } else { truth };
                let message = format!("{cause}{end}");
                Words::new(available, "False", Reason::ReleaseBlocked, message).reconciling().warns("Release")
            }
            Self::Paused => {
                let message = "the annotation qos-operator.io/paused stops every effect";
                // A session that the spec does not want any more is not available for this generation.
                let available = if pass.goal.deleting { truth } else { "False" };
                Words::new(available, "False", Reason::Paused, message).stalled()
            }
            Self::Vanished { again } => {
                let words =
                    Words::new("False", "False", Reason::Vanished, "the provider no longer knows the session").warns("Observe");
                if *again { words.reconciling() } else { words.stalled() }
            }
            Self::NotRenewed => Words::new("True", "True", Reason::NamespaceNotAllowed, "no longer admitted: not renewed")
                .stalled()
                .warns("Renew"),
            Self::OtherClient(until) => {
                let by = until.map_or_else(String::new, |until| format!(" before {}", at(until)));
                let message = format!("another client made this session: its credentials are needed to renew or release it{by}");
                Words::new(truth, truth, Reason::CredentialsRejected, message).stalled().warns("Observe")
            }
            Self::Unreadable(version) => {
                let version = version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
                let message = format!(
                    "the attempt record has {version}, this operator reads {}; deletionPolicy Orphan lets the object go",
                    crate::session::record::VERSION
                );
                Words::new("Unknown", "Unknown", Reason::OutcomeUnknown, message).stalled().warns("Observe")
            }
        };
        Some(words)
    }
}
