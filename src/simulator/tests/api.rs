//! What the API answers, by the official documents.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::settings::{Flavour, Mode, Operation, Profile, ProfileBodies, ProfileStatus, RequestedOutcome, Settings};
use super::{PHONE, Stage, code, id_of, order, order_with, told};

#[tokio::test]
async fn a_session_is_told_as_the_document_says_from_creation_to_deletion() {
    let stage = Stage::new(Settings { requested_delay_seconds: 2, ..Settings::default() }).await;
    let (status, info) = stage.create(order(PHONE)).await;
    assert_eq!((status, &info["qosStatus"]), (201, &json!("REQUESTED")));
    assert_eq!(info["device"], json!({"phoneNumber": PHONE}));
    assert_eq!(info["applicationServer"], json!({"ipv4Address": "198.51.100.10"}));
    assert_eq!((&info["qosProfile"], &info["duration"]), (&json!("QOS_E"), &json!(600)));
    let (started, expires) = (info["startedAt"].as_i64().unwrap(), info["expiresAt"].as_i64().unwrap());
    assert_eq!(expires - started, 600);
    assert!((stage.admin.now().as_second() - started).abs() <= 5);
    let id = id_of(&info);
    stage.pass(2);
    let (status, later) = stage.get(id).await;
    assert_eq!((status, &later["qosStatus"], &later["expiresAt"]), (200, &json!("AVAILABLE"), &json!(expires)));
    let (status, extended) = stage.extend(id, 60).await;
    assert_eq!((status, &extended["duration"], &extended["expiresAt"]), (200, &json!(660), &json!(expires + 60)));
    assert_eq!(stage.delete(id).await, (204, Value::Null));
    assert_eq!(code(&stage.get(id).await), (404, "NOT_FOUND"));
    assert_eq!(code(&stage.delete(id).await), (404, "NOT_FOUND"));
    assert_eq!(code(&stage.extend(id, 60).await), (404, "NOT_FOUND"));
    assert!(stage.admin.ledger_at_end().clean());
}

#[tokio::test]
async fn each_wrong_body_is_refused_with_the_code_of_its_fault() {
    let bad = "INVALID_ARGUMENT";
    let port = "OUT_OF_RANGE";
    let device = |device: Value| json!({"device": device});
    let ipv4 = |ipv4: Value| json!({"device": {"ipv4Address": ipv4}});
    let rows = [
        (json!({"device": null}), bad),
        (device(json!({})), bad),
        (device(json!({"imei": "1"})), bad),
        (device(json!({"phoneNumber": "12ab5678"})), bad),
        (device(json!({"phoneNumber": "1234"})), bad),
        (device(json!({"phoneNumber": 447_700_900_112_i64})), bad),
        (device(json!({"phoneNumber": PHONE, "ipv6Address": null})), bad),
        (device(json!({"ipv6Address": "2001:db8::/64"})), bad),
        (ipv4(json!({"publicAddress": "203.0.113.7"})), bad),
        (ipv4(json!({"publicPort": 80})), bad),
        (ipv4(json!({"publicAddress": "203.0.113.0/24", "publicPort": 80})), bad),
        (ipv4(json!({"publicAddress": "203.0.113.7", "publicPort": 65536})), port),
        (json!({"applicationServer": null}), bad),
        (json!({"applicationServer": {}}), bad),
        (json!({"applicationServer": {"ipv4Address": "198.51.100.10/33"}}), bad),
        (json!({"applicationServer": {"ipv4Address": "example.com"}}), bad),
        (json!({"qosProfile": null}), bad),
        (json!({"qosProfile": "Q?"}), bad),
        (json!({"qosProfile": "QOS_X"}), bad),
        (json!({"devicePorts": {}}), bad),
        (json!({"devicePorts": {"ports": []}}), bad),
        (json!({"devicePorts": {"ports": ["80"]}}), bad),
        (json!({"devicePorts": {"ranges": [{"from": 1}]}}), bad),
        (json!({"devicePorts": {"ports": [65536]}}), port),
        (json!({"devicePorts": {"ports": [-1]}}), port),
        (json!({"applicationServerPorts": {"ranges": [{"from": 20, "to": 10}]}}), port),
        (json!({"applicationServerPorts": {"ports": [65536]}, "qosProfile": null}), bad),
        (json!({"duration": 0}), bad),
        (json!({"duration": 86401}), bad),
        (json!({"duration": "600"}), bad),
        (json!({"duration": 1.5}), bad),
        (json!({"webhook": {}}), bad),
        (json!({"webhook": {"notificationUrl": "no url"}}), bad),
        (json!({"webhook": {"notificationUrl": "https://client.example.com", "notificationAuthToken": "short"}}), bad),
    ];
    let stage = Stage::of(Flavour::Telefonica).await;
    for (change, expected) in rows {
        let told = stage.create(order_with(change.clone())).await;
        assert_eq!(code(&told), (400, expected), "{change}");
        assert!(told.1.get("status").is_none(), "Telefónica's errors have no status: {}", told.1);
        assert!(!told.1["message"].as_str().unwrap().contains("44"), "the message names no value: {}", told.1);
    }
    let not_json =
        told(stage.call(Method::POST, "/sessions").header("Content-Type", "application/json").body("{")).await.unwrap();
    assert_eq!(code(&not_json), (400, bad));
    let no_type = told(stage.call(Method::POST, "/sessions").body(order(PHONE).to_string())).await.unwrap();
    assert_eq!(code(&no_type), (400, bad));
    assert_eq!(stage.admin.ledger().created, 0);
}

