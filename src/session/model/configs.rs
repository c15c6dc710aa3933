//! The explorations: each kind of provider with the faults that may happen to it.

use super::config::{Config, Fault, Other};
use Fault::{
    Crash, Delete, Down, Foreign, Gateway, Lag, Late, Long, Lost, LostApi, NetworkEnd, Pause, ReadError, Recreate, Refused,
    Requested, Shorten, Spec, StripAnnotation, StripFinalizer, StripMetadata, StripRecords, StripStatus, Suspend,
};

const SIX: [Fault; 6] = [Lost, Late, Crash, Delete, NetworkEnd, Spec];

/// The explorations of the short form.
pub(super) fn small() -> Vec<Config> {
    let list = Config::new;
    let mut all = vec![
        list("list").with(&[Lost, Late, Delete, Spec]),
        list("list, doubles").doubles().with(&[Lost, Late, Delete, Spec]),
        list("no list").no_list().with(&[Lost, Late, Delete, Spec]),
        list("no list, doubles").no_list().doubles().with(&[Lost, Late, Delete, Spec]),
        list("list: network, crash").with(&[NetworkEnd, Crash, Spec, LostApi]),
        list("no list: network, crash").no_list().with(&[NetworkEnd, Crash, Delete, LostApi]),
        list("list: errors").with(&[ReadError, ReadError, Late, Delete]),
        list("list: gateway").with(&[Gateway, Spec, Delete]),
        list("no list: strip status").no_list().doubles().with(&[StripStatus, NetworkEnd, Delete]),
        list("list: strip status").with(&[StripStatus, NetworkEnd, Delete]),
        list("list: strip finalizer").with(&[StripFinalizer, NetworkEnd, Spec, Late]),
        list("list: suspend").with(&[Suspend, Suspend, Lost, Late]),
        list("no list: paused").no_list().with(&[Pause, Pause, Delete, Late]),
        list("no list: provider down").no_list().with(&[Down, Delete, Late, Spec]),
        list("no list: refused").no_list().with(&[Refused, Late, Lost, Delete]),
        list("no list: longer grants").no_list().with(&[Long, Late, Delete]),
        list("no list: shortened").no_list().with(&[Shorten, Long, Late, Delete]),
    ];
    all.push(Config { c: 2, d: 3, ..list("list lags, doubles").doubles().with(&[Lag, Late, Delete]) });
    all.push(Config { sink: false, ..list("list without sink").with(&[Foreign, Lost, Late, Delete]) });
    all.push(Config { sink: false, ..list("list without sink, doubles").doubles().with(&[Foreign, Lost, Late, Delete]) });
    all.push(Config { own_conflicts: 1, ..list("list: strip annotation").with(&[StripAnnotation, Late, Lost]) });
    all.push(Config { own_conflicts: 1, ..list("list: strip annotation and finalizer").with(&[StripMetadata, Late, Lost]) });
    all.push(list("list, doubles: strip annotation and status").doubles().with(&[StripRecords, Lost, Delete]));
    all.push(Config { events: true, ..list("no list: events").no_list().with(&[Late, Lost, Delete]) });
    all.push(Config { events: true, ..list("no list, doubles: events").no_list().doubles().with(&[Late, Lost, Delete]) });
    all.push(Config { extends: true, ..list("no list: extends").no_list().with(&[Lost, Delete, Down, Crash]) });
    all.push(Config { q: 1, ..list("list: REQUESTED").with(&[Requested, Down, Delete, Lost]) });
    all.push(Config { q: 1, ..list("no list: REQUESTED").no_list().with(&[Requested, Late, Delete, Spec]) });
    all.push(Config {
        other: Other::Profile,
        lingers: true,
        retention: 2,
        ..list("no list: retention").no_list().with(&[Spec, ReadError, NetworkEnd])
    });
    all.push(Config { other: Other::Profile, ..list("list: another profile").with(&[Spec, Lost, Late, NetworkEnd]) });
    all.push(Config { other: Other::Provider, ..list("no list: another provider").no_list().with(&[Spec, Lost, Delete]) });
    all.push(Config { gets: false, deletes: false, ..list("no GET, no DELETE").no_list().doubles().with(&[Delete, Spec, Lost]) });
    all.push(Config { deletes: false, ..list("no DELETE").no_list().doubles().with(&[NetworkEnd, Spec, Lost, Suspend]) });
    all.push(Config {
        gets: false,
        deletes: false,
        q: 1,
        ..list("no GET, no DELETE: REQUESTED").no_list().doubles().with(&[Requested, Delete, Spec])
    });
    all.push(Config { orphan: true, ..list("list: orphaned").with(&[Delete, Recreate, Late]) });
    all.push(Config { recreate: false, ..list("list: recovery Never").with(&[NetworkEnd, Late, Spec, Delete]) });
    all.push(Config { run: Some(3), d: 3, ..list("no list: runs once").no_list().with(&[NetworkEnd, Late, Delete]) });
    all.push(Config { w: 1, ..list("no list: W 1").no_list().with(&[Late, Lost, Delete]) });
    for (name, lists, rejects) in [
        ("two objects: list", true, true),
        ("two objects: list, doubles", true, false),
        ("two objects: no list", false, true),
        ("two objects: no list, doubles", false, false),
    ] {
        all.push(Config { objects: 2, lists, sink: lists, rejects, ..list(name).with(&[Suspend, Suspend]) });
    }
    all
}

