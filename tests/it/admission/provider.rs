//! The rules of `QosProvider`, one by one.

use serde_json::{Value, json};

use super::{admitted, check, provider, refused};

const URL: &str = "must be an https:// URL without query, fragment or credentials (http:// only for loopback or a Service of the \
                   cluster, *.svc or *.svc.cluster.local: the token travels with every call)";
const NAME: &str = r"should match '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'";
const TOO_SMALL: &str = "should be greater than or equal to";
const TOO_GREAT: &str = "should be less than or equal to";

/// `spec.api` of which only `changes` differ from one that is admitted.
fn api(changes: Value) -> Value {
    let mut api = json!({"version": "v0.10", "baseURL": "https://qod.example.com/qod/v0"});
    let Value::Object(changes) = changes else { panic!("{changes} is no object") };
    api.as_object_mut().unwrap().extend(changes);
    provider(json!({ "api": api }))
}

/// `spec.auth` with one way to log in, of which only `changes` differ from one that is admitted.
fn auth(way: &str, changes: Value) -> Value {
    let mut auth = match way {
        "staticToken" => json!({"tokenSecretRef": {"name": "token"}}),
        _ => json!({"tokenURL": "https://auth.example.com/token", "scope": "qod", "clientSecretRef": {"name": "client"}}),
    };
    if way == "ciba" {
        auth["authorizeURL"] = json!("https://auth.example.com/bc-authorize");
    }
    let Value::Object(changes) = changes else { panic!("{changes} is no object") };
    auth.as_object_mut().unwrap().extend(changes);
    provider(json!({ "auth": { way: auth } }))
}

#[tokio::test]
async fn a_token_travels_to_https_or_stays_in_the_cluster() {
    let base = |url: &str| api(json!({ "baseURL": url }));
    check(refused(
        "spec.api.baseURL",
        URL,
        [
            "http://qod.example.com/qod/v0",
            "qod.example.com/qod/v0",
            "ftp://qod.example.com/qod/v0",
            "https://",
            "https:///qod/v0",
            "https://user:password@qod.example.com/qod/v0",
            "https://qod.example.com@example.org/qod/v0",
            "https://qod.example.com/qod/v0?key=1",
            "https://qod.example.com/qod/v0#top",
            "https://qod.example .com/qod/v0",
            "http://qod.svc.example.com/qod/v0",
            "http://qod.example.com/a.svc",
            "http://qod.svc@example.com/qod/v0",
            "http://example.com#.svc",
            "http://example.com?a.svc",
            "http://localhost.example.com/qod/v0",
            "http://127.0.0.10/qod/v0",
            "http://127x0.0.1/qod/v0",
            "http://qod.svc:port/qod/v0",
            "",
        ]
        .map(base),
    ))
    .await;
    let of_length = |length: usize| base(&format!("https://qod.example.com/{}", "v".repeat(length - 24)));
    check(refused("spec.api.baseURL", "Too long: may not be more than 512", [of_length(513)])).await;
    check(admitted(
        [
            "https://qod.example.com",
            "https://qod.example.com:8443/a@b/v0/",
            "https://192.0.2.1/qod/v0",
            "https://[2001:db8::1]:8443/qod/v0",
            "http://localhost:8080/qod/v0",
            "http://127.0.0.1:8080",
            "http://[::1]:8080/qod/v0",
            "http://qod-simulator.qos-operator.svc:8080/qod/v0",
            "http://qod-simulator.qos-operator.svc.cluster.local/qod/v0",
        ]
        .map(base)
        .into_iter()
        .chain([of_length(512)]),
    ))
    .await;

    let [plain, secure] = ["http://auth.example.com/token", "https://auth.example.com/token"];
    check(refused("spec.api.profilesURL", URL, [api(json!({ "profilesURL": plain }))])).await;
    check(admitted([api(json!({ "profilesURL": secure })), api(json!({ "profilesURL": null }))])).await;
    let notified = |url: &str| provider(json!({ "notifications": { "callbackURL": url } }));
    check(refused(
        "spec.notifications.callbackURL",
        URL,
        [notified("http://qos.example.com/notify"), notified("https://a.example.com/?x")],
    ))
    .await;
    check(admitted([notified("https://qos.example.com/notify"), provider(json!({ "notifications": { "mode": "Never" } }))]))
        .await;
    check(refused(
        "spec.notifications.mode",
        "supported values: \"Auto\", \"Never\"",
        [provider(json!({ "notifications": { "mode": "Off" } }))],
    ))
    .await;
    for (way, url, at) in [
        ("clientCredentials", "tokenURL", "spec.auth.clientCredentials.tokenURL"),
        ("ciba", "tokenURL", "spec.auth.ciba.tokenURL"),
        ("ciba", "authorizeURL", "spec.auth.ciba.authorizeURL"),
        ("jwtBearer", "tokenURL", "spec.auth.jwtBearer.tokenURL"),
    ] {
        check(refused(at, URL, [auth(way, json!({ url: plain }))])).await;
        check(admitted([auth(way, json!({ url: secure }))])).await;
        let too_long = format!("{secure}/{}", "t".repeat(512));
        check(refused(at, "Too long: may not be more than 512", [auth(way, json!({ url: too_long }))])).await;
    }
}

