//! From a spec and its Secrets to a source of tokens. Nothing is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::api::core::v1::Secret;
use url::Url;

use super::readiness::Finding;
use super::secrets::{Named, Secrets};
use crate::api::{ClientAuthentication, OperationScopes, QosProviderSpec, SecretNameRef};
use crate::auth::{self, Grant, PrivateKey, SettingsError, SigningAlgorithm, Tokens};
use crate::clock::Clock;
use crate::http::ClientError;
use crate::metrics::OfProvider;
use crate::private::Private;
use crate::qod::{AccessToken, Operation};

/// What the OAuth kinds of `spec.auth` have in common.
struct OAuth<'a> {
    field: &'static str,
    grant: Grant,
    scope: &'a str,
    operation_scopes: Option<&'a OperationScopes>,
    client_authentication: ClientAuthentication,
    secret: &'a SecretNameRef,
}

/// The tokens for a provider. `secrets` are those of the operator's own namespace. The result is as fresh as the spec and the
/// Secrets: where one of them changes, it is made anew.
pub(super) fn tokens(
    spec: &QosProviderSpec,
    namespace: &str,
    secrets: &BTreeMap<String, Secret>,
    clock: &Clock,
    counts: &Arc<OfProvider>,
) -> Result<Tokens, Finding> {
    let secrets = Secrets::new(namespace, secrets);
    if let Some(fixed) = &spec.auth.static_token {
        let reference = &fixed.token_secret_ref;
        let token = secrets.named(&reference.name)?.token(&reference.key)?;
        return Ok(Tokens::fixed(AccessToken::new(token)));
    }
    let oauth = oauth(spec)?;
    let secret = secrets.named(&oauth.secret.name)?;
    let mut settings = auth::Settings::new(
        oauth.grant.clone(),
        oauth.scope,
        secret.credential("client-id", "")?,
        client_authentication(&oauth, secret)?,
    );
    settings.operation_scopes = oauth.operation_scopes.map(operation_scopes).unwrap_or_default();
    settings.ca_bundle = ca_bundle(spec)?;
    settings.client_certificate = secrets.client_certificate(spec.api.client_certificate_secret_ref.as_ref())?;
    settings.request_timeout = request_timeout(spec);
    settings.clock = clock.clone();
    settings.counts = Arc::clone(counts);
    Tokens::new(settings).map_err(|error| match error {
        SettingsError::PrivateKey => secret.unusable(
            "private-key",
            "is no PEM of an RSA key, or of a P-256 key in PKCS #8 (`openssl pkcs8 -topk8 -nocrypt` writes that), or not one for the \
             algorithm",
        ),
        SettingsError::Client(ClientError::ClientCertificate) => {
            secrets.bad_certificate(spec.api.client_certificate_secret_ref.as_ref())
        }
        SettingsError::Client(ClientError::CaBundle) => Finding::Spec(format!("api.caBundle: {error}")),
        other => Finding::Spec(format!("auth.{}: {other}", oauth.field)),
    })
}

fn oauth(spec: &QosProviderSpec) -> Result<OAuth<'_>, Finding> {
    let url = |field: &str, text: &str| -> Result<Url, Finding> {
        text.parse().map_err(|_| Finding::Spec(format!("auth.{field} is no URL")))
    };
    let auth = &spec.auth;
    if let Some(client) = &auth.client_credentials {
        Ok(OAuth {
            field: "clientCredentials",
            grant: Grant::ClientCredentials { token_url: url("clientCredentials.tokenURL", &client.token_url)? },
            scope: &client.scope,
            operation_scopes: client.operation_scopes.as_ref(),
            client_authentication: client.client_authentication,
            secret: &client.client_secret_ref,
        })
    } else if let Some(ciba) = &auth.ciba {
        Ok(OAuth {
            field: "ciba",
            grant: Grant::Ciba {
                authorize_url: url("ciba.authorizeURL", &ciba.authorize_url)?,
                token_url: url("ciba.tokenURL", &ciba.token_url)?,
            },
            scope: &ciba.scope,
            operation_scopes: ciba.operation_scopes.as_ref(),
            client_authentication: ciba.client_authentication,
            secret: &ciba.client_secret_ref,
        })
    } else if let Some(bearer) = &auth.jwt_bearer {
        Ok(OAuth {
            field: "jwtBearer",
            grant: Grant::JwtBearer { token_url: url("jwtBearer.tokenURL", &bearer.token_url)? },
            scope: &bearer.scope,
            operation_scopes: bearer.operation_scopes.as_ref(),
            client_authentication: ClientAuthentication::PrivateKeyJwt,
            secret: &bearer.client_secret_ref,
        })
    } else {
        Err(Finding::Spec("auth names no way to log in".to_owned()))
    }
}

