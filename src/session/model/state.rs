//! A state of the modelled world, small enough to be copied. Times are ticks from now; those that have passed for so long that
//! nothing asks for them any more are kept at a floor, so that the world's states are finitely many.

use super::super::facts::{Info, Outcome, Word};
use super::config::{Config, FAULTS, Fault};

/// No time, no nonce, no session.
pub(super) const NO: i8 = i8::MAX;
pub(super) const NONE: u8 = u8::MAX;
/// The uid of other systems.
pub(super) const FOREIGN: u8 = 99;
pub(super) const SESSIONS: usize = 7;

/// The attempt record in the annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rec {
    pub(super) uid: u8,
    pub(super) nonce: u8,
    pub(super) at: i8,
    pub(super) lands: i8,
    pub(super) dead: i8,
    pub(super) hash: u8,
    pub(super) duration: i8,
    pub(super) extends: bool,
    pub(super) earlier: i8,
}

/// The status of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Status {
    pub(super) settled: Option<(u8, Outcome)>,
    pub(super) session: u8,
    pub(super) hash: u8,
    pub(super) seen: Sight,
    pub(super) run: i8,
}

/// What is known of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sight {
    pub(super) word: Word,
    pub(super) info: Info,
    pub(super) started: i8,
    pub(super) expires: i8,
}

impl Sight {
    pub(super) const NOTHING: Self = Self { word: Word::NotSaid, info: Info::NotSaid, started: NO, expires: NO };
}

impl Status {
    pub(super) const EMPTY: Self = Self { settled: None, session: NONE, hash: NONE, seen: Sight::NOTHING, run: NO };
}

/// One name in the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Object {
    pub(super) exists: bool,
    pub(super) uid: u8,
    pub(super) deleting: bool,
    pub(super) finalizer: bool,
    pub(super) suspend: bool,
    pub(super) paused: bool,
    pub(super) spec: u8,
    pub(super) rec: Option<Rec>,
    pub(super) status: Status,
}

impl Object {
    pub(super) const fn new(uid: u8) -> Self {
        Self {
            exists: true,
            uid,
            deleting: false,
            finalizer: false,
            suspend: false,
            paused: false,
            spec: 0,
            rec: None,
            status: Status::EMPTY,
        }
    }

    pub(super) fn gone(self) -> Self {
        Self { exists: false, ..Self::new(self.uid) }
    }
}

/// What a GET brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Session(Sight),
    Gone,
    Error,
    NotSupported,
}

/// What the read of a pass brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Saw {
    Nothing,
    Held(Answer),
    Event {
        slot: u8,
        answer: Answer,
    },
    /// `None`: an error.
    List(Option<Shown>),
}

/// A list of a device's sessions, as far as it matters; the sessions by their slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shown {
    pub(super) own: u8,
    pub(super) other_own: u8,
    pub(super) matches: bool,
    pub(super) flow: u8,
    /// Of `own`, or of `flow` where there is none.
    pub(super) sight: Sight,
}

/// Where the program of one object in one replica stands between two small steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Prog {
    Idle,
    /// The read has been answered, `since` ago; only where the decision does not go by the time of the look (a mutant).
    Looked {
        saw: Saw,
        since: i8,
        ready: bool,
    },
    /// To be recorded with the finalizer, with the version of the cached object, and then to be sent.
    Intend {
        seconds: i8,
        earlier: i8,
    },
    /// To be written: finalizer and record, with the version of the cached object.
    Patch {
        rec: Rec,
    },
    /// To be written: the finalizer alone.
    Restore,
    /// The intent is confirmed; the first byte is next.
    Post {
        uid: u8,
        rec: Rec,
    },
    /// The outcome of a create is in hand.
    Answered {
        uid: u8,
        rec: Rec,
        answer: Outcome,
        slot: u8,
        sight: Sight,
    },
    /// To be written: the status; `answered` is the outcome that it records, to be tried again.
    Write {
        uid: u8,
        status: Status,
        stale: bool,
        answered: Option<(Rec, Outcome, u8, Sight)>,
    },
    /// A DELETE is next, at the place of the request with `hash`; `held`: of the recorded session.
    Delete {
        slot: u8,
        hash: u8,
        held: bool,
    },
    /// To be removed: the finalizer.
    Unfinalize {
        uid: u8,
    },
    /// An extend is next.
    Extend {
        slot: u8,
        ticks: i8,
        since: i8,
    },
}

