//! `/readyz` and `/healthz` tell the truth, and the server cannot be held up.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PATIENCE, Serving};
use crate::support::Cluster;
use crate::support::stage::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_ends_a_minute_after_the_api_server_and_comes_back_with_it_and_life_goes_on_meanwhile() {
    let cluster = Cluster::of_its_own().await;
    let mut stage = Stage::on(cluster, "ready").await;
    stage.secret(crate::support::stage::TOKEN).await;
    stage.provider(serde_json::json!({})).await;
    stage.start().await;
    let serving = Serving::of(&stage).await;
    serving.until("/readyz", 200, |text| text == "ok").await;
    let all = serving.until("/readyz?verbose", 200, |text| text.contains("watch-qossessions")).await;
    let names: Vec<_> = all.lines().filter_map(|line| line.strip_prefix("[+]")?.strip_suffix(" ok")).collect();
    let expected = [
        "api-server",
        "definitions",
        "key",
        "watch-namespaces",
        "watch-qosproviders",
        "watch-qossessions",
        "watch-secrets",
        "first-list-providers",
        "first-list-sessions",
        "shutdown",
    ];
    assert_eq!(names, expected, "{all}");
    assert!(all.ends_with("readyz check passed\n"), "{all}");

    cluster.stop_api_server().await;
    // Every watch has seen its connection break and one try to begin anew fail.
    let up = |scrape: &super::Scrape| scrape.sum("qos_operator_watch_up", &[]) == Some(0.0);
    serving.scrape_until("the failure of all watches", up).await;
    assert_eq!(serving.get("/readyz").await.0, 200, "a minute is allowed for");
    // Asking the API server must have failed before the minute begins.
    tokio::time::sleep(Duration::from_secs(11)).await;
    stage.pass(61).await;
    let wrong = serving.until("/readyz", 503, |text| text.contains("[-]api-server failed: asking it has failed for")).await;
    for kind in ["namespaces", "qosproviders", "qossessions", "secrets"] {
        assert!(wrong.contains(&format!("[-]watch-{kind} failed: the watch has failed for ")), "{wrong}");
    }
    assert!(wrong.contains("[+]key ok\n") && wrong.ends_with("readyz check failed\n"), "{wrong}");
    assert_eq!(serving.get("/healthz").await, (200, "ok".to_owned()));
    assert_eq!(serving.get("/healthz?verbose").await.1, "[+]tables ok\n[+]timers ok\nhealthz check passed\n");

    cluster.start_api_server().await;
    let deadline = tokio::time::Instant::now() + 3 * PATIENCE;
    while serving.get("/readyz").await.0 != 200 {
        let text = serving.get("/readyz").await.1;
        assert!(tokio::time::Instant::now() < deadline, "not ready again: {text}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(serving.scrape().await.sum("qos_operator_watch_up", &[]), Some(4.0));
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stands_by_is_ready_and_one_that_ends_is_not() {
    let stage = Stage::new("standby").await;
    let serving = Serving::of(&stage).await;
    serving.until("/readyz", 200, |text| text == "ok").await;
    let vitals = &stage.operator().context.vitals;
    vitals.leading(false);
    assert_eq!(serving.get("/readyz").await.0, 200);
    assert_eq!(serving.scrape().await.sum("qos_operator_leader", &[]), Some(0.0));
    vitals.health.ending();
    let (status, text) = serving.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(text.contains("[-]shutdown failed: the process is ending\n"), "{text}");
    stage.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_path_is_not_found_and_nothing_but_get_is_taken() {
    let stage = Stage::new("paths").await;
    let serving = Serving::of(&stage).await;
    let (status, text) = serving.get("/debug/pprof").await;
    assert_eq!((status, text.as_str()), (404, "there are /metrics, /healthz and /readyz\n"));
    let posted = reqwest::Client::new().post(serving.url("/metrics")).body("x").send().await.unwrap();
    assert_eq!(posted.status().as_u16(), 405);
    stage.finish().await;
}

/// A connection that says nothing, or half a request, is closed by the server, and more of them than it takes at once hold up nobody
/// for longer than that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing_are_closed_and_hold_up_nobody_for_good() {
    let stage = Stage::new("idle").await;
    let serving = Serving::of(&stage).await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(serving.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x").await.unwrap();
        idle.push(stream);
    }
    let asked = tokio::time::timeout(PATIENCE, serving.get("/healthz")).await.expect("somebody else is served");
    assert_eq!(asked, (200, "ok".to_owned()));
    for stream in &mut idle {
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "a connection is still open");
    }
    stage.finish().await;
}
