//! Links of the pages lead to files and headings that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{Page, pages};
use crate::generated::words;
use crate::support::in_repository;

/// The anchor of a heading, as forges make it.
pub(crate) fn slug(heading: &str) -> String {
    let plain = heading.trim().to_lowercase().replace(' ', "-");
    plain.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for heading in page.headings() {
        let slug = slug(&heading);
        // The second of a name gets a number.
        let mut names = std::iter::once(slug.clone()).chain((1..).map(|number| format!("{slug}-{number}")));
        found.insert(names.find(|name| !found.contains(name)).unwrap());
    }
    found
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let pages = pages();
    let anchors: BTreeMap<_, _> =
        pages.iter().map(|page| (fs::canonicalize(in_repository(&page.path)).unwrap(), anchors(page))).collect();
    let (mut links, mut headings) = (0, 0);
    for page in &pages {
        let prose = page.prose();
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let from = in_repository(&page.path);
            let target = if file.is_empty() { from } else { from.parent().unwrap().join(file) };
            let target = fs::canonicalize(&target).unwrap_or_else(|error| panic!("{} links to {link}: {error}", page.path));
            links += 1;
            if !anchor.is_empty() {
                let known = anchors.get(&target).is_some_and(|anchors| anchors.contains(anchor));
                assert!(known, "{} links to {link}, which is no heading there", page.path);
                headings += 1;
            }
        }
    }
    assert!(links > 150 && headings > 20, "{links} links, {headings} to headings");
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let pages = pages();
    let mut reached = BTreeSet::from([fs::canonicalize(in_repository("README.md")).unwrap()]);
    loop {
        let before = reached.len();
        for page in &pages {
            let path = fs::canonicalize(in_repository(&page.path)).unwrap();
            if reached.contains(&path) {
                let prose = page.prose();
                let links = prose.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
                reached.extend(links.filter_map(|link| fs::canonicalize(path.parent().unwrap().join(link)).ok()));
            }
        }
        if reached.len() == before {
            break;
        }
    }
    let lost: Vec<_> = pages
        .iter()
        .filter(|page| !reached.contains(&fs::canonicalize(in_repository(&page.path)).unwrap()))
        .map(|page| &page.path)
        .collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}

#[test]
fn every_path_of_the_repository_that_a_page_names_is_there() {
    const FOLDERS: [&str; 6] = ["src/", "tests/", "docs/", "examples/", "charts/", "crds/"];
    let mut named = 0;
    for page in pages() {
        for span in page.spans() {
            let is_path =
                FOLDERS.iter().any(|folder| span.text.starts_with(folder)) && !span.text.contains([' ', '*', '{', '<', '…']);
            if is_path {
                let path = span.text.split([':', '#']).next().unwrap();
                assert!(in_repository(path).exists(), "{} names {path}, which is not there", page.at(span.line));
                named += 1;
            }
        }
    }
    assert!(named > 30, "{named} paths");
}

#[test]
fn every_annotation_and_label_of_ours_that_a_page_names_is_one() {
    let known = words::known();
    let mut named = 0;
    for page in pages() {
        for code in page.code() {
            for key in words::named(&code.text) {
                assert!(known.contains(&key), "{} names {key}, which nobody reads", page.at(code.line));
                named += 1;
            }
        }
    }
    assert!(named > 30, "{named} keys");
}