#[tokio::test]
async fn everything_that_the_schema_allows_is_accepted() {
    let stage = Stage::of(Flavour::Camara).await;
    let bodies = [
        json!({"duration": null}),
        json!({"duration": 86400, "device": {"phoneNumber": "447700900113"}}),
        json!({"device": {"networkAccessIdentifier": "123456789@example.com"}, "extra": {"unknown": true}}),
        json!({"device": {"ipv4Address": {"publicAddress": "203.0.113.7", "publicPort": 0}}}),
        json!({"device": {"ipv4Address": {"publicAddress": "203.0.113.7", "privateAddress": "192.0.2.7"}}}),
        json!({"device": {"ipv6Address": "2001:db8:0:9::1"}, "applicationServer": {"ipv6Address": "2001:db8:1::/64"}}),
        json!({"device": {"phoneNumber": "+447700900114"}, "applicationServer": {"ipv4Address": "198.51.100.10/24", "ipv6Address": "2001:db8::1"},
            "devicePorts": {"ports": [0, 65535]}, "applicationServerPorts": {"ranges": [{"from": 1, "to": 1}]}}),
    ];
    for change in bodies {
        let (status, info) = stage.create(order_with(change.clone())).await;
        assert_eq!(status, 201, "{change}: {info}");
    }
    assert_eq!(stage.admin.sessions()[0].duration, 86_400, "an absent duration means a day");
}

#[tokio::test]
async fn the_callbacks_token_is_not_repeated() {
    let stage = Stage::of(Flavour::Telefonica).await;
    let webhook =
        json!({"notificationUrl": "https://client.example.com/n/1", "notificationAuthToken": "c8974e592c2fa383d4a3960714"});
    let (status, info) = stage.create(order_with(json!({"webhook": webhook}))).await;
    assert_eq!((status, &info["webhook"]), (201, &json!({"notificationUrl": "https://client.example.com/n/1"})));
}

#[tokio::test]
async fn each_flavour_has_its_own_codes_and_bodies() {
    let missing = Uuid::nil();
    for (flavour, no_token, bad_id, foreign, out) in [
        (Flavour::Telefonica, "UNAUTHORIZED", "INVALID_INPUT", "FORBIDDEN", "SERVICE_UNAVAILABLE"),
        (Flavour::Camara, "UNAUTHENTICATED", "INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAVAILABLE"),
    ] {
        let mut stage = Stage::of(flavour).await;
        let id = stage.session(order(PHONE)).await;
        let conflict = stage.create(order(PHONE)).await;
        assert_eq!(code(&conflict), (409, "CONFLICT"));
        assert_eq!(conflict.1.get("status").is_some(), flavour == Flavour::Camara);
        let path = "/sessions/not-a-uuid";
        assert_eq!(code(&told(stage.call(Method::GET, path)).await.unwrap()), (400, bad_id));
        assert_eq!(code(&told(stage.call(Method::DELETE, path)).await.unwrap()), (400, bad_id));
        let simple = format!("/sessions/{}", missing.simple());
        assert_eq!(code(&told(stage.call(Method::GET, &simple)).await.unwrap()), (400, bad_id), "a UUID without hyphens");
        assert_eq!(code(&stage.extend(id, 0).await), (400, "INVALID_ARGUMENT"));
        assert_eq!(code(&stage.extend(id, 86_400).await), (400, "INVALID_ARGUMENT"));
        stage.admin.accept_token("other-token", "other");
        stage.token = "other-token";
        assert_eq!(code(&stage.get(id).await), (403, foreign));
        assert_eq!(code(&stage.delete(id).await), (403, foreign));
        assert_eq!(code(&stage.create(order(PHONE)).await), (409, "CONFLICT"), "another client's session conflicts too");
        stage.admin.change(|settings| settings.foreign_session_status = 404).await.unwrap();
        assert_eq!(code(&stage.get(id).await), (404, "NOT_FOUND"));
        stage.token = "unknown-token";
        assert_eq!(code(&stage.get(id).await), (401, no_token));
        assert_eq!(code(&stage.create(order(PHONE)).await), (401, no_token));
        stage.admin.change(|settings| settings.outage = super::super::Outage::Unavailable).await.unwrap();
        assert_eq!(code(&stage.get(id).await), (503, out));
    }
}

