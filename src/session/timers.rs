//! One timer an object, on the operator's clock: kube's own requeue knows real time only, and cannot be asked which timers there are.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::claims::Object;
use crate::clock::Clock;

/// When each object is to be looked at again.
#[derive(Debug, Default)]
pub struct Timers {
    due: Mutex<Due>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Due {
    by_object: HashMap<Object, Timestamp>,
    in_order: BTreeSet<(Timestamp, Object)>,
}

impl Timers {
    /// Sets the timer of `object`; a time in the past means now, `None` means that only a change wakes it.
    pub fn set(&self, object: &Object, at: Option<Timestamp>) {
        let mut due = self.due.lock();
        if let Some(before) = due.by_object.remove(object) {
            due.in_order.remove(&(before, object.clone()));
        }
        if let Some(at) = at {
            let earliest = due.in_order.first().is_none_or(|(first, _)| at < *first);
            due.by_object.insert(object.clone(), at);
            due.in_order.insert((at, object.clone()));
            drop(due);
            if earliest {
                self.changed.notify_one();
            }
        }
    }

    /// The timer of `object`.
    pub fn get(&self, object: &Object) -> Option<Timestamp> {
        self.due.lock().by_object.get(object).copied()
    }

    /// How many timers are set, how many of them are due at `now`, and since when the first one is.
    pub fn load(&self, now: Timestamp) -> (usize, usize, Option<Timestamp>) {
        let due = self.due.lock();
        let first = due.in_order.first().map(|(at, _)| *at).filter(|at| *at <= now);
        (due.by_object.len(), due.in_order.iter().take_while(|(at, _)| *at <= now).count(), first)
    }

    /// Waits for the next timer that is due, takes it off and returns its object.
    pub async fn next(&self, clock: &Clock) -> Object {
        loop {
            let changed = self.changed.notified();
            let first = self.due.lock().in_order.first().cloned();
            match first {
                Some((at, object)) if at <= clock.now() => {
                    self.set(&object, None);
                    return object;
                }
                Some((at, _)) => tokio::select! {
                    () = clock.sleep_until(at) => {}
                    () = changed => {}
                },
                None => changed.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::jiff::SignedDuration;

    use super::*;
    use crate::clock::later;

    fn object(name: &str) -> Object {
        Object::new("stadium", name, name)
    }

    #[tokio::test]
    async fn timers_come_in_order_and_a_time_in_the_past_is_now() {
        let (clock, timers) = (Clock::system(), Arc::new(Timers::default()));
        let hour = SignedDuration::from_hours(1);
        timers.set(&object("later"), Some(later(clock.now(), hour)));
        timers.set(&object("past"), Some(later(clock.now(), -hour)));
        timers.set(&object("moved"), Some(later(clock.now(), -hour)));
        timers.set(&object("moved"), Some(later(clock.now(), hour + hour)));
        assert_eq!((timers.load(clock.now()).0, timers.load(clock.now()).1), (3, 1));
        assert_eq!(timers.next(&clock).await, object("past"));
        assert_eq!(timers.load(clock.now()), (2, 0, None));
        let waiting = tokio::spawn({
            let (clock, timers) = (clock.clone(), Arc::clone(&timers));
            async move { [timers.next(&clock).await, timers.next(&clock).await] }
        });
        tokio::task::yield_now().await;
        clock.advance(hour + hour + hour);
        assert_eq!(waiting.await.unwrap(), [object("later"), object("moved")]);
        assert_eq!(timers.get(&object("moved")), None);
    }
}
