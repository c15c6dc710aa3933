//! What the simulator sends, as the operator's receiver reads it.

use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use qos_operator::clock::Clock;
use qos_operator::notify::{Class, Effect};
use qos_operator::qod::Generation;
use qos_operator::simulator::events::Counts;
use qos_operator::simulator::events::settings::{Authorization, EventType, Quirk, Settings as Notifications};
use qos_operator::simulator::faults::{Fault, Target, What};
use qos_operator::simulator::generation as spoken;
use qos_operator::simulator::settings::{self as simulator, RequestedOutcome, Settings};
use qos_operator::simulator::{DEFAULT_TOKEN, Simulator};
use serde_json::json;

use super::receiver::Receiver;
use super::stage::{SECRET, Stage, order};

/// The generations that the simulator speaks.
const SPOKEN: [Generation; 7] = Generation::ALL;

#[tokio::test]
async fn a_session_s_beginning_and_each_kind_of_end_are_told_once() {
    for generation in SPOKEN {
        let stage = Stage::new(generation, Settings::default()).await;
        // What a 201 that says AVAILABLE, and a DELETE, are followed by came with 0.10; 0.8 gives no reason.
        let born = usize::from(generation >= Generation::V0_10);
        let told = |end: &'static str| -> Vec<&'static str> {
            match generation {
                Generation::V0_8 => vec!["UNAVAILABLE"],
                Generation::V0_9 => vec![end],
                _ => vec!["AVAILABLE", end],
            }
        };
        let (nonce, id) = stage.create().await;
        stage.terminate(id);
        stage.says(&nonce, id, &told("UNAVAILABLE NETWORK_TERMINATED")).await;
        let (deleted, deleted_id) = stage.create().await;
        stage.receiver.wait(&deleted, born).await;
        stage.delete(deleted_id).await;
        let (expired, expired_id) = stage.create().await;
        stage.receiver.wait(&expired, born).await;
        stage.pass(600);
        stage.says(&expired, expired_id, &told("UNAVAILABLE DURATION_EXPIRED")).await;
        let end = told("UNAVAILABLE DELETE_REQUESTED");
        stage.says(&deleted, deleted_id, if born == 1 { &end } else { &[] }).await;
        for got in stage.receiver.got(&nonce) {
            let event = got.event();
            let source = event.source.as_ref().map(|source| source.expose().as_str());
            // The API's own place speaks 0.10 too, and is named first.
            let own = generation == Generation::V0_10;
            let url = format!("{}/sessions/{id}", if own { stage.simulator.url() } else { stage.base.clone() });
            assert_eq!(source, (born == 1).then_some(url.as_str()), "the session's URL");
            assert_eq!(event.time.is_none() && event.event_id.is_none(), generation == Generation::V0_8);
            assert_eq!(got.header("x-correlator").is_empty(), generation < Generation::V0_11);
        }
    }
}

#[tokio::test]
async fn nothing_is_told_of_what_the_documents_leave_out() {
    for generation in SPOKEN {
        let settings = Settings { requested_delay_seconds: 10, retention_seconds_v0_9: 360, ..Settings::default() };
        let stage = Stage::new(generation, settings).await;
        let told: &[&str] = match generation {
            Generation::V0_8 => &["UNAVAILABLE"],
            _ => &["AVAILABLE", "UNAVAILABLE NETWORK_TERMINATED"],
        };
        let (requested, requested_id) = stage.create().await;
        stage.delete(requested_id).await;
        let (nonce, id) = stage.create().await;
        stage.pass(10);
        stage.terminate(id);
        stage.says(&nonce, id, told).await;
        if generation > Generation::V0_8 {
            // 0.8 keeps no session that has ended.
            stage.delete(id).await;
        }
        let (kept, kept_id) = stage.create().await;
        stage.pass(10);
        stage.terminate(kept_id);
        stage.pass(361);
        stage.says(&kept, kept_id, told).await;
        assert_eq!(stage.receiver.got(&nonce).len(), told.len(), "a DELETE of an UNAVAILABLE session");
        assert!(stage.receiver.got(&requested).is_empty(), "a DELETE of a REQUESTED session");
    }
}

