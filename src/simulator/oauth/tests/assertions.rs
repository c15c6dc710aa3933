//! private_key_jwt and JWT bearer.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::super::device::{Device, Identifier};
use super::super::client::ASSERTION_TYPE;
use super::super::settings::GrantType;
use super::keys::{Key, app, changed};
use super::{HINT, Office, SCOPE, Told, error, told};

impl Office {
    /// Claims of an assertion of `app-7` that is good at `path`.
    fn claims(&self, path: &str) -> Value {
        let now = self.clock.now().as_second();
        json!({"iss": "app-7", "sub": "app-7", "aud": self.url(path), "iat": now, "exp": now + 300, "jti": Uuid::new_v4()})
    }

    /// Those of a JWT bearer assertion.
    fn bearer_claims(&self) -> Value {
        changed(&self.claims("/token"), &json!({"sub": HINT, "scope": SCOPE}))
    }

    /// client_credentials with this assertion.
    async fn credentials(&self, jwt: &str) -> Told {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "qod"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", jwt),
        ];
        told(self.bare("/token", &form)).await
    }

    async fn bearer(&self, jwt: &str) -> Told {
        told(self.bare("/token", &[("grant_type", GrantType::JwtBearer.uri()), ("assertion", jwt)])).await
    }
}

#[tokio::test]
async fn an_assertion_by_each_algorithm_with_the_clients_own_key_proves_who_it_is() {
    let (ec, rsa) = (Key::ec(), Key::rsa());
    for (key, algorithm, wrong) in
        [(&ec, Algorithm::ES256, Key::ec()), (&rsa, Algorithm::RS256, Key::rsa()), (&rsa, Algorithm::PS256, Key::rsa())]
    {
        let office = Office::new(json!({"clients": [app(key)]})).await;
        let claims = office.claims("/token");
        let forged = office.credentials(&wrong.sign(algorithm, &claims)).await;
        assert_eq!(error(&forged), (401, "invalid_client"), "{algorithm:?}");
        let answer = office.credentials(&key.sign(algorithm, &claims)).await;
        let grant = office.grant(&answer).unwrap();
        assert_eq!((grant.client.as_str(), grant.subject), ("app-7", None), "{algorithm:?}");
    }
}

#[tokio::test]
async fn an_assertion_signed_with_a_shared_secret_or_a_weaker_kind_is_refused() {
    let key = Key::ec();
    let office = Office::new(json!({"clients": [app(&key)]})).await;
    let claims = office.claims("/token");
    // The classic attack: the public key as the secret of an HMAC.
    let secret = EncodingKey::from_secret(key.public_pem.as_bytes());
    let hmac = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret).unwrap();
    assert_eq!(error(&office.credentials(&hmac).await), (401, "invalid_client"));
    let good = key.sign(Algorithm::ES256, &claims);
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(error(&office.credentials(&format!("{signed}.")).await), (401, "invalid_client"));
    assert_eq!(error(&office.credentials("rubbish").await), (401, "invalid_client"));
    assert_eq!(office.credentials(&good).await.0, 200);
}

#[tokio::test]
async fn each_claim_of_a_client_assertion_is_held_to_its_rule() {
    let key = Key::ec();
    let office = Office::new(json!({"clients": [app(&key)]})).await;
    let now = office.clock.now().as_second();
    for wrong in [
        json!({"aud": "https://auth.example.com/token"}),
        json!({"aud": office.url("/bc-authorize")}),
        json!({"aud": office.url("/apigateway/token")}),
        json!({"aud": []}),
        json!({"iss": "app-8"}),
        json!({"sub": "app-8"}),
        json!({"sub": null}),
        json!({"aud": null}),
        json!({"jti": null}),
        json!({"iat": null}),
        json!({"exp": null}),
        json!({"exp": now}),
        json!({"exp": now + 302, "iat": now}),
        json!({"exp": now + 280, "iat": now - 21}),
        json!({"iat": now + 30, "exp": now + 60}),
        json!({"nbf": now + 30}),
    ] {
        let jwt = key.sign(Algorithm::ES256, &changed(&office.claims("/token"), &wrong));
        assert_eq!(error(&office.credentials(&jwt).await), (401, "invalid_client"), "{wrong}");
    }
    for right in [json!({}), json!({"aud": ["x", office.url("/token")]}), json!({"exp": now + 60, "nbf": now - 1})] {
        let jwt = key.sign(Algorithm::ES256, &changed(&office.claims("/token"), &right));
        assert_eq!(office.credentials(&jwt).await.0, 200, "{right}");
    }
}

