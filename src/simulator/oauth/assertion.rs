//! Assertions: JWTs that a client signs with its key (RFC 7523), with the limits of CAMARA's profile.

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Request;
use super::settings::OauthSettings;
use crate::clock::later;
use crate::private::Private;

/// The longest that an assertion may live, in seconds (CAMARA's profile).
const LONGEST: f64 = 300.0;

/// The claims; all but the last two must be there.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    /// The client, or in a JWT bearer assertion the device.
    pub(super) sub: Private<String>,
    aud: Audience,
    /// Seconds since 1970, perhaps with a fraction (RFC 7519 section 2).
    exp: f64,
    iat: f64,
    jti: Private<String>,
    nbf: Option<f64>,
    /// Only in a JWT bearer assertion.
    pub(super) scope: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    More(Vec<String>),
}

impl Claims {
    /// Whether it is for the URL that was called.
    pub(super) fn is_for(&self, request: &Request, settings: &OauthSettings) -> bool {
        let public = settings.public_url.as_ref().map(|url| format!("{url}{}", request.path));
        let called = |aud: &String| request.url.as_ref() == Some(aud) || public.as_ref() == Some(aud);
        match &self.aud {
            Audience::One(aud) => called(aud),
            Audience::More(all) => all.iter().any(called),
        }
    }

    /// Whether it holds at `now`: not over, not from the future, and for at most 300 s from its `iat`, hence from now too.
    pub(super) fn is_timely(&self, now: Timestamp) -> bool {
        let now = now.as_duration().as_secs_f64();
        let begun = self.iat <= now && self.nbf.is_none_or(|nbf| nbf <= now);
        begun && now < self.exp && self.exp - self.iat <= LONGEST
    }
}

/// Who claims to have issued `jwt`; not proved.
pub(super) fn issuer(jwt: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    jsonwebtoken::dangerous::insecure_decode_claims::<Issuer>(jwt).ok().map(|claims| claims.iss)
}

/// The claims of `jwt`, if it is signed with the key of `pem` by RS256, PS256 or ES256.
pub(super) fn verified(jwt: &str, pem: &str) -> Option<Claims> {
    let algorithm = jsonwebtoken::decode_header(jwt).ok()?.alg;
    let key = match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
        Algorithm::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
        _ => return None,
    };
    let mut signature_only = Validation::new(algorithm);
    // The times are held to the simulator's clock, which the library does not know.
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    signature_only.required_spec_claims.clear();
    jsonwebtoken::decode(jwt, &key.ok()?, &signature_only).ok().map(|data| data.claims)
}

/// Whether `pem` is a public key of a kind that [`verified`] takes. A private key is none: settings are shown.
pub(super) fn is_key(pem: &str) -> bool {
    // A point of P-256, uncompressed.
    let p256 = |key: &DecodingKey| key.try_get_as_bytes().is_ok_and(|point| point.len() == 65);
    let known =
        DecodingKey::from_rsa_pem(pem.as_bytes()).is_ok() || DecodingKey::from_ec_pem(pem.as_bytes()).is_ok_and(|key| p256(&key));
    known && !pem.contains("PRIVATE")
}

/// The `jti`s that were used, each with its issuer, until their assertions are over anyway.
#[derive(Debug, Default)]
pub(super) struct Used(HashMap<(String, Private<String>), Timestamp>);

impl Used {
    /// Notes the use of an assertion that is good otherwise; false: it is not the first.
    pub(super) fn first(&mut self, claims: &Claims, now: Timestamp) -> bool {
        self.0.retain(|_, over| *over > now);
        // A good one lives for no longer than this.
        let over = later(now, SignedDuration::from_secs_f64(LONGEST));
        self.0.insert((claims.iss.clone(), claims.jti.clone()), over).is_none()
    }
}
