//! From a spec and its Secrets to a client and a token. Nothing is sent.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::login::{ca_bundle, request_timeout};
use super::readiness::Finding;
use super::secrets::Secrets;
use crate::api::{ProviderApi, ProviderAuth, QosProviderSpec};
use crate::clock::Clock;
use crate::http::ClientCertificate;
use crate::private::Private;
use crate::qod::{self, AccessToken, Client, Generation, SettingsError};

/// What the Secrets of a provider hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Credentials {
    token: AccessToken,
    extra_headers: Private<HeaderMap>,
    client_certificate: Option<ClientCertificate>,
}

/// What a client and a probe are made of: where one of these changes, both are made anew.
#[derive(Clone, PartialEq)]
pub(super) struct Basis {
    api: ProviderApi,
    auth: ProviderAuth,
    request_timeout_seconds: i32,
    credentials: Result<Credentials, Finding>,
}

impl Basis {
    pub(super) fn new(spec: &QosProviderSpec, credentials: Result<Credentials, Finding>) -> Self {
        let (api, auth) = (spec.api.clone(), spec.auth.clone());
        Self { api, auth, request_timeout_seconds: spec.limits.request_timeout_seconds, credentials }
    }

    /// Whether profiles that the one offered are still those of the other.
    pub(super) fn same_api(&self, other: &Self) -> bool {
        self.api == other.api
    }

    /// A client and its token, or why there is none.
    pub(super) fn connect(&self, spec: &QosProviderSpec, clock: &Clock) -> Result<(Client, AccessToken), Finding> {
        let credentials = self.credentials.clone()?;
        Ok((client(spec, &credentials, clock)?, credentials.token))
    }
}

/// The generation that the spec names.
pub(super) fn generation(spec: &QosProviderSpec) -> Generation {
    use crate::api::ApiVersion as Version;
    match spec.api.version {
        Version::V0_8 => Generation::V0_8,
        Version::V0_9 => Generation::V0_9,
        Version::V0_10 => Generation::V0_10,
        Version::V0_11 => Generation::V0_11,
        Version::V1_0 => Generation::V1_0,
        Version::V1_1 => Generation::V1_1,
        Version::V1_2 => Generation::V1_2,
    }
}

/// Reads the credentials. `secrets` are those of the operator's own namespace.
pub(super) fn credentials(
    spec: &QosProviderSpec,
    namespace: &str,
    secrets: &BTreeMap<String, Secret>,
) -> Result<Credentials, Finding> {
    let secrets = Secrets::new(namespace, secrets);
    if !generation(spec).is_supported() {
        return Err(Finding::Spec(format!("api.version {} is not supported by this version of the operator", spec.api.version)));
    }
    let Some(auth) = &spec.auth.static_token else {
        let field = auth_field(&spec.auth);
        return Err(Finding::Spec(format!("auth.{field} is not supported by this version of the operator")));
    };
    let reference = &auth.token_secret_ref;
    let token = secrets.named(&reference.name)?.token(&reference.key)?;
    let mut extra_headers = HeaderMap::new();
    if let Some(reference) = &spec.api.extra_headers_secret_ref {
        let secret = secrets.named(&reference.name)?;
        for (key, value) in secret.entries() {
            let header = HeaderName::try_from(key).map_err(|_| secret.unusable(key, "is no name of an HTTP header"))?;
            let value = HeaderValue::from_bytes(value.0.trim_ascii())
                .map_err(|_| secret.unusable(key, "cannot be the value of a header"))?;
            extra_headers.insert(header, value);
        }
    }
    let client_certificate = secrets.client_certificate(spec.api.client_certificate_secret_ref.as_ref())?;
    Ok(Credentials { token: AccessToken::new(token), extra_headers: Private::new(extra_headers), client_certificate })
}

/// A client for the spec.
fn client(spec: &QosProviderSpec, credentials: &Credentials, clock: &Clock) -> Result<Client, Finding> {
    let url = |field: &str, text: &str| text.parse().map_err(|_| Finding::Spec(format!("api.{field} is no URL")));
    let mut settings = qod::Settings::new(generation(spec), url("baseURL", &spec.api.base_url)?);
    settings.profiles_url = spec.api.profiles_url.as_deref().map(|text| url("profilesURL", text)).transpose()?;
    settings.ca_bundle = ca_bundle(spec)?;
    settings.client_certificate.clone_from(&credentials.client_certificate);
    settings.request_timeout = request_timeout(spec);
    settings.extra_headers = credentials.extra_headers.clone();
    settings.clock = clock.clone();
    Client::new(settings).map_err(|error| match error {
        SettingsError::ClientCertificate => Finding::SecretUnusable(
            "the Secret of api.clientCertificateSecretRef holds no PEM certificate and private key that belong together"
                .to_owned(),
        ),
        other => Finding::Spec(other.to_string()),
    })
}

