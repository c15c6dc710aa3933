//! The requests, as they are sent.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use k8s_openapi::jiff::Timestamp;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::assertion::Signer;
use crate::auth::settings::{ClientAuthentication, Settings, SettingsError};
use crate::auth::subject::Subject;
use crate::private::Private;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A request to a token endpoint or a backchannel authentication endpoint: a POST of a form.
#[derive(Clone, Debug)]
pub struct Request {
    /// The endpoint.
    pub url: Url,
    /// The value of `Authorization`.
    pub authorization: Option<Private<String>>,
    /// The body, `application/x-www-form-urlencoded`.
    pub form: Private<String>,
}

/// The client, as it shows itself to the provider.
#[derive(Clone, Debug)]
pub(in crate::auth) struct Client {
    pub(in crate::auth) id: String,
    authentication: Authentication,
}

#[derive(Clone, Debug)]
enum Authentication {
    /// The header's value.
    Basic(Private<String>),
    /// The secret.
    Post(Private<String>),
    Assertion(Box<Signer>),
}

/// An assertion could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) struct Unsigned;

/// Keys and values in the order in which they are sent.
type Pairs<'a> = &'a [(&'a str, &'a str)];

impl Client {
    pub(in crate::auth) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let id = settings.client_id.clone();
        let authentication = match &settings.client_authentication {
            ClientAuthentication::Basic(secret) => {
                let pair = format!("{}:{}", encoded(&id), encoded(secret.expose()));
                Authentication::Basic(Private::new(format!("Basic {}", BASE64_STANDARD.encode(pair))))
            }
            ClientAuthentication::Post(secret) => Authentication::Post(secret.clone()),
            ClientAuthentication::PrivateKeyJwt(key) => Authentication::Assertion(Box::new(Signer::new(key)?)),
        };
        Ok(Self { id, authentication })
    }

    /// The client asks for a token of its own (RFC 6749, section 4.4.2).
    pub(in crate::auth) fn client_credentials(&self, url: &Url, scope: &str, now: Timestamp) -> Result<Request, Unsigned> {
        self.request(url, &[("grant_type", "client_credentials"), ("scope", scope)], now)
    }

    /// The client asks for a subscriber's consent (OpenID CIBA Core, section 7.1).
    pub(in crate::auth) fn authorize(&self, url: &Url, who: &Subject, scope: &str, now: Timestamp) -> Result<Request, Unsigned> {
        self.request(url, &[("login_hint", who.expose()), ("scope", scope)], now)
    }

    /// The client asks whether consent was given (OpenID CIBA Core, section 10.1).
    pub(in crate::auth) fn poll(&self, url: &Url, auth_req_id: &str, now: Timestamp) -> Result<Request, Unsigned> {
        self.request(url, &[("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", auth_req_id)], now)
    }

    /// The client renews a token without asking the subscriber again (RFC 6749, section 6).
    pub(in crate::auth) fn refresh(&self, url: &Url, refresh_token: &str, now: Timestamp) -> Result<Request, Unsigned> {
        self.request(url, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)], now)
    }

    /// The client vouches for a device (RFC 7523, section 2.1; the scope is a claim, as CAMARA has it). The assertion is the
    /// client's authentication too, so there is none beside it.
    pub(in crate::auth) fn jwt_bearer(&self, url: &Url, who: &Subject, scope: &str, now: Timestamp) -> Result<Request, Unsigned> {
        let Authentication::Assertion(signer) = &self.authentication else { return Err(Unsigned) };
        let assertion = signer.sign(&self.id, who.expose(), url.as_str(), Some(scope), now).ok_or(Unsigned)?;
        let pairs = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.expose().as_str())];
        Ok(Request { url: url.clone(), authorization: None, form: form(&pairs) })
    }

    /// The request with the client's authentication.
    fn request(&self, url: &Url, grant: Pairs<'_>, now: Timestamp) -> Result<Request, Unsigned> {
        let assertion;
        let mut pairs: Vec<(&str, &str)> = grant.to_vec();
        let (authorization, form) = match &self.authentication {
            Authentication::Basic(value) => (Some(value.clone()), form(&pairs)),
            Authentication::Post(secret) => {
                pairs.extend([("client_id", self.id.as_str()), ("client_secret", secret.expose())]);
                (None, form(&pairs))
            }
            Authentication::Assertion(signer) => {
                assertion = signer.sign(&self.id, &self.id, url.as_str(), None, now).ok_or(Unsigned)?;
                pairs.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.expose())]);
                (None, form(&pairs))
            }
        };
        Ok(Request { url: url.clone(), authorization, form })
    }
}

fn form(pairs: &[(&str, &str)]) -> Private<String> {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
    Private::new(pairs.join("&"))
}

/// As in a form, but with `%20` for a space: that is one to every decoder, while not all read `+` as one.
fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::settings::Grant;

    fn client(authentication: ClientAuthentication) -> Client {
        let grant = Grant::ClientCredentials { token_url: url() };
        Client::new(&Settings::new(grant, "qod", "app:7", authentication)).unwrap()
    }

    fn url() -> Url {
        "https://auth.example.com/token".parse().unwrap()
    }

    #[test]
    fn characters_that_mean_something_in_a_form_are_encoded() {
        let client = client(ClientAuthentication::Post("s&=+ #%".into()));
        let request =
            client.authorize(&url(), &Subject::tel("+447700900123"), "openid dpv:X#qod", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            request.form.expose(),
            "login_hint=tel%3A%2B447700900123&scope=openid%20dpv%3AX%23qod&client_id=app%3A7&client_secret=s%26%3D%2B%20%23%25"
        );
        assert_eq!(request.authorization, None);
    }

    #[test]
    fn id_and_secret_are_encoded_before_they_are_joined_by_a_colon() {
        let client = client(ClientAuthentication::Basic("p:q r".into()));
        let request = client.client_credentials(&url(), "qod", Timestamp::UNIX_EPOCH).unwrap();
        let value = request.authorization.unwrap().into_inner();
        let pair = BASE64_STANDARD.decode(value.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "app%3A7:p%3Aq%20r");
        assert_eq!(request.form.expose(), "grant_type=client_credentials&scope=qod");
    }

    #[test]
    fn no_request_prints_what_it_carries() {
        let client = client(ClientAuthentication::Basic("hidden".into()));
        let request = client.authorize(&url(), &Subject::tel("+447700900123"), "qod", Timestamp::UNIX_EPOCH).unwrap();
        let printed = format!("{client:?} {request:?}");
        assert!(!printed.contains("hidden") && !printed.contains("447700900123") && !printed.contains("Basic YXBw"), "{printed}");
    }
}
