use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::*;
use crate::provider::connection::tests::spec;
use crate::qod::Legs;

fn secret(entries: &[(&str, &str)]) -> Secret {
    let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    Secret { data: Some(entries.collect()), ..Secret::default() }
}

fn oauth_spec(way: &str, change: Value) -> QosProviderSpec {
    let mut auth = json!({
        "tokenURL": "https://auth.example.com/token", "scope": "qod", "clientSecretRef": {"name": "client"},
    });
    if way == "ciba" {
        auth["authorizeURL"] = json!("https://auth.example.com/bc-authorize");
    }
    if let (Some(auth), Value::Object(change)) = (auth.as_object_mut(), change) {
        auth.extend(change);
    }
    spec(json!({"auth": {way: auth}}))
}

fn made(spec: &QosProviderSpec, entries: &[(&str, &str)]) -> Result<Tokens, Finding> {
    let secrets = BTreeMap::from([("client".to_owned(), secret(entries))]);
    tokens(spec, "qos-system", &secrets, &Clock::system(), &Arc::default())
}

fn p256() -> String {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem()
}

#[test]
fn each_way_to_log_in_is_made_of_its_secret() {
    let (shared, key) = ([("client-id", "app-7\n"), ("client-secret", "s3cr et\n")], p256());
    let signed = [("client-id", "app-7"), ("private-key", key.as_str()), ("key-id", "k1"), ("algorithm", "ES256")];
    for (way, authentication, entries, legs) in [
        ("clientCredentials", Some("Basic"), &shared[..], Legs::Two),
        ("clientCredentials", Some("PrivateKeyJwt"), &signed, Legs::Two),
        ("ciba", Some("Post"), &shared, Legs::Three),
        ("ciba", Some("PrivateKeyJwt"), &signed, Legs::Three),
        ("jwtBearer", None, &signed, Legs::Three),
    ] {
        let change = authentication.map_or(json!({}), |method| json!({"clientAuthentication": method}));
        let tokens = made(&oauth_spec(way, change), entries).unwrap();
        assert_eq!((tokens.legs(), tokens.client_id()), (legs, Some("app-7")), "{way}");
    }
    let fixed = tokens(
        &spec(json!({})),
        "qos-system",
        &BTreeMap::from([("telefonica".to_owned(), secret(&[("token", "abc\n")]))]),
        &Clock::system(),
        &Arc::default(),
    )
    .unwrap();
    assert_eq!((fixed.legs(), fixed.client_id()), (Legs::Two, None));
}

#[test]
fn a_problem_names_secret_key_and_remedy_and_never_the_value() {
    let key = p256();
    let refused = |way: &str, change: Value, entries: &[(&str, &str)]| made(&oauth_spec(way, change), entries).map(|_| ());
    let missing = |text: &str| Err(Finding::SecretMissing(text.to_owned()));
    let unusable = |text: &str| Err(Finding::SecretUnusable(text.to_owned()));
    assert_eq!(
        refused("clientCredentials", json!({"clientSecretRef": {"name": "other"}}), &[]),
        missing("Secret qos-system/other does not exist")
    );
    assert_eq!(refused("ciba", json!({}), &[("client-secret", "s")]), missing("Secret qos-system/client has no key client-id"));
    assert_eq!(
        refused("ciba", json!({}), &[("client-id", "app-7"), ("private-key", &key)]),
        missing("Secret qos-system/client has no key client-secret, which auth.ciba.clientAuthentication Basic needs")
    );
    assert_eq!(
        refused("jwtBearer", json!({}), &[("client-id", "app-7"), ("client-secret", "s")]),
        missing("Secret qos-system/client has no key private-key, which auth.jwtBearer needs to sign assertions")
    );
    assert_eq!(
        refused("ciba", json!({}), &[("client-id", "app-7"), ("client-secret", " \n")]),
        unusable("key client-secret of Secret qos-system/client is empty")
    );
    assert_eq!(
        refused("ciba", json!({}), &[("client-id", "app\n7"), ("client-secret", "s")]),
        unusable("key client-id of Secret qos-system/client holds characters that no credential has")
    );
    assert_eq!(
        refused("jwtBearer", json!({}), &[("client-id", "app-7"), ("private-key", &key), ("algorithm", "HS256")]),
        unusable("key algorithm of Secret qos-system/client is not RS256, PS256 or ES256")
    );
    let Err(Finding::SecretUnusable(message)) =
        refused("jwtBearer", json!({}), &[("client-id", "app-7"), ("private-key", &key), ("algorithm", "RS256")])
    else {
        panic!("an EC key signs no RS256")
    };
    assert!(message.starts_with("key private-key of Secret qos-system/client is no PEM of an RSA key"), "{message}");
}

#[test]
fn certificate_and_bundle_are_for_the_token_endpoint_too() {
    let entries = [("client-id", "app-7"), ("client-secret", "s")];
    let with = |api: Value| {
        let mut spec = oauth_spec("clientCredentials", json!({}));
        let mut whole = serde_json::to_value(&spec.api).unwrap();
        whole.as_object_mut().unwrap().extend(api.as_object().unwrap().clone());
        spec.api = serde_json::from_value(whole).unwrap();
        spec
    };
    assert_eq!(
        made(&with(json!({"caBundle": "no base64!"})), &entries).map(|_| ()),
        Err(Finding::Spec("api.caBundle is no base64".to_owned()))
    );
    let certificate = rcgen::generate_simple_self_signed(vec!["client.example.com".to_owned()]).unwrap();
    let (pem, key) = (certificate.cert.pem(), certificate.signing_key.serialize_pem());
    let shown = with(json!({"clientCertificateSecretRef": {"name": "tls"}}));
    let made_with = |certificate: &str, key: &str| {
        let secrets = BTreeMap::from([
            ("client".to_owned(), secret(&entries)),
            ("tls".to_owned(), secret(&[("tls.crt", certificate), ("tls.key", key)])),
        ]);
        tokens(&shown, "qos-system", &secrets, &Clock::system(), &Arc::default()).map(|_| ())
    };
    assert_eq!(made_with(&pem, &key), Ok(()));
    let message = "keys tls.crt and tls.key of Secret qos-system/tls are no PEM certificate and private key that belong together";
    let other = p256();
    for (certificate, key) in [(pem.as_str(), "rubbish"), ("rubbish", &key), (&pem, &other), ("", "")] {
        assert_eq!(made_with(certificate, key), Err(Finding::SecretUnusable(message.to_owned())));
    }
    assert_eq!(
        made(&shown, &entries).map(|_| ()),
        Err(Finding::SecretMissing("Secret qos-system/tls does not exist".to_owned()))
    );
}

#[test]
fn scopes_of_operations_are_named_as_camara_names_them() {
    let all = json!({
        "createSession": "a", "getSession": "b", "deleteSession": "c", "extendQosSessionDuration": "d",
        "retrieveSessionsByDevice": "e", "getQosProfiles": "f", "getQosProfile": "g", "retrieveQoSProfiles": "h",
    });
    let scopes: OperationScopes = serde_json::from_value(all.clone()).unwrap();
    assert_eq!(serde_json::to_value(&scopes).unwrap(), all);
    let scopes = operation_scopes(&scopes);
    assert_eq!(scopes.len(), 8);
    assert_eq!(scopes[&Operation::RetrieveSessions], "e");
    assert_eq!(scopes[&Operation::RetrieveQosProfiles], "h");
}
