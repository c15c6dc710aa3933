//! The same world under other names is the same state: nonces, sessions and replicas are renamed in the order in which they are
//! met, and what nothing refers to is dropped.

use std::hash::{Hash, Hasher};

use super::super::rules::{Rule, Rules};
use super::config::Config;
use super::state::{Answer, Life, NO, NONE, Object, Prog, Rec, SESSIONS, Saw, Session, Sight, State, Status};

impl State {
    /// Every nonce that stands somewhere, but for those of the sessions.
    fn each_nonce(&mut self, f: &mut impl FnMut(&mut u8)) {
        fn status(status: &mut Status, f: &mut impl FnMut(&mut u8)) {
            if let Some((nonce, _)) = &mut status.settled {
                f(nonce);
            }
        }
        fn object(object: &mut Object, f: &mut impl FnMut(&mut u8)) {
            if let Some(rec) = &mut object.rec {
                f(&mut rec.nonce);
            }
            status(&mut object.status, f);
        }
        for o in self.objects.iter_mut().flatten() {
            object(o, f);
        }
        for slot in self.replicas.iter_mut().flatten().flatten() {
            object(&mut slot.cache, f);
            match &mut slot.prog {
                Prog::Patch { rec } | Prog::Answered { rec, .. } | Prog::Post { rec, .. } => f(&mut rec.nonce),
                Prog::Write { status: s, answered, .. } => {
                    status(s, f);
                    if let Some((rec, ..)) = answered {
                        f(&mut rec.nonce);
                    }
                }
                _ => {}
            }
        }
        for pending in self.pending.iter_mut().flatten() {
            f(&mut pending.rec.nonce);
        }
    }

    /// Every reference to a session.
    pub(super) fn each_session(&mut self, f: &mut impl FnMut(&mut u8)) {
        let mut f = |slot: &mut u8| {
            if *slot != NONE {
                f(slot);
            }
        };
        for o in self.objects.iter_mut().flatten() {
            f(&mut o.status.session);
        }
        for slot in self.replicas.iter_mut().flatten().flatten() {
            f(&mut slot.cache.status.session);
            match &mut slot.prog {
                Prog::Looked { saw: Saw::Event { slot, .. }, .. } => f(slot),
                Prog::Looked { saw: Saw::List(Some(shown)), .. } => {
                    f(&mut shown.own);
                    f(&mut shown.other_own);
                    f(&mut shown.flow);
                }
                Prog::Answered { slot, .. } | Prog::Delete { slot, .. } | Prog::Extend { slot, .. } => f(slot),
                Prog::Write { status, answered, .. } => {
                    f(&mut status.session);
                    if let Some((_, _, slot, _)) = answered {
                        f(slot);
                    }
                }
                _ => {}
            }
        }
    }

    /// Every time, with the floor below which nothing asks for it.
    fn each_time(&mut self, config: &Config, f: &mut impl FnMut(&mut i8, i8)) {
        let floors = Floors::of(config);
        for o in self.objects.iter_mut().flatten() {
            floors.object(o, f);
        }
        for slot in self.replicas.iter_mut().flatten().flatten() {
            floors.object(&mut slot.cache, f);
            match &mut slot.prog {
                Prog::Idle | Prog::Restore | Prog::Delete { .. } | Prog::Unfinalize { .. } => {}
                Prog::Looked { saw, since, .. } => {
                    f(since, floors.since);
                    match saw {
                        Saw::Held(Answer::Session(sight)) | Saw::Event { answer: Answer::Session(sight), .. } => {
                            floors.sight(sight, f);
                        }
                        Saw::List(Some(shown)) => floors.sight(&mut shown.sight, f),
                        _ => {}
                    }
                }
                Prog::Intend { earlier, .. } => f(earlier, 0),
                Prog::Patch { rec } | Prog::Post { rec, .. } => floors.rec(rec, f),
                Prog::Answered { rec, sight, .. } => {
                    floors.rec(rec, f);
                    floors.sight(sight, f);
                }
                Prog::Write { status, answered, .. } => {
                    floors.status(status, f);
                    if let Some((rec, _, _, sight)) = answered {
                        floors.rec(rec, f);
                        floors.sight(sight, f);
                    }
                }
                Prog::Extend { since, .. } => f(since, -(config.w + 1)),
            }
        }
        for pending in self.pending.iter_mut().flatten() {
            floors.rec(&mut pending.rec, f);
            f(&mut pending.until, -1);
        }
        for session in self.sessions.iter_mut().filter(|s| s.there()) {
            f(&mut session.expires, -1);
            f(&mut session.started, floors.run);
            f(&mut session.until, -1);
            f(&mut session.listed, 0);
        }
    }

