//! What the pages show of a terminal has the columns that a terminal shows.

use super::pages;
use super::world::world;

fn columns(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_that_a_page_shows_has_the_columns_of_today() {
    let world = world().await;
    let mut shown = 0;
    for page in pages() {
        for block in page.blocks().into_iter().filter(|block| block.language.is_empty()) {
            let mut lines = block.text.lines().peekable();
            while let Some(line) = lines.next() {
                let Some(command) = line.strip_prefix("$ kubectl get ") else { continue };
                let at = page.at(block.line);
                // No quotes in any, so words are what is between spaces.
                let output = world.kubectl().arg("get").args(command.split(' ')).output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout);
                let now = text.lines().next().unwrap_or_else(|| panic!("{at}: {command} prints nothing"));
                let told = lines.peek().unwrap_or_else(|| panic!("{at}: nothing is shown below {command}"));
                assert_eq!(columns(told), columns(now), "{at}: {command}");
                shown += 1;
            }
        }
    }
    assert!(shown >= 4, "{shown} tables");
}
