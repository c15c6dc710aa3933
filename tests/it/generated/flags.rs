//! The reference of the flags, from the command lines of both programs.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};
use qos_operator::args::Arguments;
use qos_operator::simulator::args::Args as SimulatorArguments;

use super::{ORIGIN, table};

/// The page.
pub(crate) fn page() -> String {
    let mut page = format!(
        "# Flags\n\n{ORIGIN}\n\nEach flag may be given by its environment variable instead; the flag wins. Durations have a unit: `10s`, \
         `5m`, `1h30m`. The chart sets what its [values](../../charts/qos-operator/README.md) say, and takes the rest by `extraArgs` and \
         `extraEnv`.\n\n## `qos-operator`\n\nWithout a command, the operator runs.\n"
    );
    let operator = Arguments::command();
    page.push_str(&groups(&operator));
    for command in operator.get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let about = format!("{}.", about.trim_end_matches('.'));
        write!(page, "\n## `qos-operator {}`\n\n{about}\n", command.get_name()).unwrap();
        let names = |command: &Command| command.get_arguments().map(|argument| argument.get_id().clone()).collect::<Vec<_>>();
        if names(command) == names(&operator) {
            page.push_str("\nIt takes the flags with which the operator is to run.\n");
        } else {
            page.push_str(&groups(command));
        }
    }
    let simulator = SimulatorArguments::command();
    page.push_str("\n## `qod-simulator`\n\nA stand-in for a provider ([simulator.md](../simulator.md)).\n");
    page + &groups(&simulator)
}

/// A table for each heading of the help.
fn groups(command: &Command) -> String {
    let mut groups: Vec<(&str, Vec<Vec<String>>)> = Vec::new();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let heading = argument.get_help_heading().unwrap_or_default();
        if !groups.iter().any(|(other, _)| *other == heading) {
            groups.push((heading, Vec::new()));
        }
        let (_, rows) = groups.iter_mut().find(|(other, _)| *other == heading).unwrap();
        rows.extend(row(argument));
    }
    let mut text = String::new();
    for (heading, rows) in groups.iter().filter(|(_, rows)| !rows.is_empty()) {
        if !heading.is_empty() {
            write!(text, "\n### {heading}\n").unwrap();
        }
        write!(text, "\n{}", table(&["flag", "variable", "default", "meaning"], rows)).unwrap();
    }
    text
}

/// The row of a flag; none for those that every program has.
fn row(argument: &Arg) -> Option<Vec<String>> {
    let name = argument.get_long().filter(|name| !matches!(*name, "help" | "version"))?;
    let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string).unwrap_or_default();
    // A doc comment of several paragraphs is told as one.
    let (mut meaning, told_default) = parted(&help.replace("\n\n", " ").replace('\n', " "));
    if !meaning.ends_with('.') {
        meaning.push('.');
    }
    let values = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",");
    let takes_value = argument.get_action().takes_values();
    let default = told_default.unwrap_or_else(|| if takes_value { code(&values) } else { String::new() });
    let choice = if takes_value { argument.get_possible_values() } else { Vec::new() };
    let told: Vec<_> = choice.iter().filter_map(|value| Some(format!("`{}`: {}", value.get_name(), value.get_help()?))).collect();
    if !told.is_empty() {
        write!(meaning, " {}.", told.join("; ")).unwrap();
    } else if !choice.is_empty() {
        let names: Vec<_> = choice.iter().map(|value| format!("`{}`", value.get_name())).collect();
        write!(meaning, " One of {}.", names.join(", ")).unwrap();
    }
    Some(vec![format!("`--{name}`"), code(&variable), default, meaning])
}

/// A help without the default that it tells in words, and that default.
fn parted(help: &str) -> (String, Option<String>) {
    for (open, close) in [(" [default: ", ']'), (" (default: ", ')')] {
        if let Some((before, rest)) = help.split_once(open) {
            let (default, after) = rest.split_once(close).unwrap();
            return (format!("{before}{after}"), Some(default.to_owned()));
        }
    }
    (help.to_owned(), None)
}