#[tokio::test]
async fn a_requested_session_is_told_when_the_network_grants_it_or_does_not() {
    let settings = Settings { requested_delay_seconds: 10, ..Settings::default() };
    for (outcome, told) in
        [(RequestedOutcome::Available, "AVAILABLE"), (RequestedOutcome::Unavailable, "UNAVAILABLE NETWORK_TERMINATED")]
    {
        let stage = Stage::new(Generation::V0_10, Settings { requested_outcome: outcome, ..settings.clone() }).await;
        let (nonce, id) = stage.create().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(stage.receiver.got(&nonce).is_empty(), "it is REQUESTED");
        stage.pass(10);
        stage.says(&nonce, id, &[told]).await;
    }
}

#[tokio::test]
async fn a_change_that_only_time_brings_is_told_without_anyone_asking() {
    let clock = Clock::scaled(1000.0);
    let receiver = Receiver::start().await;
    let simulator = Simulator::builder(clock).start().await.unwrap();
    let url = receiver.expect("n", Generation::V0_10, Some(SECRET));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/sessions", simulator.url())).bearer_auth(DEFAULT_TOKEN);
    let answer = request.json(&order(Generation::V0_10, "+447700900112", &url)).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let got = receiver.wait("n", 2).await;
    assert_eq!(got[1].says(), "UNAVAILABLE DURATION_EXPIRED");
}

#[tokio::test]
async fn a_session_whose_answer_was_lost_is_named_by_its_event() {
    let stage = Stage::new(Generation::V0_10, Settings::default()).await;
    stage.admin.add_fault(Fault::once(Target::Create, What::DropAfter)).unwrap();
    let url = stage.receiver.expect("lost", Generation::V0_10, Some(SECRET));
    assert_eq!(stage.create_with(&url).await, None);
    let got = stage.receiver.wait("lost", 1).await;
    assert!(matches!(got[0].class.as_ref().unwrap(), Class::Accepted { binds: true, event }
        if event.session_id.as_str() == stage.admin.sessions()[0].id.to_string()));
}

#[tokio::test]
async fn the_setting_beforeanswer_lets_the_event_overtake_the_201() {
    let before = Notifications { quirks: [Quirk::BeforeAnswer].into(), ..Notifications::default() };
    let stage = Stage::notifications(Generation::V0_10, before).await;
    let (nonce, _) = stage.create().await;
    assert_eq!(stage.receiver.got(&nonce).len(), 1, "it is there when the 201 is");
}

#[tokio::test]
async fn lost_events_are_counted_and_do_not_come() {
    let stage = Stage::notifications(Generation::V0_10, Notifications { lose_next: 1, ..Notifications::default() }).await;
    let (nonce, id) = stage.create().await;
    stage.terminate(id);
    stage.says(&nonce, id, &["UNAVAILABLE NETWORK_TERMINATED"]).await;
    let counts = stage.counts(|counts| counts.accepted == 1).await;
    assert_eq!(counts, Counts { sent: 1, accepted: 1, lost: 1, ..Counts::default() });
    let all = Notifications { lose_rate: 1.0, ..Notifications::default() };
    stage.admin.change(|settings| settings.notifications = all).await.unwrap();
    stage.create().await;
    stage.counts(|counts| counts.lost == 2).await;
}

#[tokio::test]
async fn doubled_events_are_duplicates_and_reordered_ones_stale_to_the_receiver() {
    let both = Notifications { quirks: [Quirk::Duplicate, Quirk::Reorder].into(), ..Notifications::default() };
    let stage = Stage::notifications(Generation::V0_10, both).await;
    let (nonce, id) = stage.create().await;
    stage.terminate(id);
    let got = stage.receiver.wait(&nonce, 4).await;
    let effects: Vec<_> = got.iter().map(|got| (got.says(), got.effect.unwrap())).collect();
    let end = "UNAVAILABLE NETWORK_TERMINATED".to_owned();
    let expected = [
        (end.clone(), Effect::New),
        (end, Effect::Duplicate),
        ("AVAILABLE".to_owned(), Effect::Stale),
        ("AVAILABLE".to_owned(), Effect::Duplicate),
    ];
    assert_eq!(effects, expected);
}