fn client_authentication(oauth: &OAuth<'_>, secret: Named<'_>) -> Result<auth::ClientAuthentication, Finding> {
    let field = oauth.field;
    let client_secret = |method: &str| -> Result<Private<String>, Finding> {
        let why = format!(", which auth.{field}.clientAuthentication {method} needs");
        Ok(secret.credential("client-secret", &why)?.into())
    };
    Ok(match oauth.client_authentication {
        ClientAuthentication::Basic => auth::ClientAuthentication::Basic(client_secret("Basic")?),
        ClientAuthentication::Post => auth::ClientAuthentication::Post(client_secret("Post")?),
        ClientAuthentication::PrivateKeyJwt => {
            let pem = secret.bytes("private-key", &format!(", which auth.{field} needs to sign assertions"))?;
            let optional = |key| secret.get(key).map(|_| secret.credential(key, "")).transpose();
            let algorithm = optional("algorithm")?.map(|name| {
                SigningAlgorithm::from_name(name).ok_or_else(|| secret.unusable("algorithm", "is not RS256, PS256 or ES256"))
            });
            auth::ClientAuthentication::PrivateKeyJwt(PrivateKey {
                pem: Private::new(pem.to_vec()),
                key_id: optional("key-id")?.map(str::to_owned),
                algorithm: algorithm.transpose()?,
            })
        }
    })
}

/// From the names of CAMARA's operations to the client's.
fn operation_scopes(scopes: &OperationScopes) -> BTreeMap<Operation, String> {
    // Without `..`, so that another operation cannot be forgotten here.
    let OperationScopes {
        create_session,
        get_session,
        delete_session,
        extend_qos_session_duration,
        retrieve_sessions_by_device,
        get_qos_profiles,
        get_qos_profile,
        retrieve_qos_profiles,
    } = scopes;
    let pairs = [
        (Operation::CreateSession, create_session),
        (Operation::GetSession, get_session),
        (Operation::DeleteSession, delete_session),
        (Operation::ExtendQosSessionDuration, extend_qos_session_duration),
        (Operation::RetrieveSessions, retrieve_sessions_by_device),
        (Operation::GetQosProfiles, get_qos_profiles),
        (Operation::GetQosProfile, get_qos_profile),
        (Operation::RetrieveQosProfiles, retrieve_qos_profiles),
    ];
    pairs.into_iter().filter_map(|(operation, scope)| Some((operation, scope.clone()?))).collect()
}

/// The certificates of `api.caBundle`, as PEM.
pub(super) fn ca_bundle(spec: &QosProviderSpec) -> Result<Option<Vec<u8>>, Finding> {
    let decoded = spec.api.ca_bundle.as_ref().map(|bundle| BASE64_STANDARD.decode(bundle.trim()));
    decoded.transpose().map_err(|_| Finding::Spec("api.caBundle is no base64".to_owned()))
}

/// How long a call may take.
pub(super) fn request_timeout(spec: &QosProviderSpec) -> Duration {
    Duration::from_secs(u64::try_from(spec.limits.request_timeout_seconds).unwrap_or(30).max(1))
}

#[cfg(test)]
mod tests;
