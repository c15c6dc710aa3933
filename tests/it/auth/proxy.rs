//! The proxy of the environment, as the real program finds it.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::keys::pem;
use crate::qod::raw_server::{RawServer, Reply, answer};
use crate::support::process::{OperatorProcess, kubeconfig};
use crate::support::stage::{LABEL, Stage, TOKEN};

/// What a provider is reached by is one set of rules for the API and the token endpoint, so that one of them shows both.
#[tokio::test]
async fn calls_to_a_provider_go_through_the_proxy_of_the_environment_but_not_those_that_no_proxy_names() {
    let stage = Stage::bare("proxy").await;
    stage.secret(TOKEN).await;
    let proxy = RawServer::start(Reply::Bytes(answer(502, &[], ""))).await;
    let direct = RawServer::start(Reply::Rubbish).await;
    let through = json!({ "api": { "version": "v0.10", "baseURL": "https://qod.example.com/qod/v0" } });
    stage.provider_named(&format!("{}-through", stage.namespace), through).await;
    let beside = json!({ "api": { "version": "v0.10", "baseURL": direct.url("https", "/qod/v0") } });
    stage.provider_named(&format!("{}-beside", stage.namespace), beside).await;

    let folder = tempfile::tempdir().unwrap();
    let config = stage.cluster.config();
    let authorities = config.root_cert.iter().flatten().map(|certificate| pem("CERTIFICATE", certificate));
    let mut kubeconfig = kubeconfig(&config, &config.cluster_url.to_string());
    kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] =
        BASE64_STANDARD.encode(authorities.collect::<String>()).into();
    let selector = format!("--session-selector={LABEL}={}", stage.namespace);
    let namespace = format!("--namespace={}", stage.namespace);
    let environment = [("HTTPS_PROXY", proxy.url("http", "").to_string()), ("NO_PROXY", "localhost,127.0.0.1".to_owned())];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let operator = OperatorProcess::with_environment(folder.path(), &kubeconfig, vec![namespace, selector], environment);
    operator.start();
    let deadline = Instant::now() + Duration::from_mins(1);
    while proxy.count() == 0 || direct.connections() == 0 {
        assert!(Instant::now() < deadline && !operator.ended(), "{}", operator.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    operator.kill();
    for seen in proxy.take_seen() {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("CONNECT", "qod.example.com:443"));
    }
}
