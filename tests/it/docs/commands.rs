//! Every command of every page is run, or checked as far as it can be.

use std::collections::BTreeMap;

use qos_operator::clock::Clock;
use qos_operator::simulator::Simulator;

use super::shell::{Surroundings, calls};
use super::world::{World, world};
use super::{helm, kubectl, pages, programs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_pages_does_what_a_reader_expects() {
    let world = world().await;
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for page in pages() {
        let simulator = Simulator::builder(Clock::system()).admin_listen("127.0.0.1:0".parse().unwrap()).start().await.unwrap();
        let address = |url: &str| url.split('/').nth(2).unwrap().to_owned();
        let kubectl = world.kubectl();
        let folder = World::folder();
        let surroundings = Surroundings {
            folder: folder.path(),
            kubectl: &kubectl,
            simulator: [address(&simulator.url()), address(&simulator.admin_url().unwrap())],
        };
        let calls = calls(&page, &surroundings);
        for call in &calls {
            match call.program.as_str() {
                "kubectl" => kubectl::check(call, world, folder.path()).await,
                "helm" => helm::check(call, world, folder.path()),
                "make" => programs::make(call),
                "cargo" => programs::cargo(call),
                "curl" => programs::curl(call),
                "qos-operator" | "qod-simulator" => programs::ours(call),
                other => assert!(programs::NOT_RUN.iter().any(|(name, _)| *name == other), "{}: unknown", call.shown()),
            }
            *counts.entry(call.program.clone()).or_default() += 1;
        }
        told_ledgers(&page, &calls);
        simulator.shutdown().await;
    }
    println!("{counts:?}");
    for (program, least) in [("kubectl", 50), ("helm", 12), ("make", 30), ("curl", 10), ("qos-operator", 4), ("cargo", 3)] {
        assert!(counts.get(program).is_some_and(|count| *count >= least), "{program}: {counts:?}");
    }
    let unused: Vec<_> = programs::NOT_RUN.iter().filter(|(name, _)| !counts.contains_key(*name)).collect();
    assert!(unused.is_empty(), "no page calls {unused:?}");
}

/// Where a comment says what the ledger will be, it was that.
fn told_ledgers(page: &super::Page, calls: &[super::shell::Call]) {
    for block in page.blocks().iter().filter(|block| block.language == "sh") {
        for told in block.text.split("# ledger: ").skip(1).filter_map(|rest| rest.lines().next()) {
            let at = page.at(block.line);
            let mut bodies =
                calls.iter().filter(|call| call.at == at).filter_map(|call| call.answer.as_ref()).map(|(_, body)| body.trim());
            let line = format!("ledger: {}", told.trim());
            assert!(bodies.any(|body| body == line), "{at}: nothing answered `{line}`: {calls:#?}");
        }
    }
}
