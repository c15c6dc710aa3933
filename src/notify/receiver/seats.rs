//! The connections that there are, and which one makes room for another.
//!
//! A new connection is always taken while there is one that can go: whoever holds all places by doing nothing would else lock everybody
//! out, and a provider's event comes on a new connection. So the oldest goes that has not shown a right bearer yet; an honest one shows
//! it within a moment of its beginning. Only where all have, the one goes whose last event is the longest ago. One that is just being
//! read, after it has shown its bearer, never goes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::source::Source;

/// The place of one connection.
pub(super) struct Seat {
    /// The other end.
    pub(super) peer: IpAddr,
    /// Whose share it counts in; none for a trusted proxy, which speaks for many.
    source: Option<Source>,
    /// When it last showed a right bearer, as a number that grows; 0: never.
    proven: AtomicU64,
    /// Whether a body is being read.
    busy: AtomicBool,
    /// Cancelled to close the connection at once.
    pub(super) cut: CancellationToken,
}

impl Seat {
    /// For a connection that counts in no one's share.
    pub(super) fn apart(peer: IpAddr) -> Self {
        Self { peer, source: None, proven: 0.into(), busy: false.into(), cut: CancellationToken::new() }
    }
}

/// All places.
pub(super) struct Seats {
    limit: usize,
    per_source: usize,
    /// By age.
    taken: Mutex<BTreeMap<u64, Arc<Seat>>>,
    /// Numbers the connections, and the right bearers that they show.
    clock: AtomicU64,
}

/// A place that is given back when this is dropped.
pub(super) struct Taken {
    seats: Arc<Seats>,
    number: u64,
    pub(super) seat: Arc<Seat>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.taken.lock().remove(&self.number);
    }
}

/// What came of asking for a place.
pub(super) enum Asked {
    /// Here it is.
    Free(Taken),
    /// Here it is; another one has made room.
    Evicted(Taken),
    /// All are being served.
    Full,
}

impl Seats {
    pub(super) fn new(limit: usize, per_source: usize) -> Self {
        Self { limit: limit.max(1), per_source: per_source.max(1), taken: Mutex::default(), clock: AtomicU64::new(1) }
    }

    /// A place for a connection of `peer`; `source` is whose share it counts in. This looks at every place once: a few microseconds
    /// with a thousand of them.
    pub(super) fn ask(self: &Arc<Self>, peer: IpAddr, source: Option<Source>) -> Asked {
        let mut taken = self.taken.lock();
        let own = source.map_or(0, |source| taken.values().filter(|seat| seat.source == Some(source)).count());
        let goes = if own >= self.per_source {
            oldest(&taken, |seat| seat.source == source)
        } else if taken.len() >= self.limit {
            oldest(&taken, |_| true)
        } else {
            None
        };
        let full = own >= self.per_source || taken.len() >= self.limit;
        match goes.and_then(|number| taken.remove(&number)) {
            Some(seat) => seat.cut.cancel(),
            None if full => return Asked::Full,
            None => {}
        }
        let seat = Arc::new(Seat { source, ..Seat::apart(peer) });
        let number = self.clock.fetch_add(1, Ordering::Relaxed);
        taken.insert(number, Arc::clone(&seat));
        let place = Taken { seats: Arc::clone(self), number, seat };
        if full { Asked::Evicted(place) } else { Asked::Free(place) }
    }

    /// A right bearer came on `seat`, and its body is now being read, until the guard is dropped.
    pub(super) fn serve<'a>(&self, seat: &'a Seat) -> Serving<'a> {
        seat.proven.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        seat.busy.store(true, Ordering::Relaxed);
        Serving(seat)
    }

    /// Closes all that are left.
    pub(super) fn cut_all(&self) {
        self.taken.lock().values().for_each(|seat| seat.cut.cancel());
    }
}

/// While it lives, its connection stays.
pub(super) struct Serving<'a>(&'a Seat);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Relaxed);
    }
}

/// The one that goes first, of those that `may`.
fn oldest(taken: &BTreeMap<u64, Arc<Seat>>, may: impl Fn(&Seat) -> bool) -> Option<u64> {
    let free = taken.iter().filter(|(_, seat)| !seat.busy.load(Ordering::Relaxed) && may(seat));
    // Those without a proof have the number 0; of equals, the first is the oldest.
    free.min_by_key(|(_, seat)| seat.proven.load(Ordering::Relaxed)).map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn take(seats: &Arc<Seats>, last: u8) -> Taken {
        match seats.ask(ip(last), Some(ip(last).into())) {
            Asked::Free(place) | Asked::Evicted(place) => place,
            Asked::Full => panic!("no place"),
        }
    }

    fn cut(places: &[Taken]) -> Vec<bool> {
        places.iter().map(|place| place.seat.cut.is_cancelled()).collect()
    }

    #[test]
    fn the_oldest_without_a_right_bearer_makes_room_and_those_with_one_stay() {
        let seats = Arc::new(Seats::new(3, 9));
        let places: Vec<_> = (1..=3).map(|last| take(&seats, last)).collect();
        drop(seats.serve(&places[0].seat));
        let _fourth = take(&seats, 4);
        assert_eq!(cut(&places), [false, true, false]);
        let _fifth = take(&seats, 5);
        assert_eq!(cut(&places), [false, true, true]);
    }

    #[test]
    fn where_all_have_shown_it_the_one_goes_whose_last_event_is_the_longest_ago() {
        let seats = Arc::new(Seats::new(2, 9));
        let places: Vec<_> = (1..=2).map(|last| take(&seats, last)).collect();
        places.iter().rev().for_each(|place| drop(seats.serve(&place.seat)));
        let _third = take(&seats, 3);
        assert_eq!(cut(&places), [false, true]);
    }

    #[test]
    fn one_that_is_being_served_never_goes_and_where_all_are_the_new_one_is_refused() {
        let seats = Arc::new(Seats::new(2, 9));
        let places: Vec<_> = (1..=2).map(|last| take(&seats, last)).collect();
        let serving: Vec<_> = places.iter().map(|place| seats.serve(&place.seat)).collect();
        assert!(matches!(seats.ask(ip(3), None), Asked::Full));
        drop(serving);
        assert!(matches!(seats.ask(ip(3), None), Asked::Evicted(_)));
    }

    #[test]
    fn a_source_beyond_its_share_loses_its_own_and_a_trusted_proxy_has_no_share() {
        let seats = Arc::new(Seats::new(10, 2));
        let other = take(&seats, 9);
        let places: Vec<_> = (0..3).map(|_| take(&seats, 1)).collect();
        assert_eq!(cut(&places), [true, false, false]);
        let proxied: Vec<_> = (0..5).filter(|_| matches!(seats.ask(ip(7), None), Asked::Free(_))).collect();
        assert_eq!(proxied.len(), 5);
        assert!(!other.seat.cut.is_cancelled());
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_is_gone() {
        let seats = Arc::new(Seats::new(1, 1));
        drop(take(&seats, 1));
        assert!(matches!(seats.ask(ip(2), None), Asked::Free(_)));
        assert!(seats.taken.lock().is_empty());
    }
}
