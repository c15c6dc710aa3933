//! Private certificate authorities and mutual TLS, at the token endpoint and at the API, which share their rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use qos_operator::auth::{ClientAuthentication, Grant, NoToken, Settings, Tokens};
use qos_operator::http::ClientCertificate;
use qos_operator::qod::{self, AccessToken, Client, FaultClass, Generation, Operation, SessionId};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use crate::qod::raw_server::{answer, read};

/// A certificate authority that nobody knows.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn client_certificate(&self) -> ClientCertificate {
        let (certificate, key) = self.issue("client.example.com", ExtendedKeyUsagePurpose::ClientAuth);
        ClientCertificate::new(certificate.pem().as_bytes(), key.serialize_pem().as_bytes())
    }
}

/// A server that answers a POST with a token and a GET with a session, over TLS.
struct TlsServer {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl TlsServer {
    /// It shows a certificate of `authority`, and asks for one of `clients` if there is such a thing.
    async fn start(authority: &Authority, clients: Option<&Authority>) -> Self {
        let (certificate, key) = authority.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut buffer = Vec::new();
                    while let Some(seen) = read(&mut stream, &mut buffer).await {
                        counted.fetch_add(1, Ordering::SeqCst);
                        let body = if seen.method == "POST" {
                            json!({ "access_token": "t1", "expires_in": 3600 })
                        } else {
                            json!({ "sessionId": "s-1", "qosStatus": "AVAILABLE", "duration": 60 })
                        };
                        let bytes = answer(200, &[("Content-Type", "application/json")], &body.to_string());
                        stream.write_all(&bytes).await.unwrap();
                    }
                });
            }
        });
        Self { port, requests }
    }

    fn url(&self, path: &str) -> url::Url {
        format!("https://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    async fn token(&self, authority: Option<&Authority>, shown: Option<ClientCertificate>) -> Result<String, NoToken> {
        let grant = Grant::ClientCredentials { token_url: self.url("/token") };
        let mut settings = Settings::new(grant, "qod", "app-7", ClientAuthentication::Basic("s".into()));
        settings.ca_bundle = authority.map(|authority| authority.0.pem().into_bytes());
        settings.client_certificate = shown;
        settings.request_timeout = Duration::from_secs(5);
        let tokens = Tokens::new(settings).unwrap();
        tokens.get(None, Operation::CreateSession).await.map(|token| token.expose().to_owned())
    }

    async fn session(&self, authority: &Authority, shown: Option<ClientCertificate>) -> Result<String, FaultClass> {
        let mut settings = qod::Settings::new(Generation::V0_10, self.url("/qod/v0"));
        settings.ca_bundle = Some(authority.0.pem().into_bytes());
        settings.client_certificate = shown;
        settings.request_timeout = Duration::from_secs(5);
        let client = Client::new(settings).unwrap();
        let session = client.get_session(&AccessToken::new("t1"), &SessionId::new("s-1")).await;
        session.map(|session| session.session_id.as_str().to_owned()).map_err(|fault| fault.class)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_private_authority_is_believed_only_where_its_certificate_was_given() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let server = TlsServer::start(&authority, None).await;
    for bundle in [None, Some(&other)] {
        let refused = server.token(bundle, None).await;
        assert!(matches!(refused, Err(NoToken::Unavailable { .. })), "{refused:?}");
    }
    assert_eq!(server.session(&other, None).await, Err(FaultClass::Unavailable));
    assert_eq!(server.requests(), 0, "the credentials went to somebody unknown");
    assert_eq!(server.token(Some(&authority), None).await, Ok("t1".to_owned()));
    assert_eq!(server.session(&authority, None).await, Ok("s-1".to_owned()));
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_provider_that_asks_for_a_certificate_gets_it_and_answers_nobody_without() {
    let (authority, clients) = (Authority::new("authority"), Authority::new("clients"));
    let server = TlsServer::start(&authority, Some(&clients)).await;
    for shown in [None, Some(authority.client_certificate())] {
        let refused = server.token(Some(&authority), shown.clone()).await;
        assert!(matches!(refused, Err(NoToken::Unavailable { .. })), "{refused:?}");
        assert_eq!(server.session(&authority, shown).await, Err(FaultClass::Unavailable));
    }
    assert_eq!(server.requests(), 0);
    assert_eq!(server.token(Some(&authority), Some(clients.client_certificate())).await, Ok("t1".to_owned()));
    assert_eq!(server.session(&authority, Some(clients.client_certificate())).await, Ok("s-1".to_owned()));
}

#[tokio::test]
async fn a_certificate_and_a_key_that_do_not_belong_together_are_refused_before_anything_is_sent() {
    let clients = Authority::new("clients");
    let (certificate, _) = clients.issue("client.example.com", ExtendedKeyUsagePurpose::ClientAuth);
    let other = KeyPair::generate().unwrap();
    let mut settings = qod::Settings::new(Generation::V0_10, "https://api.example.com/qod/v0".parse().unwrap());
    settings.client_certificate = Some(ClientCertificate::new(certificate.pem().as_bytes(), other.serialize_pem().as_bytes()));
    assert_eq!(Client::new(settings).map(|_| ()), Err(qod::SettingsError::ClientCertificate));
}
