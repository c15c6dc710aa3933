//! What is generated from the source and kept beside it: `crds/` and the pages of `docs/reference/`.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

pub(crate) mod flags;
mod kinds;
pub(crate) mod words;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use qos_operator::crds;

use crate::support::in_repository;

/// What each page of the reference begins with, below its title.
const ORIGIN: &str = "<!-- Written from the source by `make generate`. Do not edit. -->";

#[test]
fn the_definitions_in_crds_are_those_of_the_types() {
    let folder = in_repository("crds");
    let documents = crds::documents().unwrap();
    for document in &documents {
        kept(&format!("crds/{}", document.file), &document.yaml);
    }
    let names: Vec<_> = documents.iter().map(|document| document.file.as_str()).collect();
    assert_eq!(files(&folder), names, "crds/ holds a file for each definition and nothing else");
}

#[test]
fn the_reference_is_that_of_the_types_the_flags_and_the_keys() {
    let pages = [
        ("annotations.md", words::page()),
        ("flags.md", flags::page()),
        ("qosprovider.md", kinds::page("QosProvider")),
        ("qossession.md", kinds::page("QosSession")),
    ];
    for (name, text) in &pages {
        kept(&format!("docs/reference/{name}"), text);
    }
    let names = pages.map(|(name, _)| name);
    assert_eq!(files(&in_repository("docs/reference")), names, "docs/reference/ holds what is generated and nothing else");
}

/// Holds the file at `path` to `text`, or writes it under `UPDATE=1`.
fn kept(path: &str, text: &str) {
    let file = in_repository(path);
    if updating() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
    }
    let now = fs::read_to_string(&file).unwrap_or_default();
    assert!(now == text, "{path} is out of date; write it again with: make generate");
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

/// A text for one cell of a table: in one line, and without what Markdown would take for the end of the cell or for HTML.
fn cell(text: &str) -> String {
    let mut code = false;
    let mut cell = String::new();
    for letter in text.replace('\n', " ").chars() {
        code ^= letter == '`';
        match letter {
            '|' => cell.push_str("\\|"),
            '<' if !code => cell.push_str("\\<"),
            other => cell.push(other),
        }
    }
    cell
}

/// Rows below their head.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    writeln!(text, "|{}", "---|".repeat(head.len())).unwrap();
    for row in rows {
        text.push_str(&line(&row.iter().map(|text| cell(text)).collect::<Vec<_>>()));
    }
    text
}

#[expect(clippy::disallowed_methods, reason = "a switch of this test, not a setting of the program")]
fn updating() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}
