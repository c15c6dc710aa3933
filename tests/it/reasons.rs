//! The page that tells users of each reason.

use std::collections::BTreeMap;

use qos_operator::api::{EventReason, Reason};

const PAGE: &str = include_str!("../../docs/reasons.md");

/// The lines under each `##` heading, and the headings in their order.
fn sections() -> (Vec<&'static str>, BTreeMap<&'static str, Vec<&'static str>>) {
    let mut headings = Vec::new();
    let mut sections: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            headings.push(heading);
            sections.entry(heading).or_default();
        } else if let Some(heading) = headings.last().filter(|_| !line.trim().is_empty()) {
            sections.entry(heading).or_default().push(line);
        }
    }
    (headings, sections)
}

#[test]
fn the_page_has_one_section_for_each_reason_in_the_order_of_the_lists_and_no_other() {
    let names = Reason::ALL.iter().map(|reason| reason.as_str());
    let expected: Vec<_> = names.chain(EventReason::ALL.iter().map(|reason| reason.as_str())).collect();
    assert_eq!(sections().0, expected);
}

#[test]
fn each_section_tells_meaning_remedy_and_where_the_reason_shows_in_a_few_lines() {
    for (name, lines) in sections().1 {
        assert!((3..=4).contains(&lines.len()), "{name} has {} lines", lines.len());
        for (line, start) in lines.iter().zip(["Meaning: ", "Remedy: ", "Shows on: "]) {
            let text = line.strip_prefix(start).unwrap_or_else(|| panic!("{name}: {line:?} does not start with {start:?}"));
            assert!(text.len() > 10, "{name}: {line:?} says nothing");
        }
    }
}

#[test]
fn what_shows_on_no_condition_is_what_only_events_have() {
    for (name, lines) in sections().1 {
        let on_none = lines.iter().any(|line| line.starts_with("Shows on: no condition"));
        assert_eq!(on_none, name.parse::<EventReason>().is_ok(), "{name}");
    }
}
