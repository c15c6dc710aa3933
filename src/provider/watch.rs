//! Watches: a stream of events, with each list taken as one change so that what is no longer in it is seen to be gone.

use kube_runtime::watcher;

/// A change of what is watched.
#[derive(Debug)]
pub(super) enum Change<K> {
    /// These are all that there are.
    All(Vec<K>),
    /// New or changed.
    Applied(K),
    /// Gone.
    Deleted(K),
}

/// Collects the objects of a list.
#[derive(Debug)]
pub(super) struct Listing<K>(Vec<K>);

impl<K> Default for Listing<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K> Listing<K> {
    /// The change that an event brings; none while a list is being read.
    pub(super) fn take(&mut self, event: watcher::Event<K>) -> Option<Change<K>> {
        match event {
            watcher::Event::Init => {
                self.0.clear();
                None
            }
            watcher::Event::InitApply(object) => {
                self.0.push(object);
                None
            }
            watcher::Event::InitDone => Some(Change::All(std::mem::take(&mut self.0))),
            watcher::Event::Apply(object) => Some(Change::Applied(object)),
            watcher::Event::Delete(object) => Some(Change::Deleted(object)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_counts_when_it_is_whole_and_a_broken_off_one_is_forgotten() {
        let mut listing = Listing::default();
        assert!(listing.take(watcher::Event::Init).is_none());
        assert!(listing.take(watcher::Event::InitApply(1)).is_none());
        assert!(listing.take(watcher::Event::Init).is_none());
        assert!(listing.take(watcher::Event::InitApply(2)).is_none());
        assert!(matches!(listing.take(watcher::Event::InitDone), Some(Change::All(all)) if all == [2]));
        assert!(matches!(listing.take(watcher::Event::Delete(2)), Some(Change::Deleted(2))));
    }
}
