//! The modelled provider: what a create, a GET, a list, a DELETE and an extend do to its sessions.

use super::super::facts::{Info, Word};
use super::config::{Config, Fault};
use super::state::{Answer, FOREIGN, Life, NO, NONE, Rec, Session, Shown, Sight, State};

/// What a create came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// 201.
    Session(u8),
    /// 409, from the session in this slot.
    Conflict(u8),
}

/// How a create lands, where it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Landing {
    pub(super) long: bool,
    pub(super) requested: bool,
    pub(super) lagging: bool,
}

impl Landing {
    pub(super) const PLAIN: Self = Self { long: false, requested: false, lagging: false };

    pub(super) fn words(self) -> &'static str {
        match (self.long, self.requested, self.lagging) {
            (true, ..) => ", for longer than asked",
            (_, true, _) => ", REQUESTED",
            (.., true) => ", not yet listed",
            _ => "",
        }
    }
}

pub(super) fn available(session: &mut Session, config: &Config) {
    session.life = Life::Available;
    session.until = NO;
    session.expires = session.granted;
    session.started = if config.run.is_some() { 0 } else { NO };
}

pub(super) fn ran_out(session: &mut Session, config: &Config) {
    if config.lingers {
        ended(session, Info::DurationExpired, config);
    } else {
        dropped(session);
    }
}

/// The session is over; the provider keeps telling of it for the retention.
pub(super) fn ended(session: &mut Session, info: Info, config: &Config) {
    if config.retention == 0 {
        return dropped(session);
    }
    session.life = Life::Unavailable;
    session.info = info;
    session.until = config.retention;
}

pub(super) fn dropped(session: &mut Session) {
    session.life = Life::Gone;
}

pub(super) fn sight(session: &Session) -> Sight {
    let (word, info) = match session.life {
        Life::Requested => (Word::Requested, Info::NotSaid),
        Life::Available => (Word::Available, Info::NotSaid),
        Life::Unavailable | Life::Gone => (Word::Unavailable, session.info),
    };
    Sight { word, info, started: session.started, expires: session.expires }
}

impl State {
    /// A create takes effect, or is refused with 409.
    pub(super) fn create(&mut self, rec: &Rec, key: u8, landing: Landing, config: &Config) -> Made {
        let blocking = |session: &Session| {
            let session_place = if session.uid == FOREIGN { (0, 0) } else { config.place(session.hash) };
            session.there() && session_place == config.place(rec.hash)
        };
        if config.rejects
            && let Some(other) = self.sessions.iter().position(blocking)
        {
            return Made::Conflict(u8::try_from(other).unwrap());
        }
        let at = self.free();
        let mut session = Session {
            life: Life::Requested,
            uid: rec.uid,
            key,
            nonce: if config.events || config.sink { rec.nonce } else { NONE },
            hash: rec.hash,
            granted: rec.duration + i8::from(landing.long),
            expires: NO,
            started: NO,
            until: config.q,
            listed: if landing.lagging { config.c } else { 0 },
            info: Info::NotSaid,
            known: false,
        };
        if !landing.requested {
            available(&mut session, config);
        }
        self.sessions[at] = session;
        Made::Session(u8::try_from(at).unwrap())
    }

    /// Another system's session.
    pub(super) fn intrude(&mut self, config: &Config) -> bool {
        let blocked = self.sessions.iter().any(|s| s.there() && config.place(s.hash) == (0, 0));
        if config.rejects && blocked {
            return false;
        }
        let at = self.free();
        self.sessions[at] =
            Session { life: Life::Available, uid: FOREIGN, key: FOREIGN, granted: config.d, expires: config.d, ..Session::GONE };
        true
    }

    /// GET at the provider and device of the request with `hash`.
    pub(super) fn get(&self, slot: u8, hash: u8, config: &Config) -> Answer {
        let session = self.session(slot);
        if !config.gets {
            Answer::NotSupported
        } else if session.there() && config.place(session.hash).0 == config.place(hash).0 {
            Answer::Session(sight(session))
        } else {
            Answer::Gone
        }
    }

    /// The list of the device of the request with `hash`, as the object `key` with this record reads it.
    pub(super) fn list(&self, key: u8, nonce: Option<u8>, hash: u8, wanted: u8, config: &Config) -> Shown {
        let mut shown = Shown { own: NONE, other_own: NONE, matches: false, flow: NONE, sight: Sight::NOTHING };
        for (i, session) in self.sessions.iter().enumerate().filter(|(_, s)| s.there() && s.listed <= 0) {
            let slot = u8::try_from(i).unwrap();
            let place = if session.uid == FOREIGN { (0, 0) } else { config.place(session.hash) };
            if place != config.place(hash) {
                continue;
            }
            if shown.flow == NONE {
                shown.flow = slot;
            }
            if !config.sink || session.uid == FOREIGN {
                continue;
            }
            if Some(session.nonce) == nonce {
                shown.own = slot;
                shown.matches = session.hash == wanted;
                shown.sight = sight(session);
            } else if session.key == key {
                shown.other_own = slot;
                if shown.own == NONE {
                    shown.matches = session.hash == wanted;
                    shown.sight = sight(session);
                }
            }
        }
        if shown.own == NONE && shown.other_own == NONE && shown.flow != NONE {
            shown.sight = sight(self.session(shown.flow));
        }
        shown
    }

    /// DELETE; `false`: there is none (404).
    pub(super) fn delete(&mut self, slot: u8, hash: u8, config: &Config) -> bool {
        let session = &mut self.sessions[usize::from(slot)];
        let there = session.there() && config.place(session.hash).0 == config.place(hash).0;
        if there {
            dropped(session);
        }
        there
    }

    /// Extends a living session.
    pub(super) fn extend(&mut self, slot: u8, ticks: i8) -> Option<Sight> {
        let session = &mut self.sessions[usize::from(slot)];
        if session.life != Life::Available {
            return None;
        }
        session.expires += ticks;
        Some(sight(session))
    }

    /// The session that an event on this nonce names.
    pub(super) fn named(&self, nonce: u8) -> impl Iterator<Item = u8> {
        let found = move |session: &Session| session.nonce == nonce;
        (0..).zip(self.sessions.iter()).filter(move |(_, s)| found(s)).map(|(i, _)| i)
    }
}

/// The ways in which a create may land, each with the faults that it costs.
pub(super) fn landings(state: &State, may_long: bool) -> Vec<(Landing, Option<Fault>)> {
    let mut ways = vec![(Landing::PLAIN, None)];
    for (fault, way) in [
        (Fault::Long, Landing { long: true, ..Landing::PLAIN }),
        (Fault::Requested, Landing { requested: true, ..Landing::PLAIN }),
        (Fault::Lag, Landing { lagging: true, ..Landing::PLAIN }),
    ] {
        if state.left(fault) && (may_long || !way.long) {
            ways.push((way, Some(fault)));
        }
    }
    ways
}
