//! What a decision rests on, as small values that can be copied and compared: no text, no client, no clock.
//!
//! The names are those of `docs/architecture.md`, which also gives the decision table.

use std::fmt;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::rules::Rules;

/// Names one send of a create: fresh for each POST, never used again. It stands in the attempt record and in the sink URL, so
/// it is not printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nonce(pub u128);

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[nonce]")
    }
}

/// Equal when, and only when, two requests ask the same provider for the same flow and profile (`status.appliedHash`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppliedHash(pub u64);

/// How long a session runs, and what follows (`spec.renewalPolicy` with `spec.durationSeconds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Renewal {
    /// Kept AVAILABLE until the object is deleted.
    Always,
    /// Runs once, for so many seconds from its first AVAILABLE, gaps included.
    Never {
        /// `spec.durationSeconds`.
        run_seconds: i64,
    },
}

/// What the object asks for.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent wish of the object")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Goal {
    /// The object has a deletionTimestamp.
    pub deleting: bool,
    /// `spec.deletionPolicy: Orphan`.
    pub orphan: bool,
    /// `spec.suspend`.
    pub suspend: bool,
    /// The annotation `qos-operator.io/paused` is "true".
    pub paused: bool,
    /// Of flow, profile and provider as they are desired; `None` while the spec is invalid or its provider unknown, so that
    /// nothing can be said to differ from it.
    pub hash: Option<AppliedHash>,
    /// See [`Renewal`].
    pub renewal: Renewal,
    /// With [`Renewal::Always`]: the seconds of a lease, where the spec names them.
    pub lease_seconds: Option<i64>,
    /// `spec.recoveryPolicy: Recreate`.
    pub recreate: bool,
}

/// A send whose record stands in the annotation, as far as decisions need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The send's name.
    pub nonce: Nonce,
    /// When the record was written; the first byte leaves at most the send window later.
    pub at: Timestamp,
    /// After this nothing of the send can land at the provider any more.
    pub lands_by: Timestamp,
    /// By this nothing of the send can be alive any more.
    pub dead_by: Timestamp,
    /// Of the request as it was sent.
    pub hash: AppliedHash,
    /// Seconds that were asked for.
    pub duration_seconds: i64,
    /// Extensions count in the bound.
    pub extends: bool,
    /// By this, older sends whose outcome is unknown are dead.
    pub earlier: Option<Timestamp>,
}

/// What the annotation `qos-operator.io/attempt` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// Nothing, or a record of another uid (a copied manifest brings one along).
    None,
    /// A record of a version that this operator cannot read.
    Unreadable,
    /// A record of ours.
    Of(Attempt),
}

/// What became of a send (`status.attempt.outcome`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It made a session.
    Created,
    /// 409.
    Busy,
    /// Another 4xx, or nothing was sent.
    Refused,
    /// It never landed, and cannot any more.
    Absent,
}

/// `status.attempt`: the send whose outcome is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settled {
    /// The send that it settles.
    pub nonce: Nonce,
    /// What became of it.
    pub outcome: Outcome,
}

/// `qosStatus`, as a value that can be copied: an unknown word is kept as its fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// The provider did not say.
    NotSaid,
    /// REQUESTED.
    Requested,
    /// AVAILABLE.
    Available,
    /// UNAVAILABLE.
    Unavailable,
    /// A word that no specification has.
    Unknown(u64),
}

/// `statusInfo`, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Info {
    /// The provider did not say.
    NotSaid,
    /// DURATION_EXPIRED.
    DurationExpired,
    /// NETWORK_TERMINATED.
    NetworkTerminated,
    /// DELETE_REQUESTED.
    DeleteRequested,
    /// A word that no specification has.
    Unknown(u64),
}

/// What is known of a session: by the status, or by an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// `qosStatus`.
    pub word: Word,
    /// `statusInfo`.
    pub info: Info,
    /// `startedAt`, by the second.
    pub started_at: Option<Timestamp>,
    /// `expiresAt`, by the second.
    pub expires_at: Option<Timestamp>,
    /// The granted duration in seconds.
    pub granted_seconds: Option<i64>,
}

impl Seen {
    /// Nothing is known.
    pub const NOTHING: Self =
        Self { word: Word::NotSaid, info: Info::NotSaid, started_at: None, expires_at: None, granted_seconds: None };

    /// This answer, with what it leaves out kept from `earlier`: an answer that names no time does not unsay one. The status and
    /// its reason are the answer's alone, except that UNAVAILABLE without a reason keeps the reason that was told of it.
    #[must_use]
    pub fn over(self, earlier: Self) -> Self {
        let keeps_info = self.word == Word::Unavailable && self.info == Info::NotSaid && earlier.word == Word::Unavailable;
        Self {
            word: self.word,
            info: if keeps_info { earlier.info } else { self.info },
            started_at: self.started_at.or(earlier.started_at),
            expires_at: self.expires_at.or(earlier.expires_at),
            granted_seconds: self.granted_seconds.or(earlier.granted_seconds),
        }
    }
}

/// A session whose id is recorded in `status.sessionId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held {
    /// `status.appliedHash`; `None` where a stripped or foreign status has none.
    pub hash: Option<AppliedHash>,
    /// What the status says of it.
    pub seen: Seen,
}

/// What the object says of its own past: finalizer, annotation and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Past {
    /// The finalizer `qos-operator.io/release` is there.
    pub finalizer: bool,
    /// The annotation.
    pub record: Record,
    /// `status.attempt`.
    pub settled: Option<Settled>,
    /// `status.sessionId` and what belongs to it.
    pub held: Option<Held>,
    /// `status.appliedHash`: of the living session, else of the last.
    pub last_hash: Option<AppliedHash>,
    /// How the last session stands or ended (`status.statusInfo`).
    pub last_info: Info,
    /// `status.runStartedAt`.
    pub run_started_at: Option<Timestamp>,
}

