//! The certificate, and how it is replaced while the receiver runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error as RustlsError, InconsistentKeys, ServerConfig};

use super::counters::{Counters, Reload};
use super::settings::TlsFiles;

/// The certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {kind}; is the Secret mounted there?", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        kind: std::io::ErrorKind,
    },
    /// There is no certificate in the file.
    #[error("{} holds no PEM certificate, or one that cannot be read", .0.display())]
    Certificate(PathBuf),
    /// There is no key in the file.
    #[error("{} holds no PEM private key, or one that cannot be read", .0.display())]
    Key(PathBuf),
    /// The two are of different pairs.
    #[error("the certificate in {} and the key in {} do not belong together", certificate.display(), key.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The TLS library could not be set up.
    #[error("TLS could not be set up")]
    Library,
}

/// What the files held at one look: a hash of both, or what was wrong. The key itself is not kept.
type Look = Result<[u8; 32], std::io::ErrorKind>;

/// The certificate that is in use. Connections that stand keep theirs; each new handshake takes the newest.
#[derive(Debug)]
pub(super) struct Certificates {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

/// Both files, as they were read one after the other.
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Pair {
    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update((self.certificate.len() as u64).to_be_bytes());
        hash.update(&self.certificate);
        hash.update(&self.key);
        hash.finalize().into()
    }

    fn certified(&self, files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| TlsError::Certificate(files.certificate.clone()))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::Key(files.key.clone()))?;
        let key = provider.key_provider.load_private_key(key).map_err(|_| TlsError::Key(files.key.clone()))?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(RustlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() })
            }
            Err(_) => Err(TlsError::Certificate(files.certificate.clone())),
        }
    }
}

async fn file(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path).await.map_err(|error| TlsError::Unreadable { path: path.to_owned(), kind: error.kind() })
}

async fn pair(files: &TlsFiles) -> Result<Pair, TlsError> {
    Ok(Pair { certificate: file(&files.certificate).await?, key: file(&files.key).await? })
}

impl Certificates {
    /// Reads the files for the first time; what to compare them with later is returned too.
    pub(super) async fn load(files: TlsFiles) -> Result<(Self, [u8; 32]), TlsError> {
        let provider = Arc::new(default_provider());
        let pair = pair(&files).await?;
        let current = RwLock::new(Arc::new(pair.certified(&files, &provider)?));
        Ok((Self { files, provider, current }, pair.hash()))
    }

    /// What accepts TLS with the certificate that is in use. It speaks HTTP/1.1 only.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|_| TlsError::Library)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Looks at the files every so often, for ever. The kubelet replaces a mounted Secret by turning a link, which no watch of the
    /// files themselves sees; two small files are read faster than a watch of the folder is got right.
    pub(super) async fn watch(self: Arc<Self>, every: std::time::Duration, first: [u8; 32], counters: Arc<Counters>) {
        let mut used: Look = Ok(first);
        let mut before = used;
        loop {
            tokio::time::sleep(every).await;
            let (look, loaded) = match pair(&self.files).await {
                Ok(pair) => (Ok(pair.hash()), pair.certified(&self.files, &self.provider)),
                Err(error @ TlsError::Unreadable { kind, .. }) => (Err(kind), Err(error)),
                Err(error) => (before, Err(error)),
            };
            // A pair that cannot be used is told when it is seen twice: between the two files, the link may have been turned.
            let again = std::mem::replace(&mut before, look) == look;
            if look == used {
                continue;
            }
            match loaded {
                Ok(certified) => {
                    *self.current.write() = Arc::new(certified);
                    used = look;
                    counters.reloaded(Reload::Done);
                    tracing::info!("the notification receiver's certificate was replaced");
                }
                Err(error) if again => {
                    used = look;
                    counters.reloaded(Reload::Failed);
                    tracing::warn!(%error, "the notification receiver's new certificate cannot be used; the old one still is");
                }
                Err(_) => {}
            }
        }
    }
}
