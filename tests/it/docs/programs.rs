//! The commands of programs other than kubectl and helm.

use std::fs;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use qos_operator::args::Arguments;
use qos_operator::simulator::args::Args as SimulatorArguments;

use super::shell::Call;
use crate::support::in_repository;

/// Programs that no test of the pages runs, and why.
pub(super) const NOT_RUN: [(&str, &str); 5] = [
    ("skopeo", "it pushes to a registry, and there is none in tests"),
    ("ctr", "it needs a containerd; tests/node imports the same archive that way"),
    ("buildah", "its build pulls from a registry; image/build.sh runs its last stage"),
    ("nsenter", "it enters a node that runs; `make e2e` has one"),
    ("tests/node/node.sh", "it needs root and starts a node; `make e2e` runs it"),
];

/// Whether a command line of ours is one that our parser takes.
pub(super) fn ours(call: &Call) {
    let words = std::iter::once(&call.program).chain(&call.arguments);
    let parsed = if call.program == "qod-simulator" {
        // FILE and the like stand for the reader's own.
        SimulatorArguments::try_parse_from(words).map(|_| ())
    } else {
        Arguments::try_parse_from(words).map(|_| ())
    };
    match parsed {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {}
        Err(error) => panic!("{}: {error}", call.shown()),
    }
}

/// Targets are in the Makefile, and what is set for them is read there, by a script or by a test.
pub(super) fn make(call: &Call) {
    let makefile = fs::read_to_string(in_repository("Makefile")).unwrap();
    let mut readers = vec![makefile.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")];
    for folder in ["examples", "image", "tests"] {
        scripts(&in_repository(folder), &mut readers);
    }
    let mut targets = 0;
    for word in &call.arguments {
        if let Some((variable, _)) = word.split_once('=') {
            is_read(variable, &readers, call);
        } else {
            assert!(makefile.contains(&format!("\n{word}: ")), "{}: there is no target {word}", call.shown());
            targets += 1;
        }
    }
    assert!(targets > 0, "{}: no target", call.shown());
    call.environment.keys().for_each(|variable| is_read(variable, &readers, call));
}

fn is_read(variable: &str, readers: &[String], call: &Call) {
    let forms = [format!("$({variable})"), format!("${{{variable}"), format!("${variable}"), format!("(\"{variable}\")")];
    let read = readers.iter().any(|text| forms.iter().any(|form| text.contains(form)));
    assert!(read, "{}: nobody reads {variable}", call.shown());
}

fn scripts(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            scripts(&entry, texts);
        } else if entry.extension().is_some_and(|extension| extension == "sh" || extension == "rs") {
            texts.push(fs::read_to_string(entry).unwrap());
        }
    }
}

/// The subcommands of cargo that pages use, and whether the packages and binaries are there.
pub(super) fn cargo(call: &Call) {
    let (command, rest) = call.arguments.split_first().unwrap_or_else(|| panic!("{}: no command", call.shown()));
    match command.as_str() {
        "run" | "test" | "build" => {}
        // A program of its own that readers may have; nothing here depends on it.
        "audit" => return,
        other => panic!("{}: this test does not know cargo {other}", call.shown()),
    }
    let manifests = ["Cargo.toml", "tests/fuzz/Cargo.toml", "tests/control-plane/Cargo.toml"];
    let names: String = manifests.iter().map(|path| fs::read_to_string(in_repository(path)).unwrap()).collect();
    let mut words = rest.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bin" | "-p" | "--package" | "--test" => {
                let name = words.next().unwrap_or_else(|| panic!("{}: {word} of what?", call.shown()));
                assert!(names.contains(&format!("name = \"{name}\"\n")), "{}: there is no {name}", call.shown());
            }
            "--locked" | "--release" | "--lib" => {}
            flag if flag.starts_with('-') => panic!("{}: this test does not know {flag}", call.shown()),
            // The filter of a test.
            _ => {}
        }
    }
}

/// The simulator answered, and gladly.
pub(super) fn curl(call: &Call) {
    assert!(super::shell::is_ours(call), "{}: the simulator is not there", call.shown());
    let (status, body) = call.answer.as_ref().unwrap_or_else(|| panic!("{}: it was not run", call.shown()));
    assert!(status.starts_with('2'), "{}: answered with {status}: {body}", call.shown());
}

/// The flags of our two programs, with those that every program has.
pub(super) fn flags_of_ours() -> Vec<String> {
    let flags = variables_of_ours().into_iter().map(|(flag, _)| flag);
    flags.chain(["help", "version"].map(ToOwned::to_owned)).collect()
}

/// The flags of our two programs and of their commands, each with its environment variable.
pub(super) fn variables_of_ours() -> Vec<(String, Option<String>)> {
    let operator = Arguments::command();
    let commands: Vec<_> = operator.get_subcommands().cloned().chain([operator.clone(), SimulatorArguments::command()]).collect();
    let arguments = commands.iter().flat_map(clap::Command::get_arguments);
    let variable = |argument: &clap::Arg| argument.get_env().map(|name| name.to_string_lossy().into_owned());
    arguments.filter_map(|argument| Some((argument.get_long()?.to_owned(), variable(argument)))).collect()
}