    /// A tick of the clock: what expires, expires; what must have landed by now has, or never will.
    pub(super) fn tick(&mut self, config: &Config) {
        self.each_time(config, &mut |time, floor| {
            if *time != NO {
                *time = (*time - 1).max(floor);
            }
        });
        for pending in &mut self.pending {
            if pending.is_some_and(|p| p.until < 0) {
                *pending = None;
            }
        }
        for session in &mut self.sessions {
            match session.life {
                Life::Requested if session.until <= 0 => super::provider::available(session, config),
                Life::Available if session.expires <= 0 => super::provider::ran_out(session, config),
                Life::Unavailable if session.until <= 0 => super::provider::dropped(session),
                _ => {}
            }
        }
    }

    /// A write that is bound to conflict, because the object has changed since it was read, is over before it is made.
    pub(super) fn conflicts(&mut self, rules: Rules) {
        let objects = self.objects;
        for replica in &mut self.replicas {
            for (slot, object) in replica.iter_mut().zip(&objects) {
                let (Some(slot), Some(object)) = (slot, object) else { continue };
                let stale_intent = slot.stale && rules.on(Rule::IntentGuardedByVersion);
                let lost = match &slot.prog {
                    Prog::Intend { .. } | Prog::Patch { .. } => stale_intent,
                    Prog::Restore => slot.stale,
                    Prog::Write { stale, answered: None, .. } => *stale && rules.on(Rule::StatusGuardedByVersion),
                    Prog::Unfinalize { uid } => object.uid != *uid && rules.on(Rule::FinalizerGuardedByUid),
                    _ => false,
                };
                if lost {
                    slot.prog = Prog::Idle;
                }
            }
        }
    }

    /// The same state under the names that the order of the replicas gives.
    pub(super) fn canonical(mut self, config: &Config) -> Self {
        for (to, from) in [(0, 1)] {
            // Late creates are a set.
            if self.pending[to].is_none() {
                self.pending.swap(to, from);
            }
        }
        // Times that a step has just written may lie below their floors.
        self.each_time(config, &mut |time, floor| {
            if *time != NO {
                *time = (*time).max(floor);
            }
        });
        let mut order: Vec<u8> = Vec::with_capacity(SESSIONS);
        self.each_session(&mut |slot| {
            if !order.contains(slot) {
                order.push(*slot);
            }
        });
        let mut nonces: Vec<u8> = Vec::with_capacity(16);
        self.each_nonce(&mut |nonce| {
            if !nonces.contains(nonce) {
                nonces.push(*nonce);
            }
        });
        let keep = |session: &Session, nonces: &[u8]| session.there() || (config.events && nonces.contains(&session.nonce));
        let place = |nonce: u8, nonces: &[u8]| nonces.iter().position(|n| *n == nonce).unwrap_or(nonces.len());
        let mut rest: Vec<u8> = (0..SESSIONS)
            .filter(|&i| keep(&self.sessions[i], &nonces))
            .map(|i| u8::try_from(i).unwrap())
            .filter(|slot| !order.contains(slot))
            .collect();
        rest.sort_by_key(|slot| {
            let mut session = self.sessions[usize::from(*slot)];
            session.nonce = u8::try_from(place(session.nonce, &nonces)).unwrap();
            bytes(&session)
        });
        order.extend(rest);
        let mut sessions = [Session::GONE; SESSIONS];
        for (to, from) in order.iter().enumerate() {
            let mut session = self.sessions[usize::from(*from)];
            if !session.there() {
                session = Session { uid: session.uid, key: session.key, nonce: session.nonce, ..Session::GONE };
                if !(config.events && nonces.contains(&session.nonce)) {
                    session.nonce = NONE;
                }
            }
            if session.nonce != NONE && !nonces.contains(&session.nonce) {
                nonces.push(session.nonce);
            }
            if session.nonce != NONE {
                session.nonce = u8::try_from(place(session.nonce, &nonces)).unwrap();
            }
            sessions[to] = session;
        }
        self.sessions = sessions;
        self.each_session(&mut |slot| *slot = u8::try_from(order.iter().position(|s| s == slot).unwrap()).unwrap());
        self.each_nonce(&mut |nonce| *nonce = u8::try_from(place(*nonce, &nonces)).unwrap());
        self.fresh = u8::try_from(nonces.len()).unwrap();
        self
    }

