//! What the page and the example say is so.

use qos_operator::notify::receiver::{Counters, Settings};

use crate::support::{cluster, in_repository, stdout_of};

fn page() -> String {
    std::fs::read_to_string(in_repository("docs/notifications.md")).unwrap()
}

#[test]
fn the_page_names_every_status_that_the_receiver_answers_and_the_defaults_of_its_bounds() {
    let page = page();
    for (outcome, _) in Counters::default().requests() {
        assert!(page.contains(&format!("| {} |", outcome.status())), "{outcome:?}");
    }
    let Settings {
        listen: _,
        tls: _,
        trusted_proxies: _,
        tls_poll,
        body_bytes,
        head_bytes,
        headers,
        connections,
        connections_per_source,
        bodies,
        requests_per_connection,
        head_timeout,
        body_timeout,
        request_timeout,
        idle_timeout,
        shutdown_grace,
        strangers,
        senders,
    } = Settings::default();
    for told in [
        format!("every {} s", tls_poll.as_secs()),
        format!("| body | {} KiB", body_bytes / 1024),
        format!("| request line and headers | {} KiB, {headers} headers |", head_bytes / 1024),
        format!("| connections | {connections} |"),
        format!("no trusted proxy | {connections_per_source} |"),
        format!("| bodies that are read at a time | {bodies} |"),
        format!("| requests on one connection | {requests_per_connection} |"),
        format!("connection's beginning) | {} s |", head_timeout.as_secs()),
        format!("from the end of the head | {} s |", body_timeout.as_secs()),
        format!("| whole request | {} s |", request_timeout.as_secs()),
        format!("| idle between two requests | {} s |", idle_timeout.as_secs()),
        format!("| shutdown | {} s", shutdown_grace.as_secs()),
        format!("without the right bearer | {} in a second, {} at once |", strangers.per_second, strangers.burst),
        format!("with the right bearer | {} in a second, {} at once |", senders.per_second, senders.burst),
    ] {
        assert!(page.contains(&told), "docs/notifications.md does not say: {told}");
    }
}

#[tokio::test]
async fn the_api_server_takes_the_example_of_an_ingress_as_it_stands() {
    let cluster = cluster().await;
    cluster.ensure_namespace("qos-operator").await;
    let file = in_repository("examples/notifications/ingress.yaml");
    let mut command = cluster.kubectl();
    let told = stdout_of(command.args(["apply", "--dry-run=server", "--validate=strict", "-f"]).arg(file));
    assert_eq!(told.matches("created (server dry run)").count(), 2, "{told}");
}