#[tokio::test]
async fn a_delayed_event_waits_for_the_simulators_clock() {
    let delay = Notifications { delay_seconds: 60, ..Notifications::default() };
    let stage = Stage::notifications(Generation::V0_10, delay).await;
    let (nonce, _) = stage.create().await;
    stage.pass(59);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(stage.receiver.got(&nonce).is_empty());
    stage.pass(1);
    stage.receiver.wait(&nonce, 1).await;
}

#[tokio::test]
async fn each_secret_is_answered_as_the_receiver_answers_to_it() {
    for (authorization, status) in [
        (Authorization::Token, 204),
        (Authorization::BearerTwice, 204),
        (Authorization::None, 401),
        (Authorization::Foreign, 401),
    ] {
        for generation in SPOKEN {
            let stage = Stage::notifications(generation, Notifications { authorization, ..Notifications::default() }).await;
            let (nonce, id) = stage.create().await;
            stage.terminate(id);
            let expected = if generation >= Generation::V0_10 { 2 } else { 1 };
            let got = stage.receiver.wait(&nonce, expected).await;
            assert!(got.iter().all(|got| got.status == status), "{generation:?} {authorization:?}");
            let counts = stage.counts(|counts| counts.accepted + counts.refused == counts.sent && counts.sent > 0).await;
            assert_eq!(counts.refused > 0, status != 204, "any answer but 204 is refused");
        }
    }
}

#[tokio::test]
async fn the_forms_that_are_off_the_documents_are_read_too() {
    let odd = Notifications {
        event_type: EventType::TestDefinitions,
        quirks: [Quirk::PlainContentType, Quirk::Flat, Quirk::Bare].into(),
        ..Notifications::default()
    };
    for generation in SPOKEN {
        let stage = Stage::notifications(generation, odd.clone()).await;
        let (nonce, id) = stage.create().await;
        stage.terminate(id);
        let expected = if generation >= Generation::V0_10 { 2 } else { 1 };
        for got in stage.receiver.wait(&nonce, expected).await {
            assert_eq!(got.event().session_id.as_str(), id.to_string());
            assert_eq!(got.header("content-type"), "application/json");
        }
    }
}

#[tokio::test]
async fn a_410_ends_the_events_of_its_url_and_another_refusal_does_not_and_nothing_is_sent_again() {
    let stage = Stage::new(Generation::V0_10, Settings::default()).await;
    stage.receiver.refuse(401);
    let (refused, id) = stage.create().await;
    stage.receiver.wait(&refused, 1).await;
    stage.terminate(id);
    stage.receiver.wait(&refused, 2).await;
    stage.receiver.refuse(410);
    let (gone, id) = stage.create().await;
    stage.counts(|counts| counts.refused == 3).await;
    stage.terminate(id);
    let counts = stage.counts(|counts| counts.withheld == 1).await;
    assert_eq!(counts, Counts { sent: 3, refused: 3, withheld: 1, ..Counts::default() });
    assert_eq!((stage.receiver.got(&gone).len(), stage.receiver.got(&refused).len()), (1, 2));
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_counted_and_a_reset_begins_anew() {
    let stage = Stage::new(Generation::V0_10, Settings::default()).await;
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    stage.create_with(&format!("http://{unused}/n")).await.unwrap();
    let counts = stage.counts(|counts| counts.unanswered == 1).await;
    assert_eq!(counts, Counts { sent: 1, unanswered: 1, ..Counts::default() });
    stage.admin.reset().await;
    assert_eq!(stage.admin.notifications(), Counts::default());
    assert!(stage.simulator.url().starts_with("http://127.0.0.1:"));
}

#[tokio::test]
async fn an_https_receiver_is_told_only_if_its_certificate_is_trusted() {
    for trusted in [true, false] {
        let (receiver, ca) = Receiver::start_with_tls().await;
        let stage = Stage::with(Generation::V0_10, Settings::default(), receiver, trusted.then_some(ca)).await;
        let url = stage.receiver.expect("n", Generation::V0_10, Some(SECRET)).replace("http://", "https://");
        stage.create_with(&url).await.unwrap();
        let counts = stage.counts(|counts| counts.accepted + counts.unanswered == 1).await;
        assert_eq!((counts.accepted == 1, stage.receiver.delivered("n") == 1), (trusted, trusted));
    }
}

#[tokio::test]
async fn certificates_that_are_none_are_refused_at_the_start() {
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = Simulator::builder(Clock::system()).notification_ca(pem).start().await.unwrap_err();
        assert!(matches!(error, qos_operator::simulator::Error::NotificationCa), "{pem:?}: {error}");
    }
}