/// One object, as one replica has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) cache: Object,
    /// The API server has a newer version than the cache.
    pub(super) stale: bool,
    pub(super) prog: Prog,
    /// Memory: the provider answered with 405.
    pub(super) no_get: bool,
    pub(super) no_delete: bool,
    /// The claim of the flow for this object, in this process.
    pub(super) claim: bool,
}

/// A session at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Life {
    Requested,
    Available,
    Unavailable,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) life: Life,
    pub(super) uid: u8,
    /// The object's name.
    pub(super) key: u8,
    pub(super) nonce: u8,
    pub(super) hash: u8,
    pub(super) granted: i8,
    pub(super) expires: i8,
    pub(super) started: i8,
    /// Requested: the last moment to become available; Unavailable: when it is dropped.
    pub(super) until: i8,
    /// When the list shows it.
    pub(super) listed: i8,
    pub(super) info: Info,
    /// Its id was once recorded in a status.
    pub(super) known: bool,
}

impl Session {
    pub(super) const GONE: Self = Self {
        life: Life::Gone,
        uid: 0,
        key: 0,
        nonce: NONE,
        hash: 0,
        granted: 0,
        expires: NO,
        started: NO,
        until: NO,
        listed: 0,
        info: Info::NotSaid,
        known: false,
    };

    pub(super) fn live(&self) -> bool {
        matches!(self.life, Life::Requested | Life::Available)
    }

    pub(super) fn there(&self) -> bool {
        self.life != Life::Gone
    }
}

/// A create under way after its client gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pending {
    pub(super) rec: Rec,
    pub(super) key: u8,
    /// The last moment at which it can land.
    pub(super) until: i8,
    /// It was sent before the settings were made shorter.
    pub(super) may_long: bool,
}

/// The whole world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) objects: [Option<Object>; 2],
    pub(super) replicas: [[Option<Slot>; 2]; 2],
    pub(super) sessions: [Session; SESSIONS],
    pub(super) pending: [Option<Pending>; 2],
    pub(super) budget: [u8; FAULTS],
    pub(super) down: bool,
    pub(super) shortened: bool,
    pub(super) own_conflicts: u8,
    /// The next nonce that was never used.
    pub(super) fresh: u8,
}

impl State {
    pub(super) fn first(config: &Config) -> Self {
        let mut state = Self {
            objects: [None; 2],
            replicas: [[None; 2]; 2],
            sessions: [Session::GONE; SESSIONS],
            pending: [None; 2],
            budget: config.budget,
            down: false,
            shortened: false,
            own_conflicts: 0,
            fresh: 0,
        };
        for o in 0..config.objects {
            let object = Object::new(u8::try_from(o).unwrap() * 10);
            state.objects[o] = Some(object);
            for replica in &mut state.replicas[..config.replicas] {
                replica[o] =
                    Some(Slot { cache: object, stale: false, prog: Prog::Idle, no_get: false, no_delete: false, claim: false });
            }
        }
        state
    }

    pub(super) fn object(&self, o: usize) -> &Object {
        self.objects[o].as_ref().unwrap()
    }

    pub(super) fn slot(&self, r: usize, o: usize) -> &Slot {
        self.replicas[r][o].as_ref().unwrap()
    }

    pub(super) fn slot_mut(&mut self, r: usize, o: usize) -> &mut Slot {
        self.replicas[r][o].as_mut().unwrap()
    }

    /// Writes the object: whatever rests on an older version is stale now.
    pub(super) fn write(&mut self, o: usize, change: impl FnOnce(&mut Object)) {
        let object = self.objects[o].as_mut().unwrap();
        change(object);
        if object.deleting && !object.finalizer {
            *object = object.gone();
        }
        for slot in self.replicas.iter_mut().filter_map(|replica| replica[o].as_mut()) {
            slot.stale = true;
            if let Prog::Write { stale, .. } = &mut slot.prog {
                *stale = true;
            }
        }
    }

    pub(super) fn session(&self, slot: u8) -> &Session {
        &self.sessions[usize::from(slot)]
    }

    /// A slot for a new session.
    pub(super) fn free(&self) -> usize {
        let mut used = [false; SESSIONS];
        let mut copy = *self;
        copy.each_session(&mut |slot| used[usize::from(*slot)] = true);
        (0..SESSIONS)
            .find(|&i| !used[i] && !self.sessions[i].there() && self.sessions[i].nonce == NONE)
            .or_else(|| (0..SESSIONS).find(|&i| !used[i] && !self.sessions[i].there()))
            .expect("a slot for one more session; raise SESSIONS")
    }

    pub(super) fn left(&self, fault: Fault) -> bool {
        self.budget[fault as usize] > 0
    }
}