#[tokio::test]
async fn a_jti_is_good_once_and_a_refused_assertion_has_not_used_it() {
    let key = Key::ec();
    let office = Office::new(json!({"clients": [app(&key)]})).await;
    let claims = office.claims("/token");
    let elsewhere = key.sign(Algorithm::ES256, &changed(&claims, &json!({"aud": "https://auth.example.com/token"})));
    assert_eq!(office.credentials(&elsewhere).await.0, 401);
    let jwt = key.sign(Algorithm::ES256, &claims);
    assert_eq!(office.credentials(&jwt).await.0, 200);
    assert_eq!(error(&office.credentials(&jwt).await), (401, "invalid_client"));
    let again = key.sign(Algorithm::ES256, &changed(&claims, &json!({"exp": claims["exp"].as_i64().unwrap() - 1})));
    assert_eq!(error(&office.credentials(&again).await), (401, "invalid_client"), "another assertion with the same jti");
}

#[tokio::test]
async fn an_assertion_for_the_public_url_is_taken_behind_a_proxy() {
    let key = Key::ec();
    let office = Office::new(json!({"clients": [app(&key)], "publicUrl": "https://auth.example.com"})).await;
    let claims = changed(&office.claims("/token"), &json!({"aud": "https://auth.example.com/token"}));
    assert_eq!(office.credentials(&key.sign(Algorithm::ES256, &claims)).await.0, 200);
}