/// Those that are too wide for the short form, but in which some rule is missed soon.
pub(super) fn wide() -> Vec<Config> {
    let list = Config::new;
    vec![
        list("no list: two replicas").no_list().two().with(&[Lost]),
        list("no list, doubles: two replicas").no_list().doubles().two().with(&[Late, Delete]),
        list("list: two replicas").two().with(&[Late]),
        list("list: re-creation, two replicas").two().with(&[Delete, Recreate]),
        Config { d: 3, ..list("no list: two replicas, no fault").no_list().two() },
        Config { extends: true, ..list("no list: extends, two replicas").no_list().two().with(&[Delete, Down]) },
        Config {
            extends: true,
            d: 1,
            l: 0,
            ..list("no list: extends without a look").no_list().with(&[Lost, Lost, Crash, ReadError, ReadError, Delete])
        },
    ]
}

/// The explorations of the long form, besides the others.
pub(super) fn long() -> Vec<Config> {
    let list = Config::new;
    let mut all = vec![
        list("list: six faults, errors, API").with(&SIX).with(&[ReadError, LostApi]),
        list("list, doubles: six faults, errors, API").doubles().with(&SIX).with(&[ReadError, LostApi]),
        list("no list: six faults, API").no_list().with(&SIX).with(&[LostApi]),
        list("no list, doubles: six faults, API").no_list().doubles().with(&SIX).with(&[LostApi]),
        list("no list: every loss twice").no_list().with(&[Lost, Lost, Late, Late, Delete]),
        list("no list: two replicas, losses, deletion").no_list().two().with(&[Lost, Late, Delete]),
        list("no list: two replicas, late, spec").no_list().two().with(&[Late, Spec]),
        list("no list: two replicas, crash, network").no_list().two().with(&[Late, Crash, NetworkEnd]),
        list("no list, doubles: two replicas, losses, spec").no_list().doubles().two().with(&[Lost, Late, Delete, Spec]),
        list("list: two replicas, losses").two().with(&[Lost, Late, Delete]),
        list("list, doubles: two replicas, losses").doubles().two().with(&[Lost, Late, Spec]),
        list("list: two replicas, network, refused").two().with(&[NetworkEnd, Refused, ReadError]),
        list("list: re-creation, two replicas, lost").two().with(&[Delete, Recreate, Lost]),
        list("no list: re-creation, two replicas, late").no_list().two().with(&[Delete, Recreate, Late]),
        list("no list: provider down, many faults").no_list().with(&[Down, Delete, Late, Lost, Spec, Crash, LostApi]),
    ];
    all.push(Config {
        extends: true,
        ..list("no list: extends, two replicas, lost").no_list().two().with(&[Delete, Down, Lost])
    });
    all.push(Config { events: true, ..list("no list: events, two replicas").no_list().two().with(&[Late, Delete]) });
    all.push(Config { sink: false, ..list("list without sink, two replicas").two().with(&[Foreign, Lost, Delete]) });
    all.push(Config { d: 4, l: 2, w: 1, ..list("no list: D 4, L 2, W 1").no_list().with(&[Lost, Late, Delete, Spec]) });
    all.push(Config { d: 5, l: 2, w: 1, c: 1, ..list("list: D 5, L 2, W 1, C 1").with(&[Lost, Late, Delete, Spec, Lag]) });
    all.push(Config { q: 2, d: 3, ..list("no list: REQUESTED for 2").no_list().with(&[Requested, Late, Delete, Spec, Down]) });
    for (name, lists, rejects) in [
        ("two objects: list, losses", true, true),
        ("two objects: list, doubles, losses", true, false),
        ("two objects: no list, losses", false, true),
        ("two objects: no list, doubles, losses", false, false),
    ] {
        all.push(Config { objects: 2, lists, sink: lists, rejects, ..list(name).with(&[Suspend, Suspend, Lost, NetworkEnd]) });
    }
    all
}

/// Worlds that are far too large to be explored: random walks go through them.
pub(super) fn boundless() -> Vec<Config> {
    let many = [
        Lost, Lost, Late, Late, Crash, Crash, Delete, NetworkEnd, NetworkEnd, Spec, Spec, ReadError, ReadError, LostApi, LostApi,
        Refused, Suspend, Suspend, Pause, Pause,
    ];
    let list = |name| Config { live: false, d: 3, l: 2, w: 1, ..Config::new(name) }.two().with(&many);
    vec![
        list("list").with(&[Recreate]),
        list("list, doubles").doubles(),
        list("no list").no_list().with(&[Recreate]),
        list("no list, doubles").no_list().doubles(),
        Config { events: true, ..list("no list: events").no_list() },
        Config { sink: false, ..list("list without sink").with(&[Foreign]) },
        Config { extends: true, ..list("no list: extends").no_list() },
        Config { q: 2, ..list("no list: REQUESTED").no_list().with(&[Requested, Requested, Long]) },
        Config { c: 1, ..list("list lags, doubles").doubles().with(&[Lag, Lag]) },
        Config { run: Some(5), ..list("no list: runs once").no_list() },
    ]
}
