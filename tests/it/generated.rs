//! What is generated from the source and kept beside it.

use std::fs;
use std::path::Path;

use qos_operator::crds;

#[test]
fn the_definitions_in_crds_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let documents = crds::documents().unwrap();
    if updating() {
        for document in &documents {
            fs::write(folder.join(&document.file), &document.yaml).unwrap();
        }
    }
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let names: Vec<_> = documents.iter().map(|document| document.file.as_str()).collect();
    assert_eq!(files, names, "crds/ holds a file for each definition and nothing else");
    for document in &documents {
        let kept = fs::read_to_string(folder.join(&document.file)).unwrap();
        assert!(
            kept == document.yaml,
            "crds/{} is out of date; write it again with: UPDATE=1 cargo test --test it generated",
            document.file
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "a switch of this test, not a setting of the program")]
fn updating() -> bool {
    std::env::var("UPDATE").is_ok_and(|value| value == "1")
}
