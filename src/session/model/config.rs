//! What one exploration is about: the provider's kind, the margins, and how many faults of which kind may happen.

use super::super::bounds::seconds;
use super::super::facts::{Abilities, Margins, Renewal};

/// Something that goes wrong, or that a user does. Each costs one of its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// The answer of a call to the provider is lost after its effect, or the call before it.
    Lost,
    /// The client gives up; the create takes effect later, up to L after it was sent.
    Late,
    /// A write to the API server lands and its answer is lost.
    LostApi,
    /// A replica loses its program and its memory and starts with a fresh list.
    Crash,
    /// A user deletes the object.
    Delete,
    /// A user makes an object of the same name again.
    Recreate,
    /// The network ends a living session.
    NetworkEnd,
    /// A user changes the spec to the other request (and back).
    Spec,
    /// A user turns `suspend` on or off.
    Suspend,
    /// A user turns `paused` on or off.
    Pause,
    /// The annotation is stripped.
    StripAnnotation,
    /// The status is stripped.
    StripStatus,
    /// The finalizer is stripped.
    StripFinalizer,
    /// Annotation and status are stripped together.
    StripRecords,
    /// Annotation and finalizer are stripped together (`kubectl replace`).
    StripMetadata,
    /// A read of the provider fails.
    ReadError,
    /// A GET or DELETE is answered by a gateway's 404.
    Gateway,
    /// The provider does not answer any more, for good.
    Down,
    /// Another system opens a session on the flow.
    Foreign,
    /// The provider grants one tick more than was asked for.
    Long,
    /// The list does not show a new session for C.
    Lag,
    /// The provider refuses a create with another 4xx.
    Refused,
    /// L and the longest grant are made shorter.
    Shorten,
    /// A create is answered REQUESTED, with no expiry; AVAILABLE comes up to Q later.
    Requested,
}

/// How many kinds of faults there are.
pub(super) const FAULTS: usize = Fault::Requested as usize + 1;

/// Where the other request of [`Fault::Spec`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// To another device, so that nothing overlaps.
    Flow,
    /// To another profile on the same flow.
    Profile,
    /// To another provider.
    Provider,
}

/// One exploration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub(super) name: &'static str,
    pub(super) replicas: usize,
    pub(super) objects: usize,
    pub(super) lists: bool,
    pub(super) sink: bool,
    pub(super) rejects: bool,
    pub(super) extends: bool,
    /// GET is supported.
    pub(super) gets: bool,
    /// DELETE is supported.
    pub(super) deletes: bool,
    /// Events name the ids of creates.
    pub(super) events: bool,
    /// A session that ran out is kept for the retention too.
    pub(super) lingers: bool,
    /// D, as asked for.
    pub(super) d: i8,
    pub(super) w: i8,
    pub(super) l: i8,
    pub(super) c: i8,
    pub(super) q: i8,
    pub(super) retention: i8,
    pub(super) other: Other,
    /// `renewalPolicy: Never` with so many ticks.
    pub(super) run: Option<i8>,
    pub(super) recreate: bool,
    pub(super) orphan: bool,
    /// How many 409s from a session of its own an object may get: none, or one where its records are stripped (rule 8).
    pub(super) own_conflicts: u8,
    /// Check that the goal stays reachable.
    pub(super) live: bool,
    pub(super) budget: [u8; FAULTS],
}

impl Config {
    /// A provider that lists, shows sinks and rejects overlaps; one replica, one object, no fault.
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            replicas: 1,
            objects: 1,
            lists: true,
            sink: true,
            rejects: true,
            extends: false,
            gets: true,
            deletes: true,
            events: false,
            lingers: false,
            d: 2,
            w: 0,
            l: 1,
            c: 0,
            q: 0,
            retention: 1,
            other: Other::Flow,
            run: None,
            recreate: true,
            orphan: false,
            own_conflicts: 0,
            live: true,
            budget: [0; FAULTS],
        }
    }

    /// The same without a list (v0.8 to v0.10).
    pub(super) const fn no_list(mut self) -> Self {
        self.lists = false;
        self.sink = false;
        self
    }

    /// The same, at a provider that accepts doubles.
    pub(super) const fn doubles(mut self) -> Self {
        self.rejects = false;
        self
    }

    /// With two replicas.
    pub(super) const fn two(mut self) -> Self {
        self.replicas = 2;
        self
    }

    /// With these faults, each once; one that is named twice may happen twice.
    pub(super) const fn with(mut self, faults: &[Fault]) -> Self {
        let mut at = 0;
        while at < faults.len() {
            self.budget[faults[at] as usize] += 1;
            at += 1;
        }
        self
    }

    pub(super) const fn may(&self, fault: Fault) -> bool {
        self.budget[fault as usize] > 0
    }

    pub(super) fn abilities(&self) -> Abilities {
        Abilities { rejects: self.rejects, lists: self.lists, sink: self.sink, extends: self.extends }
    }

    pub(super) fn renewal(&self) -> Renewal {
        self.run.map_or(Renewal::Always, |run| Renewal::Never { run_seconds: i64::from(run) })
    }

    /// L as it is set now.
    pub(super) fn late(&self, shortened: bool) -> i8 {
        if shortened { (self.l - 1).max(0) } else { self.l }
    }

    /// The longest grant (D) that the operator reckons with now.
    pub(super) fn longest(&self, shortened: bool) -> i8 {
        if self.may(Fault::Long) && !shortened { self.d + 1 } else { self.d }
    }

    pub(super) fn margins(&self, shortened: bool) -> Margins {
        let ticks = |count: i8| seconds(i64::from(count));
        Margins {
            send_window: ticks(self.w),
            late_effect: ticks(self.late(shortened)),
            list_lag: ticks(self.c),
            requested_max: ticks(self.q),
            clock_skew: ticks(0),
            retention: ticks(self.retention),
            renewal_margin: ticks(1),
        }
    }

    /// Where the request with this hash goes: provider and device.
    pub(super) fn place(&self, hash: u8) -> (u8, u8) {
        match self.other {
            Other::Flow => (0, hash),
            Other::Profile => (0, 0),
            Other::Provider => (hash, 0),
        }
    }
}
