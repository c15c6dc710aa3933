//! Whether a request carries the secret that the provider was given. No step of it ends early because of the secret's value, and
//! it costs the same for a target that nobody knows.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use url::form_urlencoded;

/// Compared with where nothing is known. No request can carry it: it holds a byte that no header and no decoded query holds as
/// this text does, and the result is dropped all the same.
const NOBODYS: &str = "\0 nobody has this one, and it is as long as others";

/// As many secrets of one kind are looked at: a request needs one, and each costs a hash.
const PRESENTED: usize = 4;

/// Whether a request with this query and these headers carries `expected`: as a bearer, also as `Bearer Bearer` (Nokia's client
/// prefixes the token by itself), and where `in_query` is set as the query parameter `apikey` (version 0.8). `expected` none: false,
/// in the same time.
pub(super) fn carried(query: Option<&str>, headers: &HeaderMap, expected: Option<&str>, in_query: bool) -> bool {
    let tag = digest(expected.unwrap_or(NOBODYS));
    let mut found = false;
    for value in headers.get_all(AUTHORIZATION).iter().take(PRESENTED) {
        let token = value.to_str().ok().and_then(bearer).map(|first| bearer(first).unwrap_or(first));
        found |= same(token.unwrap_or_default(), tag.as_ref());
    }
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    for (_, value) in pairs.filter(|(name, _)| name == "apikey").take(PRESENTED) {
        found |= same(&value, tag.as_ref()) & in_query;
    }
    found & expected.is_some()
}

/// What follows `Bearer` (RFC 6750 section 2.1; the scheme is case-insensitive, RFC 9110 section 11.1).
fn bearer(text: &str) -> Option<&str> {
    let (scheme, rest) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim_start())
}

/// A keyed hash of the token: values of one length, so that not even the length of the secret decides how long a comparison takes.
/// The key need not be secret: it only makes this hash another one than any that is used elsewhere.
fn digest(token: &str) -> Option<Hmac<Sha256>> {
    // An HMAC takes a key of any length; if it did not, nothing would be let in.
    let mut mac = Hmac::<Sha256>::new_from_slice(b"qos-operator notification bearer").ok()?;
    mac.update(token.as_bytes());
    Some(mac)
}

/// Whether `token` has this digest; the library compares in constant time.
fn same(token: &str, tag: Option<&Hmac<Sha256>>) -> bool {
    match (digest(token), tag) {
        (Some(presented), Some(expected)) => presented.finalize() == expected.clone().finalize(),
        _ => false,
    }
}