#[tokio::test]
async fn there_is_exactly_one_way_to_log_in_and_it_is_complete() {
    let token = json!({"tokenSecretRef": {"name": "token"}});
    let client = json!({"tokenURL": "https://auth.example.com/token", "scope": "qod", "clientSecretRef": {"name": "client"}});
    check(refused(
        "spec.auth",
        "choose exactly one of staticToken, clientCredentials, ciba, jwtBearer",
        [
            provider(json!({"auth": {}})),
            provider(json!({"auth": {"staticToken": null}})),
            provider(json!({"auth": {"staticToken": token, "clientCredentials": client}})),
            provider(json!({"auth": {"jwtBearer": client, "clientCredentials": client}})),
        ],
    ))
    .await;
    check(admitted([
        provider(json!({"auth": {"staticToken": token, "clientCredentials": null, "ciba": null, "jwtBearer": null}})),
        auth("staticToken", json!({"tokenSecretRef": {"name": "token", "key": "access-token"}})),
        auth("clientCredentials", json!({})),
        auth("clientCredentials", json!({"clientAuthentication": "PrivateKeyJwt"})),
        auth("ciba", json!({"clientAuthentication": "Post"})),
        auth("jwtBearer", json!({})),
    ]))
    .await;
    for (way, field, at) in [
        ("staticToken", "tokenSecretRef", "spec.auth.staticToken.tokenSecretRef"),
        ("clientCredentials", "tokenURL", "spec.auth.clientCredentials.tokenURL"),
        ("clientCredentials", "scope", "spec.auth.clientCredentials.scope"),
        ("clientCredentials", "clientSecretRef", "spec.auth.clientCredentials.clientSecretRef"),
        ("ciba", "authorizeURL", "spec.auth.ciba.authorizeURL"),
        ("ciba", "tokenURL", "spec.auth.ciba.tokenURL"),
        ("ciba", "scope", "spec.auth.ciba.scope"),
        ("ciba", "clientSecretRef", "spec.auth.ciba.clientSecretRef"),
        ("jwtBearer", "tokenURL", "spec.auth.jwtBearer.tokenURL"),
        ("jwtBearer", "scope", "spec.auth.jwtBearer.scope"),
        ("jwtBearer", "clientSecretRef", "spec.auth.jwtBearer.clientSecretRef"),
    ] {
        let mut object = auth(way, json!({}));
        object["spec"]["auth"][way].as_object_mut().unwrap().remove(field);
        check(refused(at, "Required value", [object])).await;
    }
}

