//! The command line of an election.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{ArgAction, Args};
use k8s_openapi::jiff::SignedDuration;

use super::pace::{Pace, PaceError};
use crate::args::duration;

/// How several replicas share the work: one acts, the others stand by and receive notifications all the same.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Replicas")]
pub struct LeaderArguments {
    /// Act only while this process holds the lease. Needed where more than one replica runs, also for the moments of an update.
    #[arg(
        long,
        env = "QOS_LEADER_ELECTION",
        default_value_t = false,
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub leader_election: bool,
    /// Name of the Lease in the operator's own namespace. Each --session-selector needs its own.
    #[arg(long, env = "QOS_LEASE_NAME", default_value = "qos-operator")]
    pub lease_name: String,
    /// So long after the leader's last renewal another replica may lead.
    #[arg(long, env = "QOS_LEASE_DURATION", default_value = "20s", value_parser = duration)]
    pub lease_duration: SignedDuration,
    /// So long after its last renewal the leader gives up and ends.
    #[arg(long, env = "QOS_LEASE_RENEW_DEADLINE", default_value = "15s", value_parser = duration)]
    pub lease_renew_deadline: SignedDuration,
    /// Longest time between two renewals: the leader renews after half of it, the others look after a quarter.
    #[arg(long, env = "QOS_LEASE_RETRY_PERIOD", default_value = "4s", value_parser = duration)]
    pub lease_retry_period: SignedDuration,
    /// Name of this replica in the Lease, another one for each (default: the host's name and a random end).
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Address and port on which the leader takes the notifications that other replicas received. It listens only where
    /// notifications are received and a leader is elected, and must not be reached from outside of the cluster.
    #[arg(long, env = "QOS_HAND_OVER_LISTEN", default_value = "0.0.0.0:8444")]
    pub hand_over_listen: SocketAddr,
    /// This replica's address as the others reach it. Without it the one of --hand-over-listen is told, where that is one.
    #[arg(long, env = "POD_IP")]
    pub advertise_address: Option<IpAddr>,
}

impl LeaderArguments {
    /// The times of the lease; none where no leader is elected.
    ///
    /// # Errors
    /// Names the flags that do not fit together.
    pub fn pace(&self, send_window: SignedDuration) -> Result<Option<Pace>, PaceError> {
        let [lease_duration, renew_deadline, retry_period, window] =
            [self.lease_duration, self.lease_renew_deadline, self.lease_retry_period, send_window].map(positive);
        let pace = Pace { lease_duration, renew_deadline, retry_period };
        self.leader_election.then(|| pace.checked(window)).transpose()
    }

    /// This replica's name.
    pub fn identity(&self) -> String {
        let given = self.pod_name.clone().filter(|name| !name.is_empty());
        given.unwrap_or_else(|| {
            let host = hostname::get().ok().and_then(|host| host.into_string().ok());
            format!("{}_{}", host.as_deref().unwrap_or("qos-operator"), uuid::Uuid::new_v4().simple())
        })
    }

    /// What others are told of a hand-over listener at `bound`; none where it is not known under which address they reach it.
    pub fn advertised(&self, bound: SocketAddr) -> Option<SocketAddr> {
        let known = (!bound.ip().is_unspecified()).then_some(bound.ip());
        Some(SocketAddr::new(self.advertise_address.or(known)?, bound.port()))
    }
}

/// The parser lets no negative one through.
fn positive(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        leader: LeaderArguments,
    }

    const WINDOW: SignedDuration = SignedDuration::from_secs(10);

    fn parse(words: &[&str]) -> LeaderArguments {
        Line::try_parse_from(std::iter::once(&"qos-operator").chain(words)).unwrap().leader
    }

    #[test]
    fn nobody_is_elected_unless_asked_for_and_the_defaults_fit_together() {
        assert_eq!(parse(&[]).pace(WINDOW), Ok(None));
        assert_eq!(parse(&["--leader-election=false"]).pace(WINDOW), Ok(None));
        let pace = parse(&["--leader-election"]).pace(WINDOW).unwrap().unwrap();
        assert_eq!([pace.lease_duration, pace.renew_deadline, pace.retry_period].map(|time| time.as_secs()), [20, 15, 4]);
        let refused = parse(&["--leader-election=true", "--lease-duration", "14s"]).pace(WINDOW).unwrap_err();
        assert!(refused.to_string().contains("--send-window"), "{refused}");
    }

    #[test]
    fn replicas_without_a_name_have_different_ones() {
        assert_ne!(parse(&[]).identity(), parse(&[]).identity());
        assert_eq!(parse(&["--pod-name", "qos-operator-0"]).identity(), "qos-operator-0");
    }

    #[test]
    fn the_address_that_is_told_is_one_that_others_can_reach() {
        let bound = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(parse(&[]).advertised(bound("0.0.0.0:8444")), None);
        assert_eq!(parse(&[]).advertised(bound("192.0.2.1:8444")), Some(bound("192.0.2.1:8444")));
        let told = parse(&["--advertise-address", "192.0.2.7"]).advertised(bound("0.0.0.0:8444"));
        assert_eq!(told, Some(bound("192.0.2.7:8444")));
    }
}
