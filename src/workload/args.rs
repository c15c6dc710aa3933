//! The flags of the workload controller.

use clap::{ArgAction, Args};
use k8s_openapi::jiff::SignedDuration;

use super::Settings;

/// What Pods and Services may ask for by annotation.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Workloads")]
pub struct WorkloadArguments {
    /// Make QosSessions for the annotated Pods and Services of namespaces with the label `qos-operator.io/workloads: enabled`.
    #[arg(long, env = "QOS_WORKLOADS", default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    pub workloads: bool,
    /// How long such a QosSession outlives its last Pod, so that a restart is not a new purchase.
    #[arg(long, env = "QOS_WORKLOAD_LINGER", default_value = "60s", value_parser = duration)]
    pub workload_linger: SignedDuration,
    /// Take the device of a Pod that names none from the annotation of its Node. Whoever may annotate Nodes then decides who pays
    /// for their Pods, and a kubelet may annotate its own.
    #[arg(long, env = "QOS_WORKLOAD_NODE_DEVICES", default_value_t = true, action = ArgAction::Set, value_name = "BOOL")]
    pub workload_node_devices: bool,
}

impl WorkloadArguments {
    /// The settings; none: the controller does not run.
    pub fn settings(self) -> Option<Settings> {
        let Self { workloads, workload_linger, workload_node_devices } = self;
        workloads.then_some(Settings { linger: workload_linger, node_devices: workload_node_devices })
    }
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let parsed = text.parse::<SignedDuration>().ok().filter(|duration| !duration.is_negative());
    parsed.ok_or_else(|| "write a duration with its unit, such as 60s or 2m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Arguments;

    fn read(flags: &[&str]) -> Option<Settings> {
        let all = ["qos-operator"].iter().chain(flags);
        Arguments::try_parse_from(all).unwrap().run.workloads.settings()
    }

    #[test]
    fn workloads_are_served_with_a_linger_of_a_minute_unless_a_flag_says_otherwise() {
        let usual = Settings { linger: SignedDuration::from_secs(60), node_devices: true };
        assert_eq!(read(&[]), Some(usual));
        assert_eq!(read(&["--workloads=false"]), None);
        let other = read(&["--workload-linger=0s", "--workload-node-devices=false"]);
        assert_eq!(other, Some(Settings { linger: SignedDuration::ZERO, node_devices: false }));
        assert!(Arguments::try_parse_from(["qos-operator", "--workload-linger", "60"]).is_err());
    }
}
