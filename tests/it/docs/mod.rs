//! The pages: every YAML that they show is shown to the parts that it is for, every command is run or checked, every link leads somewhere.

// What clippy allows in tests, it allows in their helpers only under this.
#![cfg(test)]

mod admin;
mod commands;
mod flags;
mod helm;
mod kubectl;
pub(crate) mod links;
mod programs;
mod shell;
mod transcripts;
mod world;
mod yaml;

use std::fs;
use std::path::Path;

use crate::support::in_repository;

/// A page of this repository.
struct Page {
    /// Its path in the repository.
    path: String,
    text: String,
}

/// A block of code in a page.
struct Block {
    /// The line of its fence, counted from 1.
    line: usize,
    /// What stands behind the fence: `yaml`, `sh`, or nothing for what a terminal showed.
    language: String,
    text: String,
}

/// A code span in the prose of a page.
struct Span {
    line: usize,
    text: String,
}

/// Every page that people read to use or change this project, by path. Those beside the tests are for who reads these.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    walk(&in_repository(""), "", &mut pages);
    pages.sort_by(|one, other| one.path.cmp(&other.path));
    for must in ["README.md", "CONTRIBUTING.md", "docs/install.md", "docs/reference/flags.md", "charts/qos-operator/README.md"] {
        assert!(pages.iter().any(|page| page.path == must), "{must} is not among the pages");
    }
    pages
}

fn walk(folder: &Path, path: &str, pages: &mut Vec<Page>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let below = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && !["target", "tests"].contains(&name.as_str()) {
                walk(&entry.path(), &below, pages);
            }
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            pages.push(Page { path: below, text: fs::read_to_string(entry.path()).unwrap() });
        }
    }
}

impl Page {
    /// Where a line of it is, for messages.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    fn blocks(&self) -> Vec<Block> {
        self.parts().0
    }

    fn spans(&self) -> Vec<Span> {
        self.parts().1
    }

    /// Its headings, without their marks and with what is code in them.
    fn headings(&self) -> Vec<String> {
        let mut inside = false;
        let mut headings = Vec::new();
        for line in self.text.lines() {
            let fence = line.trim_start().starts_with("```");
            if !inside && line.starts_with('#') {
                headings.push(line.trim_start_matches('#').trim().to_owned());
            }
            inside ^= fence;
        }
        headings
    }

    /// Everything that is set as code.
    fn code(&self) -> Vec<Span> {
        let (blocks, mut code) = self.parts();
        code.extend(blocks.into_iter().map(|block| Span { line: block.line, text: block.text }));
        code
    }

    /// Its text without what is set as code: line numbers stay.
    fn prose(&self) -> String {
        let mut inside = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            let fence = line.trim_start().starts_with("```");
            if !inside && !fence {
                line.split('`').step_by(2).for_each(|text| prose.push_str(text));
            }
            prose.push('\n');
            inside ^= fence;
        }
        prose
    }

    fn parts(&self) -> (Vec<Block>, Vec<Span>) {
        let (mut blocks, mut spans) = (Vec::new(), Vec::new());
        let mut open: Option<(Block, usize)> = None;
        for (number, line) in self.text.lines().enumerate().map(|(number, line)| (number + 1, line)) {
            let indent = line.len() - line.trim_start().len();
            if let Some(language) = line.trim_start().strip_prefix("```") {
                match open.take() {
                    Some((block, _)) => blocks.push(block),
                    None => open = Some((Block { line: number, language: language.to_owned(), text: String::new() }, indent)),
                }
            } else if let Some((block, indent)) = &mut open {
                block.text.push_str(line.get(*indent..).unwrap_or_default());
                block.text.push('\n');
            } else {
                // A pair of backticks is in one line.
                spans.extend(line.split('`').skip(1).step_by(2).map(|text| Span { line: number, text: text.to_owned() }));
            }
        }
        assert!(open.is_none(), "{}: a block of code is not closed", self.path);
        (blocks, spans)
    }
}

#[test]
fn every_block_is_of_a_language_that_a_test_reads() {
    let mut blocks = 0;
    for page in pages() {
        for block in page.blocks() {
            assert!(
                matches!(block.language.as_str(), "yaml" | "sh" | ""),
                "{}: nobody checks blocks of `{}`",
                page.at(block.line),
                block.language
            );
            blocks += 1;
        }
    }
    assert!(blocks > 50, "{blocks} blocks");
}

#[test]
fn a_page_is_cut_into_blocks_and_spans() {
    let text = "a `b` c\n```yaml\nx: 1\n```\n- d\n  ```sh\n  make `e`\n  ```\n`f` `g`\n".to_owned();
    let page = Page { path: "p.md".to_owned(), text };
    let blocks: Vec<_> = page.blocks().into_iter().map(|block| (block.line, block.language, block.text)).collect();
    let of = |line, language: &str, text: &str| (line, language.to_owned(), text.to_owned());
    assert_eq!(blocks, [of(2, "yaml", "x: 1\n"), of(6, "sh", "make `e`\n")]);
    let spans: Vec<_> = page.spans().into_iter().map(|span| (span.line, span.text)).collect();
    assert_eq!(spans, [(1, "b".to_owned()), (9, "f".to_owned()), (9, "g".to_owned())]);
    assert_eq!(page.prose(), "a  c\n\n\n\n- d\n\n\n\n \n");
}