#[tokio::test]
async fn a_terminated_session_is_unavailable_blocks_and_cannot_be_extended_until_it_is_deleted() {
    let stage = Stage::of(Flavour::Camara).await;
    let id = stage.session(order(PHONE)).await;
    assert_eq!(stage.admin.terminate(&super::super::Selection::id(id)), 1);
    let (status, info) = stage.get(id).await;
    assert_eq!((status, &info["qosStatus"]), (200, &json!("UNAVAILABLE")));
    assert!(info.get("statusInfo").is_none(), "0.10 has it in events only");
    let inactive = stage.extend(id, 60).await;
    assert_eq!(code(&inactive), (400, "INVALID_ARGUMENT"));
    assert_eq!(inactive.1["message"], json!("The target session is inactive"));
    assert_eq!(code(&stage.create(order(PHONE)).await), (409, "CONFLICT"));
    assert_eq!(stage.delete(id).await.0, 204);
    stage.session(order(PHONE)).await;
}

#[tokio::test]
async fn the_network_can_fail_to_grant_a_session() {
    let settings = Settings {
        requested_delay_seconds: 2,
        requested_outcome: RequestedOutcome::Unavailable,
        retention_seconds: 10,
        ..Settings::default()
    };
    let stage = Stage::new(settings).await;
    let id = stage.session(order(PHONE)).await;
    stage.pass(2);
    assert_eq!(stage.get(id).await.1["qosStatus"], json!("UNAVAILABLE"));
    stage.pass(10);
    assert_eq!(code(&stage.get(id).await), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn profiles_are_names_in_telefonicas_document_and_objects_in_camaras() {
    let limited = Profile {
        name: "TI_B2C".to_owned(),
        status: ProfileStatus::Active,
        min_duration_seconds: Some(60),
        max_duration_seconds: Some(86_400),
    };
    let inactive = Profile { name: "OLD".to_owned(), status: ProfileStatus::Inactive, ..limited.clone() };
    let settings = Settings { profiles: vec![limited, inactive], ..Settings::default() };
    let stage = Stage::new(settings).await;
    let list = |query: &'static str| told(stage.call(Method::GET, &format!("/qos-profiles{query}")));
    assert_eq!(list("").await.unwrap(), (200, json!(["TI_B2C", "OLD"])));
    assert_eq!(list("/TI_B2C").await.unwrap(), (200, json!("TI_B2C")));
    stage.admin.change(|settings| settings.profile_bodies = ProfileBodies::Objects).await.unwrap();
    let object = json!({"name": "TI_B2C", "status": "ACTIVE", "minDuration": {"value": 1, "unit": "Minutes"}, "maxDuration": {"value": 1, "unit": "Days"}});
    assert_eq!(list("?status=ACTIVE").await.unwrap(), (200, json!([object])));
    assert_eq!(list("?name=TI_B2C").await.unwrap(), (200, json!([object])));
    stage
        .admin
        .change(|settings| (settings.profile_bodies, settings.flavour) = (ProfileBodies::Documented, Flavour::Camara))
        .await
        .unwrap();
    assert_eq!(list("/TI_B2C").await.unwrap(), (200, object));
    assert_eq!(code(&list("?name=NONE").await.unwrap()), (404, "NOT_FOUND"));
    assert_eq!(code(&list("/NONE").await.unwrap()), (404, "NOT_FOUND"));
    assert_eq!(code(&list("/Q").await.unwrap()), (400, "INVALID_ARGUMENT"));
    let create = |profile: &str, duration: i64| stage.create(order_with(json!({"qosProfile": profile, "duration": duration})));
    assert_eq!(code(&create("TI_B2C", 59).await), (400, "OUT_OF_RANGE"));
    assert_eq!(code(&create("OLD", 60).await), (400, "INVALID_ARGUMENT"));
    assert_eq!(create("TI_B2C", 60).await.0, 201);
}

#[tokio::test]
async fn any_other_path_is_a_gateways_404_without_a_code_and_any_other_method_405() {
    let stage = Stage::of(Flavour::Telefonica).await;
    let base = format!("http://{}", stage.simulator.address());
    for (method, url, status) in [
        (Method::GET, format!("{base}/apigateway/ogw/qod/v0/sessions/{}", Uuid::nil()), 404),
        (Method::POST, format!("{base}/apigateway/qod/v0/retrieve-sessions"), 404),
        (Method::GET, format!("{base}/"), 404),
        (Method::PUT, format!("{base}/apigateway/qod/v0/sessions"), 405),
        (Method::POST, format!("{base}/apigateway/qod/v0/qos-profiles"), 405),
    ] {
        let response = stage.http.request(method.clone(), &url).bearer_auth(stage.token).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {url}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        assert!(!response.text().await.unwrap().contains("code"));
    }
    assert_eq!(stage.admin.calls(Operation::Unknown), 5);
}

#[tokio::test]
async fn the_mock_keeps_no_state_and_takes_an_identifier_ending_in_9_for_a_conflict() {
    let stage = Stage::new(Settings { mode: Mode::Mock, ..Settings::default() }).await;
    for device in [
        json!({"phoneNumber": "+346666666669"}),
        json!({"networkAccessIdentifier": "user@example.com9"}),
        json!({"ipv4Address": {"publicAddress": "203.0.113.9", "publicPort": 80}}),
        json!({"ipv6Address": "2001:db8::9"}),
    ] {
        let told = stage.create(order_with(json!({"device": device}))).await;
        assert_eq!(told, (409, json!({"code": "CONFLICT", "message": "Another session is created for the same UE"})), "{device}");
    }
    assert_eq!(code(&stage.create(order_with(json!({"duration": 0}))).await), (400, "INVALID_ARGUMENT"));
    let (status, info) = stage.create(order_with(json!({"qosProfile": "TI_B2C"}))).await;
    assert_eq!((status, info["messages"].is_array(), &info["qosProfile"]), (201, true, &json!("TI_B2C")));
    assert_eq!(stage.create(order(PHONE)).await.0, 201, "the same flow again");
    let never = Uuid::new_v4();
    let (status, some) = stage.get(never).await;
    assert_eq!((status, id_of(&some)), (200, never));
    assert_ne!(some["device"], json!({"phoneNumber": PHONE}), "some session's fields, not ours");
    assert_eq!(stage.extend(never, 60).await.0, 200);
    assert_eq!(stage.delete(never).await.0, 204);
    let bare = stage.http.get(format!("{}/sessions/{never}", stage.simulator.url()));
    assert_eq!(code(&told(bare).await.unwrap()), (401, "UNAUTHORIZED"));
}

#[tokio::test]
async fn identifiers_of_different_subscribers_and_unknown_devices_are_refused_where_subscribers_are_known() {
    let settings = Settings::default()
        .merged(json!({"knownDevicesOnly": true, "subscribers": [
            {"phoneNumber": PHONE, "ipv6Address": "2001:db8:0:1::1"}, {"phoneNumber": "+447700900113"}]}))
        .unwrap();
    let stage = Stage::new(settings).await;
    let device = |device: Value| stage.create(order_with(json!({"device": device})));
    assert_eq!(code(&device(json!({"phoneNumber": "+447700900114"})).await), (400, "INVALID_ARGUMENT"));
    let two = json!({"phoneNumber": "+447700900113", "ipv6Address": "2001:db8:0:1::1"});
    assert_eq!(code(&device(two).await), (400, "INVALID_ARGUMENT"));
    assert_eq!(device(json!({"phoneNumber": PHONE})).await.0, 201);
    assert_eq!(code(&device(json!({"ipv6Address": "2001:db8:0:1::2"})).await), (409, "CONFLICT"));
}

#[tokio::test]
async fn settings_make_the_answers_of_odd_providers() {
    let stage = Stage::of(Flavour::Telefonica).await;
    stage.admin.change(|settings| (settings.granted_seconds, settings.clock_skew_seconds) = (Some(1200), 90)).await.unwrap();
    let (_, info) = stage.create(order_with(json!({"duration": 7200}))).await;
    assert_eq!(info["duration"], json!(1200), "less is granted than asked");
    let ahead = info["startedAt"].as_i64().unwrap() - stage.admin.now().as_second();
    assert!((85..=90).contains(&ahead), "the provider's clock is ahead by {ahead} s");
    let id = id_of(&info);
    stage.admin.change(|settings| settings.extend = super::super::settings::Extend::NoGain).await.unwrap();
    let (status, extended) = stage.extend(id, 600).await;
    assert_eq!((status, &extended["expiresAt"]), (200, &info["expiresAt"]), "an extend that gains nothing");
    stage.admin.change(|settings| settings.any_id_found = true).await.unwrap();
    let (status, some) = stage.get(Uuid::nil()).await;
    assert_eq!((status, id_of(&some)), (200, Uuid::nil()), "any id is found");
    stage.admin.change(|settings| settings.operations_off = [(Operation::Extend, 405)].into()).await.unwrap();
    assert_eq!(stage.extend(id, 600).await, (405, Value::Null), "an operation that is not offered");
    stage.admin.change(|settings| settings.gateway_not_found = true).await.unwrap();
    assert_eq!(stage.get(id).await, (404, Value::Null), "the gateway knows no path");
}
