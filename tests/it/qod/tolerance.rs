//! What the client tolerates of real providers, line by line, and what holds it to that.

use std::collections::BTreeSet;

use super::vectors::{load, own_folder};

/// Where the named tests are.
const SOURCES: &[&str] = &[
    include_str!("../../../src/qod/wire/answer.rs"),
    include_str!("../../../src/qod/wire/lenient.rs"),
    include_str!("../../../src/qod/wire/mod.rs"),
    include_str!("../../../src/qod/wire/profiles.rs"),
    include_str!("../../../src/qod/classify.rs"),
    include_str!("../../../src/qod/answer.rs"),
    include_str!("../../../src/qod/recovery.rs"),
    include_str!("../../../src/session/claims.rs"),
    include_str!("transport.rs"),
    include_str!("vectors.rs"),
];

struct Line {
    tolerated: &'static str,
    vectors: &'static [&'static str],
    tests: &'static [&'static str],
}

const LINES: &[Line] = &[
    Line {
        tolerated: "unknown fields and unknown words of an enumeration",
        vectors: &["v0.10.unknown-fields", "v0.10.unknown-status", "v1.1.unknown-status-info", "profile.unknown-status"],
        tests: &["prose_is_no_word"],
    },
    Line {
        tolerated: "missing status and code of an error, qosStatus, device, times, messages, statusInfo; `id` for `sessionId`",
        vectors: &[
            "v0.10.no-status",
            "pi2.no-status",
            "tef.401",
            "gw.400-text",
            "v1.0.no-zone",
            "v0.8.get",
            "v0.8.session-id-name",
        ],
        tests: &["one_odd_field_does_not_lose_the_session", "a_body_without_an_id_is_no_session"],
    },
    Line {
        tolerated: "times as a number, a number in quotes or RFC 3339; numbers in quotes",
        vectors: &["v0.10.numeric-strings", "nokia.epoch", "v1.0.leap-second"],
        tests: &["a_time_is_read_in_each_of_its_spellings_and_rubbish_is_none"],
    },
    Line {
        tolerated: "errors that are no JSON; a 404 that is not the API's own",
        vectors: &[
            "gw.html-404-get",
            "gw.html-404-delete",
            "gw.json-404-message",
            "gw.json-404-fault",
            "gw.404-retrieve",
            "gw.400-text",
        ],
        tests: &["only_a_code_as_camara_writes_them_is_passed_on"],
    },
    Line {
        tolerated: "device problems as 400, 403, 404 or 422; a foreign session as 403 or 404; a bad id as 400 or 404",
        vectors: &[
            "pi1.400-device",
            "pi1.foreign-404",
            "v0.11.token-context-get",
            "v0.11.unsupported-device",
            "v1.0.flip-exhausted",
        ],
        tests: &["every_documented_error_of_every_generation_is_read_as_it_is_meant"],
    },
    Line {
        tolerated: "a bad duration under each of its three codes",
        vectors: &["v0.10.documented", "v1.0.documented"],
        tests: &["a_bad_duration_is_refused_under_each_of_its_codes"],
    },
    Line {
        tolerated: "operations that do not exist",
        vectors: &["gw.405-extend", "gw.404-retrieve"],
        tests: &["an_operation_that_a_provider_lacks_is_told_from_a_session_that_is_gone"],
    },
    Line {
        tolerated: "another duration than was asked for",
        vectors: &["v0.10.created-granted-less", "turkcell.granted-360", "v0.10.extend-capped", "v1.0.extend-capped"],
        tests: &[],
    },
    Line {
        tolerated: "secrets that are echoed",
        vectors: &["v0.10.created-available", "v0.11.credential-echo", "tef.1.1-created", "v1.2.private-key-jwt-echo"],
        tests: &["a_request_prints_neither_device_nor_secret"],
    },
    Line {
        tolerated: "a 201 in whatever status, and 200 in place of 201 and 204",
        vectors: &[
            "v0.10.create-200",
            "v0.10.delete-200",
            "orange.created-unavailable",
            "v1.2.created-unavailable",
            "nokia.requested-started",
        ],
        tests: &["a_page_or_an_error_under_200_releases_nothing"],
    },
    Line {
        tolerated: "a provider that enforces no conflicts",
        vectors: &[],
        // The operator's own order is what prevents doubles.
        tests: &["of_two_that_want_a_flow_the_older_comes_first_and_a_holder_before_both"],
    },
    Line {
        tolerated: "events with a doubled Bearer, without their wrapper, of another type",
        vectors: &[
            "nokia.v0.10.notification.nokia-bearer-twice",
            "v0.9.notification.flat-official",
            "v0.9.notification.other-type",
        ],
        tests: &[],
    },
];

#[test]
fn each_tolerance_has_a_vector_or_a_test_that_holds_the_client_to_it() {
    let known: BTreeSet<String> =
        load(&own_folder()).iter().filter_map(|(_, vector)| vector["id"].as_str().map(str::to_owned)).collect();
    assert_eq!(LINES.len(), 12);
    for line in LINES {
        assert!(!line.vectors.is_empty() || !line.tests.is_empty(), "nothing holds the client to: {}", line.tolerated);
        for id in line.vectors {
            assert!(known.contains(*id), "{}: there is no vector {id}", line.tolerated);
        }
        for name in line.tests {
            let found = SOURCES.iter().any(|source| source.contains(&format!("fn {name}(")));
            assert!(found, "{}: there is no test {name}", line.tolerated);
        }
    }
}
