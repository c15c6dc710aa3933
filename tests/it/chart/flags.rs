//! The chart passes only flags that the binaries know.

use clap::{CommandFactory as _, Parser as _};
use qos_operator::args::Arguments;
use qos_operator::simulator::args::Args as SimulatorArguments;
use serde_json::Value;

use super::{list, pods, rendered, sets};

fn arguments(container: &Value) -> Vec<String> {
    list(&container["args"]).map(|argument| argument.as_str().unwrap().to_owned()).collect()
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
                } else {
                    let all = std::iter::once("qos-operator".to_owned()).chain(arguments);
                    Arguments::try_parse_from(all).unwrap_or_else(|error| panic!("{name}, {}: {error}", pod.of));
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried} containers");
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
            let read = known.contains(&variable) || OF_LIBRARIES.contains(&variable);
            assert!(read, "{name}: nobody reads {variable}");
        }
    }
}
