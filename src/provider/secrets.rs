//! What stands in the Secrets of the operator's own namespace. A problem names Secret and key, never the value.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::readiness::Finding;
use crate::api::SecretNameRef;
use crate::http::ClientCertificate;

/// All Secrets of a namespace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Secrets<'a> {
    namespace: &'a str,
    all: &'a BTreeMap<String, Secret>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    namespace: &'a str,
    name: &'a str,
    secret: &'a Secret,
}

impl<'a> Secrets<'a> {
    pub(super) fn new(namespace: &'a str, all: &'a BTreeMap<String, Secret>) -> Self {
        Self { namespace, all }
    }

    pub(super) fn named(self, name: &'a str) -> Result<Named<'a>, Finding> {
        let namespace = self.namespace;
        let missing = || Finding::SecretMissing(format!("Secret {namespace}/{name} does not exist"));
        Ok(Named { namespace, name, secret: self.all.get(name).ok_or_else(missing)? })
    }

    /// The client certificate in a Secret of type `kubernetes.io/tls`.
    pub(super) fn client_certificate(self, reference: Option<&'a SecretNameRef>) -> Result<Option<ClientCertificate>, Finding> {
        let Some(reference) = reference else { return Ok(None) };
        let secret = self.named(&reference.name)?;
        Ok(Some(ClientCertificate::new(secret.bytes("tls.crt", "")?, secret.bytes("tls.key", "")?)))
    }

    /// The client certificate of that Secret was read, and cannot be used.
    pub(super) fn bad_certificate(self, reference: Option<&SecretNameRef>) -> Finding {
        let name = reference.map_or("", |reference| &reference.name);
        Finding::SecretUnusable(format!(
            "keys tls.crt and tls.key of Secret {}/{name} are no PEM certificate and private key that belong together",
            self.namespace
        ))
    }
}

impl<'a> Named<'a> {
    /// All its keys.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a String, &'a ByteString)> {
        self.secret.data.iter().flatten()
    }

    /// What stands under `key`; `why` says in the problem who needs it.
    pub(super) fn bytes(self, key: &str, why: &str) -> Result<&'a [u8], Finding> {
        let missing = || Finding::SecretMissing(format!("Secret {}/{} has no key {key}{why}", self.namespace, self.name));
        self.get(key).ok_or_else(missing)
    }

    /// What stands under `key`, if it is there.
    pub(super) fn get(self, key: &str) -> Option<&'a [u8]> {
        Some(&self.secret.data.as_ref()?.get(key)?.0)
    }

    /// What is wrong with the value of `key`.
    pub(super) fn unusable(self, key: &str, problem: &str) -> Finding {
        Finding::SecretUnusable(format!("key {key} of Secret {}/{} {problem}", self.namespace, self.name))
    }

    /// A token under `key`, without the white space around it.
    pub(super) fn token(self, key: &str) -> Result<&'a str, Finding> {
        let text = trimmed(self.bytes(key, "")?).map_err(|problem| self.unusable(key, problem))?;
        if text.contains(char::is_whitespace) {
            Err(self.unusable(key, "has white space inside"))
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err(self.unusable(key, "holds characters that no token has"))
        } else {
            Ok(text)
        }
    }

    /// A client's id, secret or key id under `key`, without the white space around it (RFC 6749, appendix A: visible ASCII and
    /// spaces).
    pub(super) fn credential(self, key: &str, why: &str) -> Result<&'a str, Finding> {
        let text = trimmed(self.bytes(key, why)?).map_err(|problem| self.unusable(key, problem))?;
        if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            Ok(text)
        } else {
            Err(self.unusable(key, "holds characters that no credential has"))
        }
    }
}

/// The text without the white space around it, or what is wrong with it.
fn trimmed(bytes: &[u8]) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is no text")?.trim();
    if text.is_empty() { Err("is empty") } else { Ok(text) }
}