#[tokio::test]
async fn the_forms_of_telefonica_are_read_too() {
    use spoken::{Dialect, Generation as Spoken};
    for (generation, dialect) in [
        (Generation::V0_8, Dialect::telefonica(Spoken::V0_8)),
        (Generation::V0_10, Dialect::telefonica(Spoken::V0_10)),
        (Generation::V1_1, Dialect::telefonica(Spoken::V1_1)),
    ] {
        let mut stage = Stage::new(generation, Settings::default()).await;
        stage.base = stage.simulator.url_in(dialect);
        let nonce = "n";
        let url = stage.receiver.expect(nonce, generation, Some(SECRET));
        // Its 1.1 has the callback of 0.10.
        let form = if generation == Generation::V1_1 { Generation::V0_10 } else { generation };
        let id = stage.create_in(form, &url).await.unwrap();
        stage.terminate(id);
        let got = stage.receiver.wait(nonce, if generation == Generation::V0_8 { 1 } else { 2 }).await;
        assert!(got.iter().all(|got| got.event().session_id.as_str() == id.to_string()));
        if generation == Generation::V1_1 {
            assert_eq!(got[0].body["type"], "org.camaraproject.qod.v0.qos-status-changed");
        }
    }
}

#[tokio::test]
async fn a_token_that_has_expired_ends_the_events_from_1_0_on() {
    for generation in [Generation::V0_11, Generation::V1_0, Generation::V1_1, Generation::V1_2] {
        let stage = Stage::new(generation, Settings::default()).await;
        let url = stage.receiver.expect("n", generation, Some(SECRET));
        let mut body = order(generation, "+447700900112", &url);
        let soon = stage.admin.now().checked_add(SignedDuration::from_secs(100)).unwrap();
        body["sinkCredential"]["accessTokenExpiresUtc"] = json!(soon.to_string());
        let id = stage.post(&body).await.unwrap();
        stage.receiver.wait("n", 1).await;
        stage.pass(101);
        stage.terminate(id);
        if generation == Generation::V0_11 {
            stage.receiver.wait("n", 2).await;
        } else {
            let counts = stage.counts(|counts| counts.withheld == 1).await;
            assert_eq!((counts.sent, stage.receiver.got("n").len()), (1, 1), "{generation:?}");
        }
    }
}

#[tokio::test]
async fn a_creation_that_the_network_refuses_at_once_and_a_late_event_are_told_as_set() {
    let stage = Stage::new(Generation::V1_2, Settings { unavailable_at_once: true, ..Settings::default() }).await;
    let (nonce, id) = stage.create().await;
    stage.says(&nonce, id, &["UNAVAILABLE NETWORK_TERMINATED"]).await;
    let stage = Stage::new(Generation::V1_1, Settings::default()).await;
    let quirks = [simulator::Quirk::HttpSinks, simulator::Quirk::LateTerminationEvent].into();
    stage.admin.change(|settings| settings.quirks = quirks).await.unwrap();
    let (nonce, id) = stage.create().await;
    stage.receiver.wait(&nonce, 1).await;
    stage.terminate(id);
    stage.pass(359);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stage.receiver.got(&nonce).len(), 1, "not before the retention ends");
    stage.pass(1);
    stage.says(&nonce, id, &["AVAILABLE", "UNAVAILABLE NETWORK_TERMINATED"]).await;
}
