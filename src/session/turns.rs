//! Whose turn it is: kube's queue serves in no order, so passes take a turn here, by priority and then first in, first out.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// How urgent a pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The object is being deleted.
    Deletion,
    /// Its spec has changed since it was last looked at.
    Change,
    /// Something failed, or is under way.
    Retry,
    /// Nothing is known to have changed.
    Resync,
}

/// A bounded number of turns.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Mutex<Queue>>);

#[derive(Debug)]
struct Queue {
    count: usize,
    free: usize,
    arrivals: u64,
    waiting: BTreeMap<(Urgency, u64), oneshot::Sender<Turn>>,
}

/// A turn; given back when it is dropped.
#[derive(Debug)]
pub struct Turn(Option<Turns>);

impl Turns {
    /// `count` turns at a time, at least one.
    pub fn new(count: usize) -> Self {
        let count = count.max(1);
        Self(Arc::new(Mutex::new(Queue { count, free: count, arrivals: 0, waiting: BTreeMap::new() })))
    }

    /// Waits for a turn.
    pub async fn take(&self, urgency: Urgency) -> Turn {
        let waits = {
            let mut queue = self.0.lock();
            if queue.free > 0 {
                queue.free -= 1;
                return Turn(Some(self.clone()));
            }
            let (sender, receiver) = oneshot::channel();
            queue.arrivals += 1;
            let place = (urgency, queue.arrivals);
            queue.waiting.insert(place, sender);
            receiver
        };
        // The sender is dropped only with the queue, which `self` keeps.
        waits.await.unwrap_or(Turn(None))
    }

    /// How many passes have their turn, and how many wait for one, by urgency.
    pub fn load(&self) -> (usize, BTreeMap<Urgency, usize>) {
        let queue = self.0.lock();
        let mut waiting = BTreeMap::new();
        for (urgency, _) in queue.waiting.keys() {
            *waiting.entry(*urgency).or_default() += 1;
        }
        (queue.count - queue.free, waiting)
    }

    fn give_back(&self) {
        let mut turn = Turn(Some(self.clone()));
        loop {
            let next = {
                let mut queue = self.0.lock();
                let Some((_, next)) = queue.waiting.pop_first() else {
                    queue.free += 1;
                    turn.0 = None;
                    return;
                };
                next
            };
            match next.send(turn) {
                Ok(()) => return,
                // Who waited has gone: the next one gets it.
                Err(back) => turn = back,
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Urgency::{Change, Deletion, Resync, Retry};
    use super::*;

    #[tokio::test]
    async fn a_deletion_goes_before_a_resync_that_came_earlier() {
        let turns = Turns::new(1);
        let first = turns.take(Urgency::Resync).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for urgency in [Urgency::Resync, Urgency::Retry, Urgency::Deletion, Urgency::Change, Urgency::Deletion] {
            let (turns, order) = (turns.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let _turn = turns.take(urgency).await;
                order.lock().push(urgency);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock(), [Deletion, Deletion, Change, Retry, Resync]);
    }

    #[tokio::test]
    async fn a_turn_whose_waiter_is_gone_is_not_lost() {
        let turns = Turns::new(1);
        let first = turns.take(Urgency::Resync).await;
        let gone = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(Urgency::Deletion).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(turns.load(), (1, BTreeMap::from([(Urgency::Deletion, 1)])));
        gone.abort();
        let _ = gone.await;
        drop(first);
        tokio::time::timeout(std::time::Duration::from_secs(5), turns.take(Urgency::Resync)).await.unwrap();
    }
}