fn auth_field(auth: &ProviderAuth) -> &'static str {
    match auth {
        ProviderAuth { client_credentials: Some(_), .. } => "clientCredentials",
        ProviderAuth { ciba: Some(_), .. } => "ciba",
        ProviderAuth { jwt_bearer: Some(_), .. } => "jwtBearer",
        _ => "staticToken is missing, and what stands there",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;

    pub(in crate::provider) fn spec(change: serde_json::Value) -> QosProviderSpec {
        let mut spec = json!({
            "api": {"version": "v0.10", "baseURL": "https://api.example.com/qod/v0"},
            "auth": {"staticToken": {"tokenSecretRef": {"name": "telefonica"}}},
        });
        if let (Some(spec), serde_json::Value::Object(change)) = (spec.as_object_mut(), change) {
            spec.extend(change);
        }
        serde_json::from_value(spec).unwrap()
    }

    fn secrets(name: &str, key: &str, value: &[u8]) -> BTreeMap<String, Secret> {
        let data = BTreeMap::from([(key.to_owned(), ByteString(value.to_vec()))]);
        BTreeMap::from([(name.to_owned(), Secret { data: Some(data), ..Secret::default() })])
    }

    fn token(value: &[u8]) -> Result<String, Finding> {
        credentials(&spec(json!({})), "qos-system", &secrets("telefonica", "token", value))
            .map(|credentials| credentials.token.expose().to_owned())
    }

    #[test]
    fn white_space_around_a_token_is_trimmed_and_inside_refused_without_showing_the_value() {
        assert_eq!(token(b"abc\n"), Ok("abc".to_owned()));
        assert_eq!(token(b" abc\r\n"), Ok("abc".to_owned()));
        for (value, problem) in [
            (&b"secret\nvalue"[..], "has white space inside"),
            (b"secret value", "has white space inside"),
            (b" \n", "is empty"),
            (b"", "is empty"),
            (b"secret\xff", "is no text"),
            ("secret\u{e9}".as_bytes(), "holds characters that no token has"),
            (b"secret\x07", "holds characters that no token has"),
        ] {
            let message = format!("key token of Secret qos-system/telefonica {problem}");
            assert_eq!(token(value), Err(Finding::SecretUnusable(message)));
        }
    }

    #[test]
    fn a_missing_secret_and_a_missing_key_are_named() {
        let none = credentials(&spec(json!({})), "qos-system", &BTreeMap::new());
        assert_eq!(none, Err(Finding::SecretMissing("Secret qos-system/telefonica does not exist".to_owned())));
        let other = credentials(&spec(json!({})), "qos-system", &secrets("telefonica", "password", b"abc"));
        assert_eq!(other, Err(Finding::SecretMissing("Secret qos-system/telefonica has no key token".to_owned())));
    }

    #[test]
    fn what_this_version_cannot_do_is_named_by_its_field() {
        let oauth = json!({"auth": {"clientCredentials": {
            "tokenURL": "https://api.example.com/token", "scope": "qod", "clientSecretRef": {"name": "telefonica"},
        }}});
        let version = json!({"api": {"version": "v1.1", "baseURL": "https://api.example.com/qod/v1"}});
        for (change, field) in [(oauth, "auth.clientCredentials"), (version, "api.version v1.1")] {
            let refused = credentials(&spec(change), "qos-system", &BTreeMap::new());
            let message = format!("{field} is not supported by this version of the operator");
            assert_eq!(refused, Err(Finding::Spec(message)));
        }
    }

    #[test]
    fn a_client_is_made_of_a_good_spec_and_a_bad_bundle_is_refused() {
        let secrets = secrets("telefonica", "token", b"abc");
        let credentials = credentials(&spec(json!({})), "qos-system", &secrets).unwrap();
        assert!(client(&spec(json!({})), &credentials, &Clock::system()).is_ok());
        let bad = spec(json!({"api": {"version": "v0.10", "baseURL": "https://api.example.com", "caBundle": "no base64!"}}));
        let refused = client(&bad, &credentials, &Clock::system()).map(|_| ());
        assert_eq!(refused, Err(Finding::Spec("api.caBundle is no base64".to_owned())));
    }
}
