//! Moves that no replica makes: the clock, late creates, the network, and users.

use super::super::facts::Info;
use super::super::rules::Rule;
use super::config::{Config, Fault, Other};
use super::moves::{Moves, Sink};
use super::provider::{self, Landing, Made};
use super::state::{Life, NONE, Object, Prog, Slot, State};

impl<S: Sink> Moves<'_, S> {
    pub(super) fn world(&mut self) {
        let mut next = *self.state;
        next.tick(self.config);
        self.free(next, || "tick".to_owned());
        self.late_creates();
        self.sessions();
        for o in 0..self.config.objects {
            self.user(o);
            self.strip(o);
        }
        self.once(Fault::Down, "the provider is down for good", |next| next.down = true);
        let (config, fixed) = (self.config, self.rules.on(Rule::TimesAreFixedAtSend));
        self.once(Fault::Shorten, "settings are made shorter", |next| {
            next.shortened = true;
            if !fixed {
                next.reckon_again(config);
            }
        });
        if self.state.left(Fault::Foreign) {
            let mut next = *self.state;
            if next.intrude(self.config) {
                self.any(next, Some(Fault::Foreign), None, || "another system opens a session on the flow".to_owned());
            }
        }
    }

    fn once(&mut self, fault: Fault, words: &str, change: impl FnOnce(&mut State)) {
        if self.state.left(fault) {
            let mut next = *self.state;
            change(&mut next);
            self.any(next, Some(fault), None, || words.to_owned());
        }
    }

    fn late_creates(&mut self) {
        for i in 0..self.state.pending.len() {
            let Some(pending) = self.state.pending[i] else { continue };
            for (landing, fault) in provider::landings(self.state, pending.may_long) {
                let mut next = *self.state;
                next.pending[i] = None;
                let made = next.create(&pending.rec, pending.key, landing, self.config);
                if landing != Landing::PLAIN && matches!(made, Made::Conflict(_)) {
                    continue;
                }
                let offends = self.conflict(&mut next, made, pending.rec.uid);
                self.any(next, fault, offends, || format!("late POST n{} {}", pending.rec.nonce, told(made, landing)));
            }
        }
    }

    fn sessions(&mut self) {
        for i in 0..self.state.sessions.len() {
            let session = self.state.sessions[i];
            if session.life == Life::Requested {
                let mut next = *self.state;
                provider::available(&mut next.sessions[i], self.config);
                self.free(next, || format!("#{i} becomes AVAILABLE"));
            }
            if session.live() && session.key != super::state::FOREIGN {
                self.once(Fault::NetworkEnd, &format!("the network ends #{i}"), |next| {
                    provider::ended(&mut next.sessions[i], Info::NetworkTerminated, self.config);
                });
            }
        }
    }

    fn user(&mut self, o: usize) {
        let object = *self.state.object(o);
        let name = o + 1;
        if !object.exists {
            self.once(Fault::Recreate, &format!("user creates object {name} again"), |next| {
                next.write(o, |object| *object = Object::new(object.uid + 1));
            });
            return;
        }
        if !object.deleting {
            self.once(Fault::Delete, &format!("user deletes object {name}"), |next| {
                next.write(o, |object| object.deleting = true);
            });
            let to = match self.config.other {
                Other::Flow => "device",
                Other::Profile => "profile",
                Other::Provider => "provider",
            };
            self.once(Fault::Spec, &format!("user changes object {name} to {to} {}", 1 - object.spec), |next| {
                next.write(o, |object| object.spec = 1 - object.spec);
            });
            self.once(Fault::Suspend, &format!("user sets suspend of object {name} to {}", !object.suspend), |next| {
                next.write(o, |object| object.suspend = !object.suspend);
            });
        }
        self.once(Fault::Pause, &format!("user sets paused of object {name} to {}", !object.paused), |next| {
            next.write(o, |object| object.paused = !object.paused);
        });
    }

    fn strip(&mut self, o: usize) {
        let object = *self.state.object(o);
        if !object.exists || object.deleting {
            return;
        }
        // Both records lost while a create is under way is beyond any protocol: no one knows of it any more.
        let sending = |slot: &Slot| !matches!(slot.prog, Prog::Idle);
        let at_rest =
            self.state.pending.iter().all(Option::is_none) && !(0..self.config.replicas).any(|r| sending(self.state.slot(r, o)));
        for (fault, words, annotation, status, finalizer) in [
            (Fault::StripAnnotation, "annotation", true, false, false),
            (Fault::StripStatus, "status", false, true, false),
            (Fault::StripFinalizer, "finalizer", false, false, true),
            (Fault::StripRecords, "annotation and status", true, true, false),
            (Fault::StripMetadata, "annotation and finalizer", true, false, true),
        ] {
            if fault == Fault::StripRecords && !at_rest {
                continue;
            }
            self.once(fault, &format!("{words} of object {} stripped", o + 1), |next| {
                next.write(o, |object| {
                    if annotation {
                        object.rec = None;
                    }
                    if status {
                        object.status = super::state::Status::EMPTY;
                    }
                    if finalizer {
                        object.finalizer = false;
                    }
                });
                if status {
                    for session in next.sessions.iter_mut().filter(|s| s.uid == object.uid) {
                        session.known = false;
                    }
                }
            });
        }
    }

    /// Oracle c: whether a 409 came from an own session that is recorded or can be listed.
    pub(super) fn conflict(&self, next: &mut State, made: Made, uid: u8) -> Option<&'static str> {
        let Made::Conflict(slot) = made else { return None };
        let session = *next.session(slot);
        let own = session.uid == uid && (session.known || (self.config.lists && self.config.sink && session.listed <= 0));
        if !own {
            return None;
        }
        next.own_conflicts += 1;
        (next.own_conflicts > self.config.own_conflicts).then_some("c: 409 from an own session that is recorded or listed")
    }
}

impl State {
    /// The mutant keeps only the time of the send, and reckons with the settings of today.
    fn reckon_again(&mut self, config: &Config) {
        let late = config.late(false) - config.late(true);
        let life = config.longest(false) - config.longest(true);
        let objects = self.objects.iter_mut().flatten();
        let caches = self.replicas.iter_mut().flatten().flatten().map(|slot| &mut slot.cache);
        for rec in objects.chain(caches).filter_map(|object| object.rec.as_mut()) {
            rec.lands -= late;
            rec.dead -= late + life;
        }
    }
}

pub(super) fn told(made: Made, landing: Landing) -> String {
    match made {
        Made::Session(slot) => format!("lands as #{slot}{}", landing.words()),
        Made::Conflict(NONE) => "is refused with 409".to_owned(),
        Made::Conflict(slot) => format!("is refused with 409 because of #{slot}"),
    }
}
