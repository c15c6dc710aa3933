//! The explorations: each kind of provider with the faults that may happen to it.

use super::config::{Config, Fault, Other};
use Fault::{
    Crash, Delete, Down, Foreign, Gateway, Lag, Late, Long, Lost, LostApi, NetworkEnd, Pause, ReadError, Recreate, Refused,
    Requested, Shorten, Spec, StripAnnotation, StripFinalizer, StripMetadata, StripRecords, StripStatus, Suspend,
};

const SIX: [Fault; 6] = [Lost, Late, Crash, Delete, NetworkEnd, Spec];

/// The explorations that the short form makes.
pub(super) fn small() -> Vec<Config> {
    let new = Config::new;
    vec![
        new("list, rejects").with(&SIX).with(&[ReadError, LostApi]),
        new("list, doubles").doubles().with(&SIX).with(&[ReadError, LostApi]),
        new("no list, rejects").no_list().with(&SIX).with(&[LostApi]),
        new("no list, doubles").no_list().doubles().with(&SIX).with(&[LostApi]),
    ]
}