#[tokio::test]
async fn scopes_and_names_of_secrets_are_in_their_own_form() {
    for (way, at) in [
        ("clientCredentials", "spec.auth.clientCredentials.scope"),
        ("ciba", "spec.auth.ciba.scope"),
        ("jwtBearer", "spec.auth.jwtBearer.scope"),
    ] {
        let scope = |scope: &str| auth(way, json!({ "scope": scope }));
        check(refused(at, "should match", ["a  b", " a", "a ", "a\"b", "a\\b", "a\tb", "é"].map(scope))).await;
        check(refused(at, "should", [scope("")])).await;
        check(refused(at, "Too long: may not be more than 1024", [scope(&"s".repeat(1025))])).await;
        check(admitted(["qod", "dpv:RequestedServiceProvision#qod quality-on-demand:sessions:create"].map(scope))).await;
        check(admitted([scope(&"s".repeat(1024))])).await;
    }
    for (way, operation, at) in [
        ("clientCredentials", "createSession", "spec.auth.clientCredentials.operationScopes.createSession"),
        ("ciba", "retrieveSessionsByDevice", "spec.auth.ciba.operationScopes.retrieveSessionsByDevice"),
        ("jwtBearer", "retrieveQoSProfiles", "spec.auth.jwtBearer.operationScopes.retrieveQoSProfiles"),
    ] {
        let scope = |scope: &str| auth(way, json!({ "operationScopes": { operation: scope } }));
        check(refused(at, "should match", ["a  b", " a", "a\"b"].map(scope))).await;
        check(refused(at, "should", [scope("")])).await;
        check(refused(at, "Too long: may not be more than 1024", [scope(&"s".repeat(1025))])).await;
        check(admitted([scope("quality-on-demand:sessions:create"), auth(way, json!({ "operationScopes": {} }))])).await;
    }
    let (longest, too_long) = ("n".repeat(253), "n".repeat(254));
    let certificate = |name: &str| api(json!({"clientCertificateSecretRef": {"name": name}}));
    check(refused("spec.api.clientCertificateSecretRef.name", NAME, ["Tls", "a_b"].map(certificate))).await;
    check(admitted([certificate("provider-tls")])).await;
    let headers = |name: &str| api(json!({"extraHeadersSecretRef": {"name": name}}));
    let token = |name: &str, key: &str| auth("staticToken", json!({"tokenSecretRef": {"name": name, "key": key}}));
    let client = |name: &str| auth("jwtBearer", json!({"clientSecretRef": {"name": name}}));
    check(refused("spec.api.extraHeadersSecretRef.name", NAME, ["Keys", "a_b", ".a"].map(headers))).await;
    check(refused("spec.api.extraHeadersSecretRef.name", "Too long: may not be more than 253", [headers(&too_long)])).await;
    check(refused("spec.auth.staticToken.tokenSecretRef.name", NAME, [token("Token", "token")])).await;
    check(refused("spec.auth.staticToken.tokenSecretRef.key", "should match '^[-._a-zA-Z0-9]+$'", [token("token", "a/b")])).await;
    check(refused("spec.auth.jwtBearer.clientSecretRef.name", NAME, [client("Client")])).await;
    check(admitted([headers(&longest), headers("a"), token("token", &longest), client("client.v2")])).await;
}

#[tokio::test]
async fn versions_and_flavours_are_those_of_their_lists() {
    let version = |version: &str| api(json!({ "version": version }));
    check(admitted(["v0.8", "v0.9", "v0.10", "v0.11", "v1.0", "v1.1", "v1.2"].map(version))).await;
    check(refused(
        "spec.api.version",
        r#"supported values: "v0.8", "v0.9", "v0.10", "v0.11", "v1.0", "v1.1", "v1.2""#,
        ["0.10", "v0.1", "v2.0", "V1.0"].map(version),
    ))
    .await;
    for (field, at, message, known) in [
        (
            "deviceInRequest",
            "spec.api.deviceInRequest",
            r#"supported values: "Auto", "Always", "Never""#,
            ["Auto", "Always", "Never"].as_slice(),
        ),
        (
            "callbackField",
            "spec.api.callbackField",
            r#"supported values: "Auto", "Webhook", "Sink""#,
            ["Auto", "Webhook", "Sink"].as_slice(),
        ),
        (
            "overlappingSessions",
            "spec.api.overlappingSessions",
            r#"supported values: "Rejected", "Accepted""#,
            ["Rejected", "Accepted"].as_slice(),
        ),
    ] {
        check(admitted(known.iter().map(|value| api(json!({ field: value }))))).await;
        check(refused(at, message, [api(json!({ field: "auto" }))])).await;
    }
    for (way, at) in [
        ("clientCredentials", "spec.auth.clientCredentials.clientAuthentication"),
        ("ciba", "spec.auth.ciba.clientAuthentication"),
    ] {
        let message = r#"supported values: "Basic", "Post", "PrivateKeyJwt""#;
        check(admitted(["Basic", "Post", "PrivateKeyJwt"].map(|value| auth(way, json!({ "clientAuthentication": value })))))
            .await;
        check(refused(at, message, [auth(way, json!({"clientAuthentication": "None"}))])).await;
    }
}

