//! The chart passes only flags that the binaries know.

use clap::{CommandFactory as _, Parser as _};
use qos_operator::args::Arguments;
use qos_operator::simulator::args::Args as SimulatorArguments;
use serde_json::Value;

use super::{list, pods, rendered, sets};

/// Flags and commands that the chart passes and this tree's operator does not know yet. Each must go from here when it does.
const TO_COME: [&str; 5] = ["--admin-listen", "--workloads", "--workload-linger", "--workload-node-devices", "check"];

fn arguments(container: &Value) -> Vec<String> {
    list(&container["args"]).map(|argument| argument.as_str().unwrap().to_owned()).collect()
}

fn to_come(argument: &str) -> bool {
    let name = argument.split('=').next().unwrap_or_default();
    TO_COME.contains(&name)
}

#[test]
fn every_flag_of_every_container_is_understood() {
    let mut tried = 0;
    for (name, values) in sets() {
        for pod in pods(&rendered(&values)) {
            for container in list(&pod.spec["containers"]) {
                let arguments = arguments(container);
                if container["command"].is_array() {
                    let all = std::iter::once("qod-simulator".to_owned()).chain(arguments);
                    SimulatorArguments::try_parse_from(all).unwrap_or_else(|error| panic!("{name}, {}: {error}", pod.of));
                } else if !arguments.iter().take(1).any(|first| to_come(first) && !first.starts_with('-')) {
                    let known = arguments.into_iter().filter(|argument| !to_come(argument) || pod.kind != "Deployment");
                    let all = std::iter::once("qos-operator".to_owned()).chain(known);
                    Arguments::try_parse_from(all).unwrap_or_else(|error| panic!("{name}, {}: {error}", pod.of));
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried} containers");
}

#[test]
fn the_list_of_flags_to_come_holds_none_that_is_there() {
    let command = Arguments::command();
    let flags = command.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?)));
    let environment = command.get_arguments().filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()));
    let commands = command.get_subcommands().map(|command| command.get_name().to_owned());
    let known: Vec<_> = flags.chain(environment).chain(commands).collect();
    let there: Vec<_> = TO_COME.into_iter().filter(|flag| known.iter().any(|known| known == flag)).collect();
    assert!(there.is_empty(), "these are there now, so strike them from the list: {there:?}");
}

#[test]
fn every_variable_that_the_chart_sets_for_the_operator_is_one_that_it_reads() {
    // Read by libraries: the proxy by reqwest, the certificates by rustls-native-certs.
    const OF_LIBRARIES: [&str; 4] = ["HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"];
    let command = Arguments::command();
    let known: Vec<_> = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()).collect();
    for (name, values) in sets() {
        let objects = rendered(&values);
        let pods = pods(&objects);
        let operator = pods.iter().find(|pod| pod.labels["app.kubernetes.io/component"] == "operator").unwrap();
        for variable in list(&operator.spec["containers"][0]["env"]) {
            let variable = variable["name"].as_str().unwrap();
            let read = known.contains(&variable) || OF_LIBRARIES.contains(&variable) || to_come(variable);
            assert!(read, "{name}: nobody reads {variable}");
        }
    }
}
