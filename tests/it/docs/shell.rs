//! The shell commands of a page, cut up by a real bash: every program on its path is a recorder, so quoting, pipes, here-documents,
//! variables and loops mean what they mean to a reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Page;

/// A program that was called.
#[derive(Debug)]
pub(super) struct Call {
    /// Where the block or the span is.
    pub(super) at: String,
    /// Its name, or its path where that was called.
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// What was exported to it by the page.
    pub(super) environment: BTreeMap<String, String>,
    /// What a pipe or a here-document gave it.
    pub(super) input: Option<String>,
    /// Of curl: the status of the answer and its body.
    pub(super) answer: Option<(String, String)>,
}

/// What recorders need to know.
pub(super) struct Surroundings<'a> {
    /// Where the calls are made.
    pub(super) folder: &'a Path,
    /// kubectl and its kubeconfig, for what a pipe needs the output of.
    pub(super) kubectl: &'a Command,
    /// The simulator's two addresses, as host and port.
    pub(super) simulator: [String; 2],
}

/// Programs that run for real, since others read what they print or write.
const REAL: [&str; 4] = ["cat", "cp", "sed", "head"];
/// Programs with a check in this test.
pub(super) const CHECKED: [&str; 6] = ["kubectl", "helm", "make", "qos-operator", "qod-simulator", "cargo"];

/// Where the simulator is in every page.
const ADDRESSES: [&str; 2] = ["127.0.0.1:9091", "127.0.0.1:9092"];

