//! Flags: those that we have are told, and those that are told are there.

use std::collections::BTreeSet;
use std::process::Command;

use super::world::world;
use super::{helm, kubectl, pages, programs};
use crate::generated;

/// Flags of programs that this test does not ask, with the program.
const OTHERS: [(&str, &str); 8] = [
    ("image", "tests/node/node.sh"),
    ("node", "control-plane build"),
    ("target", "nsenter"),
    ("net", "nsenter"),
    ("mount", "nsenter"),
    ("pid", "nsenter"),
    ("tag", "buildah build"),
    ("nocapture", "the test binary, behind `cargo test --`"),
];
/// The verbs whose flags the pages speak of.
const KUBECTL: [&str; 12] = [
    "apply",
    "get",
    "wait",
    "delete",
    "create secret generic",
    "create rolebinding",
    "scale",
    "auth can-i",
    "events",
    "logs",
    "port-forward",
    "replace",
];
const HELM: [&str; 6] = ["install", "upgrade", "uninstall", "rollback", "test", "template"];

/// The flags that a text names, without their dashes.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let begins = text[..at].chars().next_back().is_none_or(|before| !before.is_ascii_alphanumeric() && before != '-');
        let name: String = text[at + 2..].chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        if begins && name.starts_with(|letter: char| letter.is_ascii_lowercase()) {
            found.insert(name);
        }
    }
    found
}

#[test]
fn flags_are_found_where_they_begin_a_word() {
    let text = "`--log-level=debug`, a--b ---c -- d --Es (--e2)";
    assert_eq!(named(text), BTreeSet::from(["log-level".to_owned(), "e2".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flag_that_a_page_names_is_one_of_a_program() {
    let world = world().await;
    let mut known: BTreeSet<_> = programs::flags_of_ours().into_iter().collect();
    let ours = known.clone();
    known.extend(named(&kubectl::options(&mut world.kubectl())));
    known.extend(KUBECTL.iter().flat_map(|verb| named(&kubectl::help(world, verb))));
    known.extend(HELM.iter().flat_map(|verb| named(&helm::help(world, verb))));
    let curl = Command::new("curl").args(["--help", "all"]).output().unwrap();
    known.extend(named(&String::from_utf8_lossy(&curl.stdout)));
    let cargo = Command::new("cargo").args(["run", "--help"]).output().unwrap();
    known.extend(named(&String::from_utf8_lossy(&cargo.stdout)));
    assert!(known.len() > 200, "{known:?}");
    let others: BTreeSet<_> = OTHERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut told = BTreeSet::new();
    for page in pages() {
        for code in page.code() {
            for flag in named(&code.text) {
                let known = known.contains(&flag) || others.contains(&flag);
                assert!(known, "{} names --{flag}, which no program has", page.at(code.line));
                told.insert(flag);
            }
        }
    }
    let idle: Vec<_> = others.difference(&told).collect();
    assert!(idle.is_empty(), "no page names {idle:?}");
    let secret: Vec<_> = ours.difference(&told).filter(|flag| !["help", "version"].contains(&flag.as_str())).collect();
    assert!(secret.is_empty(), "no page tells of {secret:?}");
}

#[test]
fn the_reference_has_every_flag_with_its_variable() {
    let page = generated::flags::page();
    let mut rows = 0;
    for (flag, variable) in programs::variables_of_ours() {
        let row = format!("| `--{flag}` | {} |", variable.map(|name| format!("`{name}`")).unwrap_or_default());
        assert!(page.contains(&row), "docs/reference/flags.md has no row {row}");
        rows += 1;
    }
    assert!(rows > 50, "{rows} flags");
}
