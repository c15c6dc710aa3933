//! The rules of HTTP that no vector covers.

use std::time::{Duration, Instant};

use qos_operator::qod::{
    AccessToken, ApplicationServer, Client, CreateSession, Device, Fault, FaultClass, Generation, Reason, SessionId, Settings,
    SettingsError,
};

use super::raw_server::{RawServer, Reply, answer};

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn client(server: &RawServer, timeout: Duration) -> Client {
    let mut settings = Settings::new(Generation::V0_10, server.url("http", "/qod/v0"));
    settings.request_timeout = timeout;
    Client::new(settings).unwrap()
}

fn token() -> AccessToken {
    AccessToken::new("mock_sandbox_access_token")
}

fn request() -> CreateSession {
    CreateSession {
        device: Some(Device { phone_number: Some("+447700900123".into()), ..Device::default() }),
        application_server: ApplicationServer { ipv4_address: Some("198.51.100.10".into()), ..ApplicationServer::default() },
        device_ports: None,
        application_server_ports: None,
        qos_profile: "QOS_E".into(),
        duration_seconds: 3600,
        callback: None,
    }
}

fn id() -> SessionId {
    SessionId::new("0b7e6a52-94c1-4e0d-8a3f-5d2c7be91f04")
}

fn session() -> String {
    format!(r#"{{"sessionId":"{}","qosStatus":"AVAILABLE","duration":60}}"#, id())
}

/// hyper repeats a request by itself when the kept connection that it chose turns out to be closed, and a client cannot tell whether
/// the server read the request before it closed. A connection that was never used before is the one thing that rules it out, so this
/// counts connections, while a kept one is there to be taken and while servers close theirs after each answer.
#[tokio::test]
async fn a_request_that_changes_something_never_meets_a_used_connection_and_is_sent_once() {
    let good = answer(200, &[JSON], &session());
    let server = RawServer::start(Reply::Bytes(good.clone())).await;
    let client = client(&server, Duration::from_secs(5));
    // A read leaves a connection that is kept, and another one finds it.
    client.get_session(&token(), &id()).await.unwrap();
    client.get_session(&token(), &id()).await.unwrap();
    assert_eq!(server.connections(), 1, "reads share a connection, or this test shows nothing");
    server.take_seen();

    for round in 0..5 {
        server.reply_with(Reply::BytesThenClose(good.clone()));
        client.create_session(&token(), &request()).await.unwrap();
        client.extend_qos_session_duration(&token(), &id(), 60).await.unwrap();
        client.delete_session(&token(), &id()).await.unwrap();
        assert_eq!(server.take_seen().len(), 3, "round {round}");
        assert_eq!(server.connections(), 1 + 3 * (round + 1), "each went over a connection of its own");
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_under_a_create_is_ambiguous_and_nothing_is_sent_again() {
    let server = RawServer::start(Reply::BytesThenClose(Vec::new())).await;
    let client = client(&server, Duration::from_secs(5));
    let fault = client.create_session(&token(), &request()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Ambiguous);
    let fault = client.delete_session(&token(), &id()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Ambiguous);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((server.take_seen().len(), server.connections()), (2, 2));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let server = RawServer::start(Reply::Reset).await;
        let elsewhere = server.url("http", "/elsewhere").to_string();
        server.reply_with(Reply::Bytes(answer(status, &[("Location", &elsewhere)], "")));
        let client = client(&server, Duration::from_secs(5));
        let fault = client.create_session(&token(), &request()).await.unwrap_err();
        assert_eq!((fault.class, fault.status), (FaultClass::GatewayNotFound, Some(status)));
        let fault = client.get_session(&token(), &id()).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::GatewayNotFound);
        assert!(server.take_seen().iter().all(|seen| seen.target.starts_with("/qod/v0/sessions")), "{status}");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up_in_time() {
    let head = format!("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{}", session());
    let server = RawServer::start(Reply::BytesThenNothing(head.into_bytes())).await;
    let client = client(&server, Duration::from_millis(300));
    let begun = Instant::now();
    let created = client.create_session(&token(), &request()).await.unwrap_err();
    let read = client.get_session(&token(), &id()).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!((created.class, created.status), (FaultClass::Ambiguous, Some(201)));
    assert_eq!(read.class, FaultClass::Unavailable);
}

#[tokio::test]
async fn a_connection_that_timed_out_is_not_used_again() {
    let server = RawServer::start(Reply::BytesThenNothing(Vec::new())).await;
    let client = client(&server, Duration::from_millis(300));
    client.get_session(&token(), &id()).await.unwrap_err();
    server.reply_with(Reply::Bytes(answer(200, &[JSON], &session())));
    client.get_session(&token(), &id()).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read_to_its_end() {
    let padding = " ".repeat(1024 * 1024);
    let server = RawServer::start(Reply::BytesThenClose(answer(200, &[JSON], &format!("{}{padding}", session())))).await;
    let client = client(&server, Duration::from_secs(5));
    let class = |result: Result<_, Fault>| result.map(|_| ()).unwrap_err().class;
    assert_eq!(class(client.create_session(&token(), &request()).await), FaultClass::Ambiguous);
    assert_eq!(class(client.get_session(&token(), &id()).await), FaultClass::Unparseable);
    assert_eq!(client.delete_session(&token(), &id()).await.unwrap_err().class, FaultClass::Ambiguous);
}

#[tokio::test]
async fn a_201_that_breaks_off_may_have_created_a_session() {
    let head = format!("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{}", session());
    let server = RawServer::start(Reply::BytesThenClose(head.into_bytes())).await;
    let fault = client(&server, Duration::from_secs(5)).create_session(&token(), &request()).await.unwrap_err();
    assert_eq!((fault.class, fault.status), (FaultClass::Ambiguous, Some(201)));
}

#[tokio::test]
async fn an_error_whose_body_breaks_off_is_still_that_error() {
    let head = b"HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"code\"".to_vec();
    let server = RawServer::start(Reply::BytesThenClose(head)).await;
    let fault = client(&server, Duration::from_secs(5)).create_session(&token(), &request()).await.unwrap_err();
    assert_eq!((fault.class, fault.status, fault.code), (FaultClass::Conflict, Some(409), None));
}

#[tokio::test]
async fn a_retry_after_reaches_the_caller_whatever_the_fault() {
    let server = RawServer::start(Reply::Bytes(answer(503, &[("Retry-After", "120")], ""))).await;
    let fault = client(&server, Duration::from_secs(5)).get_session(&token(), &id()).await.unwrap_err();
    assert_eq!((fault.class, fault.retry_after), (FaultClass::Unavailable, Some(Duration::from_mins(2))));
}

#[tokio::test]
async fn a_token_that_no_header_can_hold_is_refused_and_nothing_is_sent() {
    let server = RawServer::start(Reply::Reset).await;
    let fault = client(&server, Duration::from_secs(5)).get_session(&AccessToken::new("a\nb"), &id()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Refused(Reason::Credentials));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn every_request_asks_for_json_and_says_who_asks() {
    let server = RawServer::start(Reply::Bytes(answer(200, &[JSON], &session()))).await;
    client(&server, Duration::from_secs(5)).get_session(&token(), &id()).await.unwrap();
    let seen = server.take_seen().pop().unwrap();
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert!(seen.header("user-agent").unwrap().starts_with("qos-operator/"));
    assert_eq!((seen.header("content-type"), seen.header("content-length")), (None, None));
}

#[tokio::test]
async fn a_tls_handshake_that_hangs_is_a_failure_before_anything_was_sent() {
    let server = RawServer::start(Reply::Reset).await;
    let mut settings = Settings::new(Generation::V0_10, server.url("https", "/qod/v0"));
    settings.request_timeout = Duration::from_millis(600);
    let fault = Client::new(settings).unwrap().create_session(&token(), &request()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable);
    assert_eq!((server.take_seen().len(), server.connections()), (0, 1));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_failure_before_anything_was_sent() {
    let settings = Settings::new(Generation::V0_10, "http://provider.invalid/qod/v0".parse().unwrap());
    let fault = Client::new(settings).unwrap().create_session(&token(), &request()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Unavailable);
}

#[test]
fn a_ca_bundle_is_pem_certificates_or_refused() {
    let with = |bundle: &str| {
        let mut settings = Settings::new(Generation::V0_10, "https://api.example.com/qod/v0".parse().unwrap());
        settings.ca_bundle = Some(bundle.as_bytes().to_vec());
        Client::new(settings).map(|_| ())
    };
    let good = rcgen::generate_simple_self_signed(vec!["api.example.com".to_owned()]).unwrap().cert.pem();
    assert_eq!(with(&good), Ok(()));
    for bad in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert_eq!(with(bad), Err(SettingsError::CaBundle), "{bad}");
    }
}

#[tokio::test]
async fn each_request_has_a_fresh_correlator_since_v0_11_and_none_before() {
    let server = RawServer::start(Reply::Bytes(answer(200, &[JSON], &session()))).await;
    for generation in Generation::ALL {
        let client = Client::new(Settings::new(generation, server.url("http", "/quality-on-demand/v1"))).unwrap();
        for _ in 0..2 {
            client.get_session(&token(), &id()).await.unwrap();
        }
        let seen = server.take_seen();
        let correlators: Vec<_> = seen.iter().filter_map(|seen| seen.header("x-correlator")).collect();
        if generation < Generation::V0_11 {
            assert_eq!(correlators, Vec::<&str>::new(), "{generation}");
        } else {
            assert!(correlators.iter().all(|text| text.parse::<uuid::Uuid>().is_ok()), "{correlators:?}");
            assert!(correlators.len() == 2 && correlators[0] != correlators[1], "{generation}: {correlators:?}");
        }
    }
}

#[tokio::test]
async fn all_profiles_are_asked_for_in_the_generations_own_way_and_place() {
    let server = RawServer::start(Reply::Bytes(answer(200, &[JSON], r#"[{"name":"QOS_E","status":"ACTIVE"}]"#))).await;
    for generation in Generation::ALL {
        let client = Client::new(Settings::new(generation, server.url("http", "/quality-on-demand/v1"))).unwrap();
        let answer = client.profiles(&token()).await;
        let seen = server.take_seen().pop().map(|seen| (seen.method, seen.target, String::from_utf8(seen.body).unwrap()));
        let sent = |method: &str, target: &str, body: &str| Some((method.to_owned(), target.to_owned(), body.to_owned()));
        if generation == Generation::V0_8 {
            let fault = answer.unwrap_err();
            assert_eq!(fault.to_string(), "API version v0.8 cannot express this operation: profiles appear in v0.9");
            assert_eq!(seen, None);
        } else if generation < Generation::V0_11 {
            assert_eq!(seen, sent("GET", "/quality-on-demand/v1/qos-profiles", ""));
            assert_eq!(answer.unwrap()[0].name, "QOS_E");
        } else {
            assert_eq!(seen, sent("POST", "/qos-profiles/v1/retrieve-qos-profiles", "{}"));
            assert_eq!(answer.unwrap()[0].name, "QOS_E");
        }
    }
}

#[tokio::test]
async fn what_a_generation_cannot_say_names_it_and_the_field_and_nothing_is_sent() {
    let server = RawServer::start(Reply::Reset).await;
    for generation in Generation::ALL {
        let client = Client::new(Settings::new(generation, server.url("http", "/qod/v0"))).unwrap();
        let fault = client.create_session(&token(), &CreateSession { duration_seconds: 0, ..request() }).await.unwrap_err();
        assert!(matches!(fault.class, FaultClass::NotExpressible { .. }));
        let begin = format!("API version {generation} cannot express this duration: ask for 1 to ");
        assert!(fault.to_string().starts_with(&begin), "{fault}");
        if generation <= Generation::V0_10 {
            let fault = client.create_session(&token(), &CreateSession { device: None, ..request() }).await.unwrap_err();
            assert!(fault.to_string().starts_with(&format!("API version {generation} cannot express this device")), "{fault}");
            client.retrieve_sessions(&token(), None).await.unwrap_err();
        }
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn without_a_token_there_is_no_authorization() {
    let server = RawServer::start(Reply::Bytes(answer(200, &[JSON], &session()))).await;
    client(&server, Duration::from_secs(5)).get_session(&AccessToken::none(), &id()).await.unwrap();
    assert_eq!(server.take_seen().pop().unwrap().header("authorization"), None);
}