#[tokio::test]
async fn a_client_assertion_asks_a_user_too() {
    let key = Key::rsa();
    let office = Office::new(json!({"clients": [app(&key)]})).await;
    let by = |path: &str| key.sign(Algorithm::PS256, &office.claims(path));
    let with = |jwt: &str, form: &[(&str, &str)]| {
        let own = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", jwt)];
        form.iter().copied().chain(own).map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let send = async |path: &str, form: Vec<(String, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        told(office.bare(path, &form)).await
    };
    let asked = send("/bc-authorize", with(&by("/bc-authorize"), &[("login_hint", HINT), ("scope", SCOPE)])).await;
    assert_eq!(asked.0, 200, "{}", asked.1);
    let id = asked.1["auth_req_id"].as_str().unwrap();
    let token = send("/token", with(&by("/token"), &[("grant_type", GrantType::Ciba.uri()), ("auth_req_id", id)])).await;
    assert!(office.grant(&token).unwrap().subject.is_some());
    let no_type = [("grant_type", "client_credentials"), ("scope", "qod"), ("client_assertion", &by("/token"))];
    assert_eq!(error(&told(office.bare("/token", &no_type)).await), (401, "invalid_client"));
}

#[tokio::test]
async fn a_jwt_bearer_assertion_gives_a_token_of_its_subject_and_no_refresh_token() {
    let key = Key::ec();
    let operator = json!({"op-1": "+447700900113"});
    let office = Office::new(json!({"clients": [app(&key)], "operatorTokens": operator})).await;
    for (sub, phone) in [(HINT, "+447700900112"), ("operatortoken:op-1", "+447700900113")] {
        let scope = format!("{SCOPE} offline_access");
        let claims = changed(&office.bearer_claims(), &json!({"sub": sub, "scope": scope}));
        let answer = office.bearer(&key.sign(Algorithm::ES256, &claims)).await;
        let grant = office.grant(&answer).unwrap();
        assert!(grant.has("qod") && !grant.has("sim-swap"));
        assert!(grant.subject.unwrap().is(&Device::new([Identifier::phone(phone)])), "{sub}");
        assert_eq!(answer.1["refresh_token"], Value::Null);
    }
    assert_eq!(office.admin.grant_counts()["jwtBearer"]["token"], 2);
}

#[tokio::test]
async fn a_jwt_bearer_request_is_refused_for_each_thing_that_is_wrong_with_it() {
    let key = Key::ec();
    let office = Office::new(json!({"clients": [app(&key)]})).await;
    let now = office.clock.now().as_second();
    for (change, expected) in [
        (json!({"iss": "app-8"}), (401, "invalid_client")),
        (json!({"sub": "ipport:203.0.113.7:5060"}), (400, "invalid_grant")),
        (json!({"sub": "+447700900112"}), (400, "invalid_grant")),
        (json!({"sub": "operatortoken:op-9"}), (400, "invalid_grant")),
        (json!({"aud": office.url("/bc-authorize")}), (400, "invalid_grant")),
        (json!({"exp": now + 302}), (400, "invalid_grant")),
        (json!({"exp": now - 1, "iat": now - 100}), (400, "invalid_grant")),
        (json!({"iat": now + 30}), (400, "invalid_grant")),
        (json!({"jti": null}), (400, "invalid_grant")),
        (json!({"scope": null}), (400, "invalid_scope")),
        (json!({"scope": "dpv:A dpv:B"}), (400, "invalid_scope")),
    ] {
        let jwt = key.sign(Algorithm::ES256, &changed(&office.bearer_claims(), &change));
        assert_eq!(error(&office.bearer(&jwt).await), expected, "{change}");
    }
    let forged = Key::ec().sign(Algorithm::ES256, &office.bearer_claims());
    assert_eq!(error(&office.bearer(&forged).await), (400, "invalid_grant"));
    let jwt = key.sign(Algorithm::ES256, &office.bearer_claims());
    for beside in [("scope", SCOPE), ("client_assertion", jwt.as_str()), ("client_secret", "x")] {
        let form = [("grant_type", GrantType::JwtBearer.uri()), ("assertion", jwt.as_str()), beside];
        assert_eq!(error(&told(office.bare("/token", &form)).await), (400, "invalid_request"), "{}", beside.0);
    }
    assert_eq!(office.bearer(&jwt).await.0, 200);
    assert_eq!(error(&office.bearer(&jwt).await), (400, "invalid_grant"), "its jti was used");
    office.admin.change(|settings| settings.oauth.consent = super::super::settings::Consent::Deny).await.unwrap();
    let jwt = key.sign(Algorithm::ES256, &office.bearer_claims());
    assert_eq!(error(&office.bearer(&jwt).await), (400, "invalid_grant"), "no consent");
}

#[tokio::test]
async fn only_a_public_key_of_a_kind_that_can_be_checked_is_registered() {
    use super::super::super::settings::Settings;
    let with = |pem: String| Settings::default().merged(json!({"oauth": {"clients": [{"clientId": "a", "publicKeyPem": pem}]}}));
    let pair = |kind| rcgen::KeyPair::generate_for(kind).unwrap();
    for pem in [
        "rubbish".to_owned(),
        pair(&rcgen::PKCS_ECDSA_P256_SHA256).serialize_pem(),
        pair(&rcgen::PKCS_ECDSA_P384_SHA384).public_key_pem(),
        pair(&rcgen::PKCS_ED25519).public_key_pem(),
    ] {
        let error = with(pem).unwrap_err().to_string();
        assert_eq!(error, "settings: oauth.clients.publicKeyPem must be a public RSA or P-256 key in PEM form");
    }
    assert!(with(Key::ec().public_pem).is_ok() && with(Key::rsa().public_pem).is_ok());
}
