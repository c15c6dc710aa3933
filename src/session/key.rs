//! The operator's key: 32 random bytes in a Secret of its own namespace, made once and never overwritten. Hashes under it tell that
//! two values are equal without telling the values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, PostParams};
use sha2::Sha256;

use crate::private::Private;

/// The key of the Secret's data.
const ENTRY: &str = "key";
const TRIES: usize = 5;

/// The key; clones share it.
#[derive(Clone, Debug)]
pub struct OperatorKey(Arc<Private<Vec<u8>>>);

/// The key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The Secret has no usable key.
    #[error("Secret {0} has no entry \"key\" of at least 32 bytes: delete the Secret, and the operator makes a new one")]
    Unusable(String),
    /// The API server refused or did not answer.
    #[error("the Secret with the operator's key cannot be read or created")]
    Api(#[source] Box<kube::Error>),
    /// Another replica made it, and it cannot be read all the same.
    #[error("the Secret with the operator's key does not settle")]
    Unsettled,
}

impl OperatorKey {
    /// Reads the key from Secret `name`, which is made where there is none; of several that try, one wins and all read it.
    pub async fn load(secrets: &Api<Secret>, name: &str) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Api(Box::new(error));
        for _ in 0..TRIES {
            if let Some(secret) = secrets.get_opt(name).await.map_err(failed)? {
                let bytes = secret.data.unwrap_or_default().remove(ENTRY).filter(|bytes| bytes.0.len() >= 32);
                let bytes = bytes.ok_or_else(|| KeyError::Unusable(name.to_owned()))?;
                return Ok(Self(Arc::new(bytes.0.into())));
            }
            let mut bytes = Vec::with_capacity(32);
            bytes.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
            bytes.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
            let labels = BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "qos-operator".to_owned())]);
            let secret = Secret {
                metadata: ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
                data: Some(BTreeMap::from([(ENTRY.to_owned(), ByteString(bytes))])),
                immutable: Some(true),
                ..Secret::default()
            };
            match secrets.create(&PostParams::default(), &secret).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 409 => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => return Err(failed(error)),
            }
        }
        Err(KeyError::Unsettled)
    }

    /// The first 64 bits of the HMAC of `parts`, of which none is mistaken for another.
    pub fn short(&self, parts: &[&str]) -> u64 {
        let Some(digest) = self.mac(parts) else { return 0 };
        let mut first = [0_u8; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
    }

    /// The HMAC of `parts`, of which none is mistaken for another, in hexadecimal digits.
    pub fn long(&self, parts: &[&str]) -> Private<String> {
        self.mac(parts).map(hex::encode).unwrap_or_default().into()
    }

    fn mac(&self, parts: &[&str]) -> Option<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).ok()?;
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Some(mac.finalize().into_bytes().into())
    }

    /// A key for tests of pure code.
    #[cfg(test)]
    pub(crate) fn fixed() -> Self {
        Self(Arc::new(vec![7; 32].into()))
    }
}