/// A GET of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Got {
    /// An answer whose fields are ours.
    Session(Seen),
    /// 404 with CAMARA's NOT_FOUND, asked with the client that made it.
    Gone,
    /// What says nothing on our session.
    Error,
    /// 405 or 501: not tried again; the record's word stands.
    NotSupported,
}

/// Which read of the provider this pass makes, at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// None is due.
    None,
    /// GET of the recorded session.
    Held,
    /// GET of the session that an event on the open attempt's nonce named.
    OfEvent,
    /// The list of the record's device, or of the spec's where there is no record.
    List,
}

/// What that read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// None was due.
    None,
    /// GET of the recorded session.
    Held(Got),
    /// GET of the session that an event on the open attempt's nonce named.
    OfEvent(Got),
    /// The list; `None` is an error, or a list that proves no absence.
    List(Option<Listed>),
}

/// A readable list of the device's sessions. The indexes point into the list that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Listed {
    /// One that carries the open attempt's nonce.
    pub own: Option<usize>,
    /// A further one of this object (its key), be it under another nonce or by the same send.
    pub other_own: Option<usize>,
    /// One of ours at first sight carries this object's key and the desired request's fields.
    pub own_matches: bool,
    /// One that overlaps the flow.
    pub flow: bool,
}

/// What the provider at hand can do.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent ability")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Abilities {
    /// It refuses a second session on a flow (`overlappingSessions: Rejected`).
    pub rejects: bool,
    /// It lists a device's sessions (from v0.11).
    pub lists: bool,
    /// Creates carry a sink URL.
    pub sink: bool,
    /// It extends.
    pub extends: bool,
}

/// How the provider of the record can be reached now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Ready.
    Ready,
    /// Not ready, but a release may be tried.
    NotReady,
    /// Its gate is closed, or there is nothing to be let in with: no call.
    Closed,
    /// The `QosProvider` is gone.
    Gone,
}

/// What stands against a create, besides what [`Goal`] and [`Past`] tell by themselves. Its words are told elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bar {
    /// `InvalidSpec`.
    Spec,
    /// `ProviderNotFound`.
    ProviderNotFound,
    /// `ProviderNotReady`.
    ProviderNotReady,
    /// The provider was not checked yet since this process started.
    ProviderUnchecked,
    /// The provider is not yet marked as in use.
    ProviderUnmarked,
    /// `NamespaceNotAllowed`.
    Namespace,
    /// `BudgetExceeded`.
    Budget,
    /// `ProfileUnavailable`.
    Profile,
    /// `DurationOutOfRange`.
    Duration,
    /// `SecretNotFound`: the phone number's.
    Secret,
}

/// What this process remembers of an object; all of it may be lost at a restart.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent observation")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// When the session is to be polled next; `None`: it has not been asked for yet.
    pub poll_at: Option<Timestamp>,
    /// No effect before this: the pause after an error or a refusal.
    pub pause_until: Option<Timestamp>,
    /// The pause follows a refusal, so this object does not stand in others' way.
    pub refused: bool,
    /// The recorded session is not to be extended (again): refused, or no gain.
    pub extend_refused: bool,
    /// Half of the last grant has passed at this time, counted from its answer.
    pub half_of_grant: Option<Timestamp>,
    /// The provider answered a DELETE of this session with 405 or 501.
    pub delete_unsupported: bool,
    /// The provider answered a GET of this session with 405 or 501.
    pub get_unsupported: bool,
}

/// The durations that make the protocol safe (flags of the operator; `docs/architecture.md` derives them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Margins {
    /// W: the longest time from the record to the first byte (`--send-window`).
    pub send_window: SignedDuration,
    /// L: the longest time from the first byte to the effect: the request's time-out and `--late-effect`.
    pub late_effect: SignedDuration,
    /// C: the longest lag of the list (`--list-lag`).
    pub list_lag: SignedDuration,
    /// Q: the longest REQUESTED phase (`--requested-max`).
    pub requested_max: SignedDuration,
    /// Added to what is compared with other clocks (`--clock-skew`).
    pub clock_skew: SignedDuration,
    /// How long the provider keeps a terminated session (`--retention`).
    pub retention: SignedDuration,
    /// The longest margin before the expiry at which it is extended (`--renewal-margin`).
    pub renewal_margin: SignedDuration,
}

/// The limits of a request's duration, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The profile's minDuration.
    pub min_seconds: Option<i64>,
    /// The profile's maxDuration, or the generation's own maximum where that is less.
    pub max_seconds: Option<i64>,
    /// `QosProvider.spec.maxLeaseSeconds`.
    pub max_lease_seconds: Option<i64>,
}

/// All that was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    /// The read of this pass.
    pub look: Look,
    /// Abilities of the provider of the record, or of the desired one where nothing is recorded.
    pub abilities: Abilities,
    /// How the recorded provider can be reached.
    pub reach: Reach,
    /// What stands against a create at the desired provider.
    pub bar: Option<Bar>,
    /// Another object holds the flow, is sending for it, or wants it and is older.
    pub peer: bool,
    /// Limits of the desired request.
    pub limits: Limits,
    /// See [`Memory`].
    pub memory: Memory,
    /// See [`Margins`].
    pub margins: Margins,
    /// The longest life that the provider may grant to the attempt at hand, in seconds (D).
    pub longest_grant: i64,
    /// Which rules are in force: all of them, but for the mutants of the model check.
    pub rules: Rules,
}
