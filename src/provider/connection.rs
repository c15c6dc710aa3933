//! From a spec and its Secrets to a client and a token. Nothing is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::access::Access;
use super::login::{self, ca_bundle, request_timeout};
use super::readiness::Finding;
use super::secrets::Secrets;
use crate::api::{CallbackField, PortsForm, ProviderApi, ProviderAuth, QosProviderSpec};
use crate::clock::Clock;
use crate::metrics::OfProvider;
use crate::private::Private;
use crate::qod::{self, Client, Generation, SettingsError};

/// What a client and its tokens are made of: where one of these changes, both are made anew.
#[derive(Clone, PartialEq)]
pub(super) struct Basis {
    api: ProviderApi,
    auth: ProviderAuth,
    request_timeout_seconds: i32,
    /// The data of the Secrets that the spec names, by name.
    secrets: BTreeMap<String, Secret>,
}

impl Basis {
    /// `secrets` are those of the operator's own namespace.
    pub(super) fn new(spec: &QosProviderSpec, secrets: &BTreeMap<String, Secret>) -> Self {
        let data = |secret: &Secret| Secret { data: secret.data.clone(), ..Secret::default() };
        let named = named(spec).into_iter().filter_map(|name| Some((name.to_owned(), data(secrets.get(name)?))));
        Self {
            api: spec.api.clone(),
            auth: spec.auth.clone(),
            request_timeout_seconds: spec.limits.request_timeout_seconds,
            secrets: named.collect(),
        }
    }

    /// Whether profiles that the one offered are still those of the other.
    pub(super) fn same_api(&self, other: &Self) -> bool {
        self.api == other.api
    }

    /// A client and its tokens, or why there are none.
    pub(super) fn connect(
        &self,
        spec: &QosProviderSpec,
        namespace: &str,
        clock: &Clock,
        counts: &Arc<OfProvider>,
    ) -> Result<Access, Finding> {
        let tokens = login::tokens(spec, namespace, &self.secrets, clock, counts)?;
        Ok(Access { client: client(spec, namespace, &self.secrets, clock)?, tokens, counts: Arc::clone(counts) })
    }
}

/// The Secrets that a spec names.
fn named(spec: &QosProviderSpec) -> BTreeSet<&str> {
    let auth = &spec.auth;
    [
        auth.static_token.as_ref().map(|auth| &auth.token_secret_ref.name),
        auth.client_credentials.as_ref().map(|auth| &auth.client_secret_ref.name),
        auth.ciba.as_ref().map(|auth| &auth.client_secret_ref.name),
        auth.jwt_bearer.as_ref().map(|auth| &auth.client_secret_ref.name),
        spec.api.extra_headers_secret_ref.as_ref().map(|reference| &reference.name),
        spec.api.client_certificate_secret_ref.as_ref().map(|reference| &reference.name),
    ]
    .into_iter()
    .flatten()
    .map(String::as_str)
    .collect()
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

fn extra_headers(spec: &QosProviderSpec, secrets: Secrets<'_>) -> Result<HeaderMap, Finding> {
    let mut headers = HeaderMap::new();
    if let Some(reference) = &spec.api.extra_headers_secret_ref {
        let secret = secrets.named(&reference.name)?;
        for (key, value) in secret.entries() {
            let header = HeaderName::try_from(key).map_err(|_| secret.unusable(key, "is no name of an HTTP header"))?;
            let value = HeaderValue::from_bytes(value.0.trim_ascii())
                .map_err(|_| secret.unusable(key, "cannot be the value of a header"))?;
            headers.insert(header, value);
        }
    }
    Ok(headers)
}

/// A client for the spec.
fn client(spec: &QosProviderSpec, namespace: &str, secrets: &BTreeMap<String, Secret>, clock: &Clock) -> Result<Client, Finding> {
    let secrets = Secrets::new(namespace, secrets);
    let url = |field: &str, text: &str| text.parse().map_err(|_| Finding::Spec(format!("api.{field} is no URL")));
    let mut settings = qod::Settings::new(generation(spec), url("baseURL", &spec.api.base_url)?);
    settings.profiles_url = spec.api.profiles_url.as_deref().map(|text| url("profilesURL", text)).transpose()?;
    settings.ca_bundle = ca_bundle(spec)?;
    settings.client_certificate = secrets.client_certificate(spec.api.client_certificate_secret_ref.as_ref())?;
    settings.request_timeout = request_timeout(spec);
    settings.extra_headers = Private::new(extra_headers(spec, secrets)?);
    settings.clock = clock.clone();
    settings.single_port = spec.api.ports == PortsForm::Single;
    settings.callback_field = match spec.api.callback_field {
        CallbackField::Auto => qod::CallbackField::Auto,
        CallbackField::Webhook => qod::CallbackField::Webhook,
        CallbackField::Sink => qod::CallbackField::Sink,
    };
    Client::new(settings).map_err(|error| match error {
        SettingsError::ClientCertificate => secrets.bad_certificate(spec.api.client_certificate_secret_ref.as_ref()),
        other => Finding::Spec(other.to_string()),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use futures::FutureExt as _;
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;
    use crate::qod::Operation;

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

    fn connect(spec: &QosProviderSpec, secrets: &BTreeMap<String, Secret>) -> Result<Access, Finding> {
        Basis::new(spec, secrets).connect(spec, "qos-system", &Clock::system(), &Arc::default())
    }

    fn token(value: &[u8]) -> Result<String, Finding> {
        connect(&spec(json!({})), &secrets("telefonica", "token", value)).map(|access| {
            let token = access.tokens.get(None, Operation::GetSession).now_or_never().unwrap().unwrap();
            token.expose().to_owned()
        })
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
        let none = connect(&spec(json!({})), &BTreeMap::new()).err();
        assert_eq!(none, Some(Finding::SecretMissing("Secret qos-system/telefonica does not exist".to_owned())));
        let other = connect(&spec(json!({})), &secrets("telefonica", "password", b"abc")).err();
        assert_eq!(other, Some(Finding::SecretMissing("Secret qos-system/telefonica has no key token".to_owned())));
    }

    #[test]
    fn only_a_secret_that_the_spec_names_makes_a_connection_anew() {
        let of = |value: &[u8], other: &[u8]| {
            let mut all = secrets("telefonica", "token", value);
            all.extend(secrets("somebody-elses", "token", other));
            Basis::new(&spec(json!({})), &all)
        };
        assert!(of(b"abc", b"1") == of(b"abc", b"2"));
        assert!(of(b"abc", b"1") != of(b"abd", b"1"));
    }

    #[test]
    fn a_client_is_made_of_a_good_spec_and_a_bad_bundle_is_refused() {
        let secrets = secrets("telefonica", "token", b"abc");
        assert!(connect(&spec(json!({})), &secrets).is_ok());
        let bad = spec(json!({"api": {"version": "v0.10", "baseURL": "https://api.example.com", "caBundle": "no base64!"}}));
        assert_eq!(connect(&bad, &secrets).err(), Some(Finding::Spec("api.caBundle is no base64".to_owned())));
    }
}