const RECORDER: &str = r#"#!/bin/bash
call="$DOCS_CALLS/$EPOCHREALTIME.$$"
printf '%s\0' "$DOCS_AT" "${0##"$DOCS_BIN"/}" "$@" >"$call.words"
for name in $(compgen -e); do printf '%s=%s\0' "$name" "${!name}"; done >"$call.environment"
if [[ -p /dev/stdin || -f /dev/stdin ]]; then input=$(</dev/stdin); printf '%s\n' "$input" >"$call.input"; fi
case ${0##*/} in
    kubectl)
        for word in "$@"; do [[ $word == --dry-run=client ]] && exec "$DOCS_KUBECTL" "$@"; done ;;
    curl)
        words=() known=
        for word in "$@"; do
            moved=${word//127.0.0.1:9091/$DOCS_API}
            moved=${moved//127.0.0.1:9092/$DOCS_ADMIN}
            [[ $moved == "$word" ]] || known=1
            words+=("$moved")
        done
        [[ $known ]] || { echo "nobody answers here" >"$call.status"; exit 7; }
        "$DOCS_CURL" -s "${words[@]}" -o "$call.body" -w '%{http_code}' >"$call.status"
        [[ ! -e $call.body ]] || { body=$(<"$call.body"); printf '%s' "$body"; } ;;
esac
exit 0
"#;

/// What a bash would call if it ran every block of `sh`, every shown prompt and every code span with a command of this page, one
/// after the other. It must have no fault, not even a variable that nothing sets.
pub(super) fn calls(page: &Page, surroundings: &Surroundings<'_>) -> Vec<Call> {
    let script = script(page);
    if script.is_empty() {
        return Vec::new();
    }
    let folder = tempfile::tempdir().unwrap();
    let (bin, calls) = (folder.path().join("bin"), folder.path().join("calls"));
    for folder in [&bin, &calls] {
        fs::create_dir(folder).unwrap();
    }
    let recorder = folder.path().join("recorder");
    executable(&recorder, RECORDER);
    for name in REAL {
        std::os::unix::fs::symlink(found(name), bin.join(name)).unwrap();
    }
    let others = super::programs::NOT_RUN.iter().map(|(name, _)| *name);
    for name in CHECKED.into_iter().chain(["curl"]).chain(others) {
        let place = if name.contains('/') { surroundings.folder.join(name) } else { bin.join(name) };
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        if !place.exists() {
            std::os::unix::fs::symlink(&recorder, place).unwrap();
        }
    }
    let mut bash = Command::new("/bin/bash");
    bash.args(["--norc", "--noprofile", "-u", "-c", &script]).current_dir(surroundings.folder).stdin(Stdio::null());
    bash.env_clear().env("PATH", &bin).env("HOME", folder.path()).env("DOCS_BIN", &bin).env("DOCS_CALLS", &calls);
    bash.env("DOCS_CURL", found("curl")).env("DOCS_KUBECTL", surroundings.kubectl.get_program());
    bash.envs(surroundings.kubectl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bash.env("DOCS_API", &surroundings.simulator[0]).env("DOCS_ADMIN", &surroundings.simulator[1]);
    let output = bash.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}: bash says: {errors}", page.path);
    read(&calls)
}

/// All commands of the page, each behind the place where it stands.
fn script(page: &Page) -> String {
    let mut parts: Vec<(usize, String)> = Vec::new();
    for block in page.blocks() {
        match block.language.as_str() {
            "sh" => parts.push((block.line, block.text)),
            "" => parts.extend(block.text.lines().filter_map(|line| Some((block.line, line.strip_prefix("$ ")?.to_owned())))),
            _ => {}
        }
    }
    for span in page.spans() {
        // docs/runbooks.md abbreviates, and says so.
        let text = span.text.strip_prefix("OP ").map_or(span.text.clone(), |rest| format!("kubectl -n qos-operator {rest}"));
        let begins = |name: &&str| text.strip_prefix(*name).is_some_and(|rest| rest.starts_with(' '));
        if CHECKED.iter().any(begins) || super::programs::NOT_RUN.iter().any(|(name, _)| begins(name)) {
            parts.push((span.line, text));
        }
    }
    parts.sort_by_key(|(line, _)| *line);
    if parts.is_empty() {
        return String::new();
    }
    // Built into bash, and nothing that a page may do here.
    let begin = "enable -n kill exec\n".to_owned();
    let parts = parts.iter().map(|(line, text)| format!("export DOCS_AT={}\n{}\n", page.at(*line), text.trim_end()));
    std::iter::once(begin).chain(parts).collect()
}

fn read(calls: &Path) -> Vec<Call> {
    let mut names: Vec<_> = fs::read_dir(calls).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "words"));
    names.sort();
    let list = |path: &Path| -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.split_terminator('\0').map(ToOwned::to_owned).collect()
    };
    let of_the_test =
        |name: &str| name.starts_with("DOCS_") || ["PATH", "HOME", "KUBECONFIG", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name);
    let call = |path: &std::path::PathBuf| {
        let mut words = list(path).into_iter();
        let beside = |extension: &str| fs::read_to_string(path.with_extension(extension)).ok();
        let environment = list(&path.with_extension("environment"));
        let pairs = environment.iter().filter_map(|pair| pair.split_once('='));
        Call {
            at: words.next().unwrap(),
            program: words.next().unwrap().trim_start_matches("./").to_owned(),
            arguments: words.collect(),
            environment: pairs
                .filter(|(name, _)| !of_the_test(name))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            input: beside("input"),
            answer: beside("status").map(|status| (status, beside("body").unwrap_or_default())),
        }
    };
    names.iter().map(call).collect()
}

fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Where a program of this machine is.
fn found(name: &str) -> String {
    let output = Command::new("/bin/bash").args(["-c", "type -P \"$0\"", name]).output().unwrap();
    assert!(output.status.success(), "{name} is needed to check the pages");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Call {
    /// The command, for messages.
    pub(super) fn shown(&self) -> String {
        format!("{}: {} {}", self.at, self.program, self.arguments.join(" "))
    }
}

/// What the page tells that the simulator's addresses are, so that a page with other ones is found out.
pub(super) fn is_ours(call: &Call) -> bool {
    call.arguments.iter().any(|word| ADDRESSES.iter().any(|address| word.contains(address)))
}