#[tokio::test]
async fn a_certificate_bundle_is_base64() {
    let bundle = |text: &str| api(json!({ "caBundle": text }));
    check(refused(
        "spec.api.caBundle",
        "must be of type byte",
        ["not base64!", "-----BEGIN CERTIFICATE-----", "LS0t\nLS1C\n"].map(bundle),
    ))
    .await;
    check(refused("spec.api.caBundle", "Too long: may not be more than 262144", [bundle(&"A".repeat(262_148))])).await;
    check(admitted([bundle("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="), bundle(&"A".repeat(262_144))])).await;
}

#[tokio::test]
async fn a_selector_goes_with_from_selector_and_nothing_else() {
    let allowed = |value: Value| provider(json!({ "allowedNamespaces": value }));
    let selector = json!({"matchLabels": {"team": "video"}});
    check(refused(
        "spec.allowedNamespaces",
        "set selector when, and only when, from is Selector",
        [
            allowed(json!({"from": "Selector"})),
            allowed(json!({"from": "Selector", "selector": null})),
            allowed(json!({"from": "All", "selector": selector})),
            allowed(json!({"from": "None", "selector": {}})),
            allowed(json!({ "selector": selector })),
        ],
    ))
    .await;
    check(refused(
        "spec.allowedNamespaces.from",
        r#"supported values: "All", "Selector", "None""#,
        [allowed(json!({"from": "Same"}))],
    ))
    .await;
    check(admitted([
        allowed(json!({})),
        allowed(json!({"from": "All"})),
        allowed(json!({"from": "None"})),
        allowed(json!({"from": "Selector", "selector": {}})),
        allowed(json!({"from": "Selector", "selector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}})),
    ]))
    .await;
}

#[tokio::test]
async fn every_number_has_its_range() {
    for (object, field, at, least, most) in [
        ("limits", "requestsPerMinute", "spec.limits.requestsPerMinute", 1_i64, Some(60_000_i64)),
        ("limits", "maxInFlight", "spec.limits.maxInFlight", 1, Some(256)),
        ("limits", "requestTimeoutSeconds", "spec.limits.requestTimeoutSeconds", 1, Some(300)),
        ("polling", "requestedPeriodSeconds", "spec.polling.requestedPeriodSeconds", 1, Some(3600)),
        ("polling", "availablePeriodSeconds", "spec.polling.availablePeriodSeconds", 10, Some(86_400)),
        ("budget", "maxSessions", "spec.budget.maxSessions", 0, None),
        ("budget", "maxSessionSecondsPerDay", "spec.budget.maxSessionSecondsPerDay", 0, None),
    ] {
        let set = |value: i64| provider(json!({ object: { field: value } }));
        check(admitted([set(least), set(most.unwrap_or(2_147_483_647))])).await;
        check(refused(at, TOO_SMALL, [set(least - 1)])).await;
        if let Some(most) = most {
            check(refused(at, TOO_GREAT, [set(most + 1)])).await;
        }
    }
    let lease = |seconds: i64| provider(json!({ "maxLeaseSeconds": seconds }));
    check(refused("spec.maxLeaseSeconds", TOO_SMALL, [lease(59)])).await;
    check(admitted([lease(60), provider(json!({"budget": {"maxSessionSecondsPerDay": 9_000_000_000_000_i64}}))])).await;
    check(admitted([provider(json!({ "maxLeaseSeconds": null, "budget": null }))])).await;
}
