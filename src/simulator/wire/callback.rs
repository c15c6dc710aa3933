//! Reads where, and with what, a client wants to be told of its session's changes.

use k8s_openapi::jiff::Timestamp;
use url::Url;

use super::request::Later;
use super::schema::{Object, violation};
use super::{Fault, Problem, Wire};
use crate::private::Private;
use crate::simulator::settings::{Quirk, Settings};
use crate::simulator::transition::{NotifyTarget, PrivateKeyJwt};

/// How a client says where it wants to be told of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulator) enum CallbackForm {
    /// `notificationUrl`, `notificationAuthToken`
    Flat,
    /// `webhook`
    Webhook,
    /// `sink`, `sinkCredential`
    Sink,
    /// The same, https only.
    HttpsSink,
    /// The same, also with PRIVATE_KEY_JWT.
    KeySink,
}

/// The fields of the callback, and where in them the secret is that answers leave out.
pub(super) const fn callback_fields(form: CallbackForm) -> (&'static [&'static str], &'static str) {
    match form {
        CallbackForm::Flat => (&["notificationUrl", "notificationAuthToken"], "notificationAuthToken"),
        CallbackForm::Webhook => (&["webhook"], "notificationAuthToken"),
        CallbackForm::Sink | CallbackForm::HttpsSink | CallbackForm::KeySink => (&["sink", "sinkCredential"], "sinkCredential"),
    }
}

/// Reads the callback. What is wrong with it but has a place of its own in the order of the checks is noted in `later`.
pub(super) fn callback(
    wire: &Wire,
    body: &Object<'_>,
    settings: &Settings,
    later: &mut Later,
) -> Result<Option<NotifyTarget>, Problem> {
    let target = |url: &str, token: Option<&str>| NotifyTarget {
        url: Private::from(url),
        token: token.map(Private::from),
        token_expires: None,
        key: None,
        generation: wire.generation(),
        flavour: wire.dialect.flavour,
    };
    match wire.request.callback {
        CallbackForm::Flat => {
            let token = body.text("notificationAuthToken")?;
            let url = body.parsed::<Url>("notificationUrl")?.and(body.text("notificationUrl")?);
            Ok(url.map(|url| target(url, token)))
        }
        CallbackForm::Webhook => {
            let Some(webhook) = body.object("webhook")? else {
                return Ok(None);
            };
            webhook.only(&["notificationUrl", "notificationAuthToken"])?;
            let (parsed, text) = (webhook.parsed::<Url>("notificationUrl")?, webhook.text("notificationUrl")?);
            let url = parsed.and(text).ok_or_else(|| webhook.missing("notificationUrl"))?;
            let token = webhook.text("notificationAuthToken")?;
            if token.is_some_and(|token| !(20..=256).contains(&token.chars().count())) {
                later.note(violation("webhook.notificationAuthToken"));
            }
            Ok(Some(target(url, token)))
        }
        form => {
            let most = if form == CallbackForm::KeySink { 2048 } else { usize::MAX };
            let url = body.parsed::<Url>("sink")?.and(body.short("sink", most)?);
            let https = url.is_none_or(|url| url.starts_with("https://"));
            if form != CallbackForm::Sink && !https && !settings.has(Quirk::HttpSinks) {
                later.note(Problem::new(Fault::Sink, "sink not valid for the specified protocol"));
            }
            let credential = match body.object("sinkCredential")? {
                Some(credential) => self::credential(&credential, form, settings, later)?,
                None => Credential::default(),
            };
            let Credential { token, token_expires, key } = credential;
            Ok(url.map(|url| NotifyTarget { token, token_expires, key, ..target(url, None) }))
        }
    }
}

#[derive(Default)]
struct Credential {
    token: Option<Private<String>>,
    token_expires: Option<Timestamp>,
    key: Option<PrivateKeyJwt>,
}

/// `sinkCredential`: ACCESSTOKEN, and in 1.2-rc PRIVATE_KEY_JWT; what else the enum has was never supported.
fn credential(body: &Object<'_>, form: CallbackForm, settings: &Settings, later: &mut Later) -> Result<Credential, Problem> {
    match body.text("credentialType")?.ok_or_else(|| body.missing("credentialType"))? {
        "ACCESSTOKEN" => access_token(body, form, later),
        "PRIVATE_KEY_JWT" if form == CallbackForm::KeySink => private_key(body, settings, later),
        _ => {
            later.note(Problem::new(Fault::Credential, "Only Access token is supported"));
            Ok(Credential::default())
        }
    }
}

fn access_token(body: &Object<'_>, form: CallbackForm, later: &mut Later) -> Result<Credential, Problem> {
    body.only(&["credentialType", "accessToken", "accessTokenExpiresUtc", "accessTokenType"])?;
    let most = if form == CallbackForm::KeySink { 4096 } else { usize::MAX };
    let token = body.short("accessToken", most)?.ok_or_else(|| body.missing("accessToken"))?;
    let expires: Option<Timestamp> = body.parsed("accessTokenExpiresUtc")?;
    let token_expires = Some(expires.ok_or_else(|| body.missing("accessTokenExpiresUtc"))?);
    let token_type = body.text("accessTokenType")?.ok_or_else(|| body.missing("accessTokenType"))?;
    if token_type != "bearer" {
        later.note(Problem::new(Fault::TokenType, "Only bearer token is supported"));
    }
    Ok(Credential { token: Some(Private::from(token)), token_expires, key: None })
}

fn private_key(body: &Object<'_>, settings: &Settings, later: &mut Later) -> Result<Credential, Problem> {
    body.only(&["credentialType", "clientId", "tokenUri", "jwksUri"])?;
    let (client, uri) = (body.short("clientId", 128)?, body.short("tokenUri", 2048)?);
    body.short("jwksUri", 2048)?;
    if uri.is_some_and(|uri| !uri.starts_with("https://") || uri.parse::<Url>().is_err()) {
        return Err(violation("sinkCredential.tokenUri"));
    }
    if !settings.private_key_jwt {
        later.note(Problem::new(Fault::PrivateKey, "PRIVATE_KEY_JWT is not configured for this client"));
    }
    let key = PrivateKeyJwt { client_id: client.map(Private::from), token_uri: uri.map(Private::from) };
    Ok(Credential { key: Some(key), ..Credential::default() })
}
