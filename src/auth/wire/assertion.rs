//! Signed assertions (RFC 7523): the client's authentication, or the grant itself.

use std::fmt;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::auth::settings::{PrivateKey, SettingsError, SigningAlgorithm};
use crate::private::Private;

/// CAMARA allows 300 s from issue and from receipt.
const LIFE: SignedDuration = SignedDuration::from_secs(180);

/// A key that signs, and how.
#[derive(Clone)]
pub(in crate::auth) struct Signer {
    key: EncodingKey,
    header: Header,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

impl Signer {
    /// Reads the key, and signs once to see that it can.
    pub(in crate::auth) fn new(key: &PrivateKey) -> Result<Self, SettingsError> {
        use SigningAlgorithm::{Es256, Ps256, Rs256};
        let pem = key.pem.expose();
        let rsa = EncodingKey::from_rsa_pem(pem);
        let (algorithm, encoding) = match (key.algorithm, rsa) {
            (None | Some(Rs256), Ok(rsa)) => (Algorithm::RS256, rsa),
            (Some(Ps256), Ok(rsa)) => (Algorithm::PS256, rsa),
            (None | Some(Es256), _) => (Algorithm::ES256, EncodingKey::from_ec_pem(pem).map_err(|_| SettingsError::PrivateKey)?),
            (Some(Rs256 | Ps256), Err(_)) => return Err(SettingsError::PrivateKey),
        };
        let header = Header { kid: key.key_id.clone(), ..Header::new(algorithm) };
        let signer = Self { key: encoding, header };
        signer.sign("-", "-", "-", None, Timestamp::UNIX_EPOCH).ok_or(SettingsError::PrivateKey)?;
        Ok(signer)
    }

    /// An assertion of `issuer` about `subject`, for the endpoint `audience` alone, that no other one equals. None: it cannot be
    /// signed, which [`Signer::new`] has ruled out.
    pub(super) fn sign(
        &self,
        issuer: &str,
        subject: &str,
        audience: &str,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Option<Private<String>> {
        let claims = Claims {
            iss: issuer,
            sub: subject,
            aud: audience,
            iat: now.as_second(),
            exp: now.as_second() + LIFE.as_secs(),
            jti: uuid::Uuid::new_v4().to_string(),
            scope,
        };
        encode(&self.header, &claims, &self.key).ok().map(Private::new)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("algorithm", &self.header.alg).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pem: &str, algorithm: Option<SigningAlgorithm>) -> PrivateKey {
        PrivateKey { pem: Private::new(pem.as_bytes().to_vec()), key_id: Some("k1".to_owned()), algorithm }
    }

    #[test]
    fn a_key_that_cannot_sign_is_refused_when_it_is_read() {
        let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
        assert!(Signer::new(&key(&p256, None)).is_ok());
        assert!(Signer::new(&key(&p256, Some(SigningAlgorithm::Es256))).is_ok());
        for (pem, algorithm) in [
            (p256.as_str(), Some(SigningAlgorithm::Rs256)),
            (&p256, Some(SigningAlgorithm::Ps256)),
            (&p384, None),
            ("no key", None),
            ("", Some(SigningAlgorithm::Es256)),
        ] {
            let refused = Signer::new(&key(pem, algorithm)).map(|_| ());
            assert_eq!(refused, Err(SettingsError::PrivateKey), "{algorithm:?}");
        }
    }

    #[test]
    fn neither_a_signer_nor_its_settings_print_the_key() {
        let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        let settings = key(&pem, None);
        let signer = Signer::new(&settings).unwrap();
        let printed = format!("{settings:?} {signer:?}");
        let inside = pem.lines().nth(1).unwrap();
        assert!(!printed.contains(inside) && !printed.contains("PRIVATE KEY"), "{printed}");
    }
}