    /// The one of a state's names that all its equals share, in bytes.
    pub(super) fn exact(mut self, config: &Config, rules: Rules) -> (Self, Vec<u8>) {
        self.conflicts(rules);
        let one = self.canonical(config);
        let first = bytes(&one);
        if config.replicas < 2 {
            return (one, first);
        }
        let mut swapped = self;
        swapped.replicas.swap(0, 1);
        let two = swapped.canonical(config);
        let second = bytes(&two);
        if second < first { (two, second) } else { (one, first) }
    }
}

struct Floors {
    at: i8,
    dead: i8,
    expires: i8,
    run: i8,
    since: i8,
}

impl Floors {
    fn of(config: &Config) -> Self {
        let longest = config.d + 1;
        let waited = if config.may(super::config::Fault::Requested) { config.q + longest } else { 0 };
        let extensions = if config.extends { 2 * longest } else { 0 };
        let expires = -(config.retention + extensions + 1);
        let run = config.run.map_or(0, |run| expires - run - 1);
        Self {
            at: -(config.w + 1 + waited),
            dead: -config.retention,
            expires,
            run,
            since: -(config.w + config.l + config.c + config.q + longest + config.retention + 2),
        }
    }

    fn rec(&self, rec: &mut Rec, f: &mut impl FnMut(&mut i8, i8)) {
        f(&mut rec.at, self.at);
        f(&mut rec.lands, -1);
        f(&mut rec.dead, self.dead);
        f(&mut rec.earlier, 0);
    }

    fn sight(&self, sight: &mut Sight, f: &mut impl FnMut(&mut i8, i8)) {
        f(&mut sight.started, self.run);
        f(&mut sight.expires, self.expires);
    }

    fn status(&self, status: &mut Status, f: &mut impl FnMut(&mut i8, i8)) {
        self.sight(&mut status.seen, f);
        f(&mut status.run, self.run);
    }

    fn object(&self, object: &mut Object, f: &mut impl FnMut(&mut i8, i8)) {
        if let Some(rec) = &mut object.rec {
            self.rec(rec, f);
        }
        self.status(&mut object.status, f);
    }
}

/// An exact encoding: what `Hash` feeds to a hasher tells any two values of a type apart.
pub(super) fn bytes(value: &impl Hash) -> Vec<u8> {
    let mut bytes = Bytes(Vec::with_capacity(256));
    value.hash(&mut bytes);
    bytes.0
}

struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn write_u8(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn write_usize(&mut self, count: usize) {
        self.0.push(u8::try_from(count).unwrap());
    }

    fn write_isize(&mut self, discriminant: isize) {
        self.0.push(u8::try_from(discriminant).unwrap());
    }
}

/// 128 bits of a state's encoding: two lanes of folded multiplication.
pub(super) fn fingerprint(bytes: &[u8]) -> u128 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let (mut one, mut two) = (0x9E37_79B9_7F4A_7C15_u64, 0xD1B5_4A32_D192_ED03_u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        one = fold(one ^ word, 0xA076_1D64_78BD_642F).wrapping_add(0x8EBC_6AF0_9C88_C6E3);
        two = fold(two.rotate_left(23) ^ word, 0xE703_7ED1_A0B4_28DB).wrapping_add(one);
    }
    let length = bytes.len() as u64;
    (u128::from(fold(one ^ length, 0x5899_65CC_7537_4CC3)) << 64) | u128::from(fold(two ^ length, 0x1D8E_4E27_C47D_124F))
}
