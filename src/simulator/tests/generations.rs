//! What each generation does in its own way, over HTTP, and what all of them share.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::device::{Device, Identifier, Kind};
use super::super::generation::{Dialect, Generation};
use super::super::settings::{Flavour, Mode, Overlap, Profile, ProfileStatus, Settings};
use super::super::tokens::Grant;
use super::{PHONE, Stage, Told, code, told};

/// A body in the form of `dialect`, for that phone.
fn body(dialect: Dialect, phone: &str) -> Value {
    let server = json!({"ipv4Address": "198.51.100.10"});
    if dialect.generation == Generation::V0_8 {
        return json!({"ueId": {"msisdn": phone}, "asId": {"ipv4addr": "198.51.100.10"}, "qos": "QOS_E", "duration": 600});
    }
    json!({"device": {"phoneNumber": phone}, "applicationServer": server, "qosProfile": "QOS_E", "duration": 600})
}

/// `body` with these fields in the place of its own; null removes one.
fn changed(mut body: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

impl Stage {
    /// Calls the sessions' API of `dialect`.
    async fn at(&self, dialect: Dialect, method: Method, path: &str, body: Option<&Value>) -> Told {
        let url = format!("{}{path}", self.simulator.url_in(dialect));
        let request = self.http.request(method, url).bearer_auth(self.token);
        told(if let Some(body) = body { request.json(body) } else { request }).await.unwrap()
    }

    async fn order_at(&self, dialect: Dialect, changes: Value) -> Told {
        self.at(dialect, Method::POST, "/sessions", Some(&changed(body(dialect, PHONE), &changes))).await
    }

    async fn list_at(&self, dialect: Dialect, lookup: Value) -> Told {
        self.at(dialect, Method::POST, "/retrieve-sessions", Some(&lookup)).await
    }

    /// From here on the calls are made with a token that stands for this.
    fn become_(&mut self, token: &'static str, grant: Grant) {
        self.admin.accept_grant(token, grant);
        self.token = token;
    }
}

fn id_in(told: &Told) -> &str {
    told.1.get("sessionId").or_else(|| told.1.get("id")).and_then(Value::as_str).unwrap_or_else(|| panic!("{told:?}"))
}

fn of_device(phone: &str) -> Grant {
    Grant { subject: Some(Device::new([Identifier::phone(phone)])), ..Grant::of("sandbox") }
}

const V1_0: Dialect = Dialect::camara(Generation::V1_0);
const V1_1: Dialect = Dialect::camara(Generation::V1_1);
const V1_2: Dialect = Dialect::camara(Generation::V1_2);
const V0_11: Dialect = Dialect::camara(Generation::V0_11);
const V0_10: Dialect = Dialect::camara(Generation::V0_10);

#[tokio::test]
async fn all_generations_live_side_by_side_in_one_ledger() {
    let stage = Stage::new(Settings::default()).await;
    for (index, dialect) in Dialect::all().enumerate() {
        let phone = format!("+44770090020{index}");
        let created = stage.at(dialect, Method::POST, "/sessions", Some(&body(dialect, &phone))).await;
        assert_eq!(created.0, 201, "{dialect:?} {}", created.1);
        let path = format!("/sessions/{}", id_in(&created));
        assert_eq!(stage.at(dialect, Method::GET, &path, None).await, (200, created.1.clone()), "{dialect:?}");
        let (early, rfc3339) = (dialect.generation < Generation::V0_10, dialect.generation >= Generation::V0_11);
        assert_eq!(created.1["startedAt"].is_string(), rfc3339, "{dialect:?}");
        let more = json!({"requestedAdditionalDuration": 60});
        let (status, extended) = stage.at(dialect, Method::POST, &format!("{path}/extend"), Some(&more)).await;
        assert_eq!(status, if early { 404 } else { 200 }, "{dialect:?}");
        assert!(early || extended["duration"] == json!(660), "{dialect:?} {extended}");
        assert_eq!(stage.at(dialect, Method::DELETE, &path, None).await, (204, Value::Null));
    }
    let ledger = stage.admin.ledger_at_end();
    assert_eq!((ledger.created, ledger.released, ledger.clean()), (10, 10, true));
}

#[tokio::test]
async fn flows_conflict_across_generations_and_a_session_is_found_only_through_its_own() {
    let stage = Stage::new(Settings::default()).await;
    let created = stage.order_at(V1_1, json!({})).await;
    let path = format!("/sessions/{}", id_in(&created));
    for dialect in Dialect::all() {
        let conflict = stage.order_at(dialect, json!({})).await;
        assert_eq!(code(&conflict), (409, "CONFLICT"), "{dialect:?}");
        let found = stage.at(dialect, Method::GET, &path, None).await.0;
        assert_eq!(found, if dialect.generation == Generation::V1_1 { 200 } else { 404 }, "{dialect:?}");
    }
}

#[tokio::test]
async fn the_settings_say_what_the_own_base_path_speaks_and_which_one_it_is() {
    for (generation, flavour, sessions, profiles) in [
        (Generation::V0_10, Flavour::Telefonica, "/apigateway/qod/v0", "/apigateway/qod/v0"),
        (Generation::V0_9, Flavour::Camara, "/qod/v0", "/qod/v0"),
        (Generation::V0_11, Flavour::Camara, "/quality-on-demand/v0.11", "/qos-profiles/v0.11"),
        (Generation::V1_0, Flavour::Camara, "/quality-on-demand/v1", "/qos-profiles/v1"),
        (Generation::V1_1, Flavour::Telefonica, "/apigateway/quality-on-demand/v1", "/apigateway/qos-profiles/v1"),
        (Generation::V1_2, Flavour::Camara, "/quality-on-demand/v1rc3", "/qos-profiles/v1rc3"),
    ] {
        let stage = Stage::new(Settings { generation, flavour, ..Settings::default() }).await;
        let base = format!("http://{}", stage.simulator.address());
        assert_eq!(stage.simulator.url(), format!("{base}{sessions}"));
        assert_eq!(stage.simulator.profiles_url(), format!("{base}{profiles}"));
        let order = body(Dialect { generation, flavour }, PHONE);
        let created = stage.create(order).await;
        assert_eq!(created.0, 201, "{generation} {}", created.1);
        let profile = stage.http.get(format!("{}/qos-profiles/QOS_E", stage.simulator.profiles_url())).bearer_auth(stage.token);
        assert_eq!(told(profile).await.unwrap().0, 200, "{generation}");
    }
}

#[tokio::test]
async fn in_0_11_request_and_token_may_both_name_the_device_if_they_agree() {
    let mut stage = Stage::new(Settings::default()).await;
    stage.become_("three-legged", of_device(PHONE));
    let both = stage.order_at(V0_11, json!({})).await;
    assert_eq!((both.0, &both.1["device"]), (201, &json!({"phoneNumber": PHONE})));
    let by_token = stage.order_at(V0_11, json!({"device": null, "applicationServer": {"ipv4Address": "192.0.2.1"}})).await;
    assert_eq!((by_token.0, by_token.1.get("device")), (201, None));
    assert_eq!(stage.list_at(V0_11, json!({})).await.1.as_array().unwrap().len(), 2, "both are one device");
    let other = stage.order_at(V0_11, json!({"device": {"phoneNumber": "+447700900113"}})).await;
    assert_eq!(code(&other), (403, "INVALID_TOKEN_CONTEXT"));
}

#[tokio::test]
async fn a_three_legged_token_sees_the_sessions_of_its_own_device_and_client_only() {
    let mut stage = Stage::new(Settings::default()).await;
    let mine = stage.order_at(V1_1, json!({})).await;
    let theirs = stage.order_at(V1_1, json!({"device": {"phoneNumber": "+447700900113"}})).await;
    stage.become_("three-legged", of_device(PHONE));
    let list = stage.list_at(V1_1, json!({})).await.1;
    assert_eq!(list.as_array().unwrap().iter().map(|session| &session["sessionId"]).collect::<Vec<_>>(), [&mine.1["sessionId"]]);
    let path = format!("/sessions/{}", id_in(&theirs));
    assert_eq!(code(&stage.at(V1_1, Method::DELETE, &path, None).await), (403, "PERMISSION_DENIED"));
    stage.admin.change(|settings| settings.foreign_session_status = 404).await.unwrap();
    assert_eq!(code(&stage.at(V1_1, Method::DELETE, &path, None).await), (404, "NOT_FOUND"));
    stage.become_("other-client", Grant { client: "other".to_owned(), ..of_device(PHONE) });
    assert_eq!(stage.list_at(V1_1, json!({})).await, (200, json!([])));
}

#[tokio::test]
async fn each_operation_needs_the_scope_of_its_generation() {
    let mut stage = Stage::new(Settings::default()).await;
    let telefonica = Dialect::telefonica(Generation::V0_10);
    let scoped = |scope: &str, grant: Grant| Grant { scopes: Some([scope.to_owned()].into()), ..grant };
    let mut rows = Vec::new();
    for (dialect, scope, three_legged, status) in [
        (V0_10, "qod-sessions-write", true, 201),
        (V0_10, "qod-sessions-read", true, 403),
        (V0_10, "openid", false, 201),
        (Dialect::camara(Generation::V0_8), "openid", true, 201),
        (telefonica, "dpv:RequestedServiceProvision#qod", true, 201),
        (telefonica, "quality-on-demand:sessions:create", true, 403),
        (V1_1, "quality-on-demand:sessions:create", false, 201),
        (V1_1, "quality-on-demand:sessions:read", false, 403),
        (Dialect::telefonica(Generation::V1_1), "qod", true, 201),
    ] {
        let grant = if three_legged { of_device(PHONE) } else { Grant::of("sandbox") };
        stage.become_("scoped", scoped(scope, grant));
        stage.admin.forget();
        rows.push((stage.order_at(dialect, json!({})).await.0, status, format!("{dialect:?} {scope}")));
    }
    assert!(rows.iter().all(|(got, expected, _)| got == expected), "{rows:#?}");
    stage.become_("scoped", scoped("qod", of_device(PHONE)));
    let lookup = stage.list_at(Dialect::telefonica(Generation::V1_1), json!({})).await;
    assert_eq!(code(&lookup), (403, "FORBIDDEN"), "the look-up has a scope of its own");
}

#[tokio::test]
async fn only_1_2_refuses_properties_that_its_schema_does_not_know_at_any_depth() {
    let stage = Stage::new(Settings { overlap: Overlap::Off, ..Settings::default() }).await;
    let extra = [
        json!({"extra": 1}),
        json!({"device": {"phoneNumber": PHONE, "extra": 1}}),
        json!({"device": {"ipv4Address": {"publicAddress": "203.0.113.7", "publicPort": 1, "extra": 1}}}),
        json!({"applicationServer": {"ipv4Address": "198.51.100.10", "extra": 1}}),
        json!({"devicePorts": {"ports": [1], "extra": 1}}),
        json!({"devicePorts": {"ranges": [{"from": 1, "to": 2, "extra": 1}]}}),
        json!({"sinkCredential": {"credentialType": "ACCESSTOKEN", "accessToken": "t", "accessTokenExpiresUtc": "2099-01-01T00:00:00Z",
            "accessTokenType": "bearer", "extra": 1}}),
    ];
    for extra in extra {
        assert_eq!(stage.order_at(V1_1, extra.clone()).await.0, 201, "{extra}");
        assert_eq!(code(&stage.order_at(V1_2, extra.clone()).await), (400, "INVALID_ARGUMENT"), "{extra}");
    }
    assert_eq!(stage.list_at(V1_1, json!({"device": {"phoneNumber": PHONE}, "extra": 1})).await.0, 200);
    assert_eq!(stage.list_at(V1_2, json!({"device": {"phoneNumber": PHONE}, "extra": 1})).await.0, 400);
    let old_callback = json!({"webhook": {"notificationUrl": "https://client.example.com"}});
    assert_eq!(stage.order_at(V1_2, old_callback).await.0, 400);
}

#[tokio::test]
async fn values_are_held_to_the_limits_of_their_own_generation() {
    let limitless = |name: &str| Profile {
        name: name.to_owned(),
        status: ProfileStatus::Active,
        min_duration_seconds: None,
        max_duration_seconds: None,
    };
    let settings = Settings { overlap: Overlap::Off, profiles: vec![limitless("QOS_E")], ..Settings::default() };
    let stage = Stage::new(settings).await;
    let (v0_8, v0_9) = (Dialect::camara(Generation::V0_8), Dialect::camara(Generation::V0_9));
    let (bad, port, ok) = ((400, "INVALID_ARGUMENT"), (400, "OUT_OF_RANGE"), (201, ""));
    let old = |address: &str| json!({"asId": {"ipv6addr": address}});
    let phone = |number: &str| json!({"device": {"phoneNumber": number}});
    let device_v6 = |address: &str| json!({"device": {"ipv6Address": address}});
    for (dialect, change, expected) in [
        (v0_8, json!({"duration": 86_401}), (400, "INVALID_INPUT")),
        (v0_8, json!({"qos": "QOS_X"}), (400, "INVALID_INPUT")),
        (v0_8, json!({"ueId": {"ipv4addr": "203.0.113.7/32"}}), ok),
        (v0_8, old("2001:db8::1"), ok),
        (v0_8, old("2001:DB8::1"), (400, "INVALID_INPUT")),
        (v0_9, device_v6("2001:db8::/64"), ok),
        (V0_10, device_v6("2001:db8::/64"), bad),
        (V0_10, device_v6("2001:DB8::1"), ok),
        (V0_10, json!({"duration": 86_401}), bad),
        (V0_10, json!({"duration": null}), ok),
        (V0_11, json!({"duration": null}), bad),
        (V0_11, json!({"duration": 0}), bad),
        (V0_11, json!({"duration": 86_401}), ok),
        (V0_10, phone("447700900112"), ok),
        (V0_11, phone("447700900112"), bad),
        (V1_1, json!({"devicePorts": {"ports": [0]}}), ok),
        (V1_2, json!({"devicePorts": {"ports": [0]}}), port),
        // `format: int32`, since 0.11.
        (V0_11, json!({"duration": 2_147_483_648_i64}), bad),
        (V1_1, json!({"duration": 2_147_483_648_i64}), bad),
        (V1_2, json!({"duration": 2_147_483_648_i64}), bad),
        (V1_0, json!({"sink": "http://client.example.com/n"}), ok),
        (V1_1, json!({"sink": "http://client.example.com/n"}), (400, "INVALID_SINK")),
        (V1_1, json!({"sink": "no url"}), bad),
        (V1_1, json!({"applicationServer": {"ipAddresses": ["198.51.100.10"]}}), bad),
    ] {
        assert_eq!(code(&stage.order_at(dialect, change.clone()).await), expected, "{dialect:?} {change}");
    }
}

#[tokio::test]
async fn of_several_identifiers_1_1_picks_one_and_names_it_where_1_0_matches_them() {
    let mut stage = Stage::new(Settings::default()).await;
    let subscribers: Vec<_> = ["+447700900112", "+447700900113"]
        .into_iter()
        .enumerate()
        .map(|(index, phone)| {
            serde_json::from_value(json!({"phoneNumber": phone, "ipv6Address": format!("2001:db8:0:{index}::1")})).unwrap()
        })
        .collect();
    stage.admin.change(|settings| settings.subscribers = subscribers).await.unwrap();
    let two = json!({"device": {"ipv6Address": "2001:db8:0:1::9", "phoneNumber": PHONE}});
    assert_eq!(code(&stage.order_at(V1_0, two.clone()).await), (422, "IDENTIFIER_MISMATCH"));
    assert_eq!(code(&stage.order_at(V0_10, two.clone()).await), (400, "INVALID_ARGUMENT"));
    let picked = stage.order_at(V1_1, two.clone()).await;
    assert_eq!((picked.0, &picked.1["device"]), (201, &json!({"phoneNumber": PHONE})));
    stage.admin.change(|settings| settings.unsupported_identifiers = [Kind::PhoneNumber].into()).await.unwrap();
    let other = stage.order_at(V1_1, two).await;
    assert_eq!((other.0, &other.1["device"]), (201, &json!({"ipv6Address": "2001:db8:0:1::9"})), "as it was sent");
    assert_eq!(code(&stage.order_at(V0_10, json!({})).await), (501, "NOT_IMPLEMENTED"));
    stage.token = "unknown";
    assert_eq!(code(&stage.order_at(V1_1, json!({})).await), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_list_lags_behind_ends_at_100_and_repeats_no_secret_unless_it_is_set() {
    let stage = Stage::new(Settings { overlap: Overlap::Off, list_lag_seconds: 30, ..Settings::default() }).await;
    let credential = json!({"credentialType": "ACCESSTOKEN", "accessToken": "secret-token", "accessTokenExpiresUtc": "2099-01-01T00:00:00Z",
        "accessTokenType": "bearer"});
    let order = json!({"sink": "https://client.example.com/n/1", "sinkCredential": credential});
    for _ in 0..101 {
        assert_eq!(stage.order_at(V1_2, order.clone()).await.0, 201);
    }
    assert_eq!(stage.order_at(V1_1, order).await.0, 201);
    let lookup = json!({"device": {"phoneNumber": PHONE}});
    assert_eq!(stage.list_at(V1_2, lookup.clone()).await, (200, json!([])));
    stage.pass(30);
    let (_, list) = stage.list_at(V1_2, lookup.clone()).await;
    assert_eq!(list.as_array().unwrap().len(), 100);
    assert!(!list.to_string().contains("sinkCredential") && list[0]["sink"] == json!("https://client.example.com/n/1"));
    stage.admin.change(|settings| settings.echo_sink_credential = true).await.unwrap();
    let (_, list) = stage.list_at(V1_2, lookup.clone()).await;
    let public = json!({"credentialType": "ACCESSTOKEN", "accessTokenExpiresUtc": "2099-01-01T00:00:00Z"});
    assert_eq!(list[0]["sinkCredential"], public, "1.2 makes the rest writeOnly");
    assert!(stage.list_at(V1_1, lookup).await.1[0]["sinkCredential"]["accessToken"].is_string());
}

#[tokio::test]
async fn too_fast_or_too_greedy_clients_get_429_where_the_generation_knows_it() {
    let settings =
        Settings { overlap: Overlap::Off, session_quota: Some(1), requests_per_minute: Some(3), ..Settings::default() };
    let stage = Stage::new(settings).await;
    assert_eq!(stage.order_at(V1_1, json!({})).await.0, 201);
    assert_eq!(code(&stage.order_at(V1_1, json!({})).await), (429, "QUOTA_EXCEEDED"));
    assert_eq!(stage.order_at(V0_10, json!({})).await.0, 201, "0.10 has no 429");
    assert_eq!(stage.list_at(V0_11, json!({"device": {"phoneNumber": PHONE}})).await.0, 200);
    let path = format!("/sessions/{}", Uuid::new_v4());
    assert_eq!(code(&stage.at(V1_1, Method::GET, &path, None).await), (429, "TOO_MANY_REQUESTS"));
    stage.pass(60);
    assert_eq!(code(&stage.at(V1_1, Method::GET, &path, None).await), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn a_1_2_creation_can_be_refused_by_the_network_in_its_201_and_blocks_until_it_is_deleted() {
    let stage = Stage::new(Settings { unavailable_at_once: true, ..Settings::default() }).await;
    let refused = stage.order_at(V1_2, json!({})).await;
    assert_eq!(
        (refused.0, &refused.1["qosStatus"], &refused.1["statusInfo"]),
        (201, &json!("UNAVAILABLE"), &json!("NETWORK_TERMINATED"))
    );
    assert_eq!((refused.1.get("startedAt"), refused.1["duration"].as_i64()), (None, Some(1)));
    assert_eq!(code(&stage.order_at(V1_1, json!({})).await), (409, "CONFLICT"));
    assert_eq!(stage.at(V1_2, Method::DELETE, &format!("/sessions/{}", id_in(&refused)), None).await.0, 204);
    let other = stage.order_at(V1_1, json!({})).await;
    assert_eq!(other.1["qosStatus"], json!("AVAILABLE"), "it is 1.2's alone");
}

#[tokio::test]
async fn a_terminated_session_tells_its_effective_duration_from_0_11_on() {
    let stage = Stage::new(Settings { expired_kept_seconds: 60, ..Settings::default() }).await;
    let created = stage.order_at(V1_1, json!({})).await;
    let path = format!("/sessions/{}", id_in(&created));
    stage.pass(100);
    stage.admin.terminate(&super::super::Selection::default());
    let (_, info) = stage.at(V1_1, Method::GET, &path, None).await;
    assert!((100..=105).contains(&info["duration"].as_i64().unwrap()), "{info}");
    assert_eq!(info["statusInfo"], json!("NETWORK_TERMINATED"));
    assert!(info["expiresAt"].as_str() < created.1["expiresAt"].as_str(), "it is when it ended");
    stage.at(V1_1, Method::DELETE, &path, None).await;
    let expiring = stage.order_at(V1_1, json!({})).await;
    stage.pass(601);
    let (_, info) = stage.at(V1_1, Method::GET, &format!("/sessions/{}", id_in(&expiring)), None).await;
    assert_eq!((&info["statusInfo"], &info["duration"]), (&json!("DURATION_EXPIRED"), &json!(600)));
}

#[tokio::test]
async fn telefonicas_0_8_needs_one_port_where_the_device_is_an_ipv4_address() {
    let stage = Stage::new(Settings::default()).await;
    let at = Dialect::telefonica(Generation::V0_8);
    let address = json!({"ipv4addr": "203.0.113.7"});
    assert_eq!(code(&stage.order_at(at, json!({"ueId": address})).await), (400, "INVALID_INPUT"));
    let two = json!({"ueId": address, "uePorts": {"ports": [1, 2]}});
    assert_eq!(code(&stage.order_at(at, two).await), (400, "INVALID_INPUT"));
    assert_eq!(stage.order_at(at, json!({"ueId": address, "uePorts": {"ports": [1]}})).await.0, 201);
    let path = format!("/sessions/{}", Uuid::new_v4());
    let (status, error) = stage.at(at, Method::GET, &path, None).await;
    assert_eq!((status, error.get("status"), &error["code"]), (404, None, &json!("NOT_FOUND")));
}

#[tokio::test]
async fn telefonicas_1_1_is_a_hybrid_of_both_worlds() {
    let mut stage = Stage::new(Settings { known_devices_only: true, ..Settings::default() }).await;
    let at = Dialect::telefonica(Generation::V1_1);
    let subscriber = vec![serde_json::from_value(json!({"phoneNumber": PHONE})).unwrap()];
    stage.admin.change(|settings| settings.subscribers = subscriber).await.unwrap();
    let unknown = stage.order_at(at, json!({"device": {"phoneNumber": "+447700900999"}})).await;
    assert_eq!((code(&unknown), unknown.1.get("status")), ((400, "INVALID_ARGUMENT"), None), "a creation has no 404");
    let lookup = stage.list_at(at, json!({"device": {"phoneNumber": "+447700900999"}})).await;
    assert_eq!((code(&lookup), &lookup.1["status"]), ((404, "IDENTIFIER_NOT_FOUND"), &json!(404)));
    assert_eq!(code(&stage.list_at(at, json!({})).await), (400, "INVALID_INPUT"), "MISSING_IDENTIFIER is not in their document");
    stage.become_("three-legged", of_device(PHONE));
    assert_eq!(code(&stage.order_at(at, json!({"device": null})).await), (400, "INVALID_ARGUMENT"), "the device is required");
    let webhook =
        json!({"notificationUrl": "https://client.example.com/n", "notificationAuthToken": "c8974e592c2fa383d4a3960714"});
    let created = stage.order_at(at, json!({"device": {"phoneNumber": "447700900112"}, "webhook": webhook})).await;
    assert_eq!(created.0, 201, "{}", created.1);
    assert!(created.1["startedAt"].is_string() && created.1["webhook"].is_object());
    let path = format!("/sessions/{}", id_in(&created));
    stage.admin.terminate(&super::super::Selection::default());
    let more = json!({"requestedAdditionalDuration": 60});
    let inactive = stage.at(at, Method::POST, &format!("{path}/extend"), Some(&more)).await;
    assert_eq!((code(&inactive), &inactive.1["status"]), ((409, "QUALITY_ON_DEMAND.SESSION_EXTENSION_NOT_ALLOWED"), &json!(409)));
    let malformed = stage.at(at, Method::GET, "/sessions/x", None).await;
    assert_eq!((code(&malformed), malformed.1.get("status")), ((400, "INVALID_INPUT"), None));
}

#[tokio::test]
async fn the_mocks_rules_hold_in_each_of_telefonicas_generations() {
    for generation in [Generation::V0_8, Generation::V0_10, Generation::V1_1] {
        let flavour = Flavour::Telefonica;
        let stage = Stage::new(Settings { mode: Mode::Mock, generation, flavour, ..Settings::default() }).await;
        let at = Dialect { generation, flavour };
        assert_eq!(code(&stage.create(body(at, "+346666666669")).await), (409, "CONFLICT"), "{generation}");
        let created = stage.create(body(at, "+346666666661")).await;
        assert_eq!(created.0, 201, "{generation} {}", created.1);
        assert_eq!(created.1.get("messages").is_some(), generation <= Generation::V0_10, "{generation} {}", created.1);
        let never_created = Uuid::new_v4();
        let (status, info) = stage.get(never_created).await;
        let id = if generation == Generation::V0_8 { "id" } else { "sessionId" };
        assert_eq!((status, &info[id]), (200, &json!(never_created)), "{generation} {info}");
        assert_eq!(stage.delete(never_created).await.0, 204, "{generation}");
    }
}
