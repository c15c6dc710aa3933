//! Keys that sign assertions, and what verifies them.

use std::collections::HashSet;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation};
use qos_operator::auth::{PrivateKey, SigningAlgorithm};
use serde_json::Value;

/// A private key and its public half, as PEM.
pub(crate) struct Key {
    private: String,
    public: String,
    rsa: bool,
}

impl Key {
    pub(crate) fn p256() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self { private: pair.serialize_pem(), public: pair.public_key_pem(), rsa: false }
    }

    pub(crate) fn rsa() -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Self { private: pem("PRIVATE KEY", private.as_ref()), public: pem("PUBLIC KEY", public.as_ref()), rsa: true }
    }

    /// The private half, as a Secret holds it.
    pub(crate) fn private_pem(&self) -> &str {
        &self.private
    }

    /// The public half, as the client is registered with it.
    pub(crate) fn public_pem(&self) -> &str {
        &self.public
    }

    /// As a client's setting.
    pub(super) fn setting(&self, algorithm: Option<SigningAlgorithm>) -> PrivateKey {
        PrivateKey { pem: self.private.as_bytes().to_vec().into(), key_id: Some("key-1".to_owned()), algorithm }
    }

    /// A line of the private key, by which a leak would be known.
    pub(super) fn secret(&self) -> &str {
        self.private.lines().nth(1).unwrap()
    }

    /// The assertion's header and claims, if this key signed it with that algorithm. Its times are the caller's affair.
    pub(super) fn verified(&self, jwt: &str, algorithm: Algorithm) -> Result<TokenData<Value>, String> {
        let pem = self.public.as_bytes();
        let key = if self.rsa { DecodingKey::from_rsa_pem(pem) } else { DecodingKey::from_ec_pem(pem) }.unwrap();
        let mut validation = Validation::new(algorithm);
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims = HashSet::new();
        jsonwebtoken::decode(jwt, &key, &validation).map_err(|error| format!("the assertion is not signed: {error}"))
    }
}

/// DER as PEM.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
