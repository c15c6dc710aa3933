//! What a Lease says, and what is written into it. Fields and their meaning are Kubernetes' own (`coordination.k8s.io/v1`).

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;

/// Where the holder takes notifications that came to another replica: `address:port`.
pub const ADDRESS_ANNOTATION: &str = "qos-operator.io/hand-over-address";

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `holderIdentity`; none where nobody holds it.
    pub holder: Option<String>,
    /// `leaseDurationSeconds`: how long others wait.
    pub duration: Option<Duration>,
    /// `acquireTime`, by the holder's clock. With the holder it names the term.
    pub acquired: Option<Timestamp>,
    /// `renewTime`, by the holder's clock: it is only compared for being the same.
    pub renewed: Option<Timestamp>,
    /// `leaseTransitions`: how often the holder changed.
    pub transitions: i32,
    /// See [`ADDRESS_ANNOTATION`].
    pub address: Option<String>,
}

impl Record {
    /// What `lease` says.
    pub fn of(lease: &Lease) -> Self {
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let annotations = lease.metadata.annotations.as_ref();
        Self {
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            duration: seconds.map(Duration::from_secs),
            acquired: spec.acquire_time.map(|at| at.0),
            renewed: spec.renew_time.map(|at| at.0),
            transitions: spec.lease_transitions.unwrap_or(0),
            address: annotations.and_then(|annotations| annotations.get(ADDRESS_ANNOTATION)).cloned(),
        }
    }

    /// `identity` takes the lease at `now` from whoever this record names.
    #[must_use]
    pub fn taken(&self, identity: &str, duration: Duration, address: Option<&str>, now: Timestamp) -> Self {
        let changed = self.holder.as_deref() != Some(identity);
        // A lease that nobody has held yet begins at 0.
        let first = self.holder.is_none() && self.acquired.is_none();
        Self {
            holder: Some(identity.to_owned()),
            duration: Some(duration),
            acquired: Some(in_microseconds(now)),
            renewed: Some(in_microseconds(now)),
            transitions: self.transitions.saturating_add(i32::from(changed && !first)),
            address: address.map(str::to_owned),
        }
    }

    /// The holder renews it at `now`.
    #[must_use]
    pub fn renewed(&self, now: Timestamp) -> Self {
        Self { renewed: Some(in_microseconds(now)), ..self.clone() }
    }

    /// The holder gives it back at `now`: the next may take it at once.
    #[must_use]
    pub fn released(&self, now: Timestamp) -> Self {
        // As client-go writes it: a duration of 0 would be refused.
        Self {
            holder: None,
            duration: Some(Duration::from_secs(1)),
            renewed: Some(in_microseconds(now)),
            address: None,
            ..self.clone()
        }
    }

    /// `lease` with this record; all else in it stays, its `resourceVersion` above all.
    pub fn write_into(&self, mut lease: Lease) -> Lease {
        // What is left out of an update stays as it is.
        lease.metadata.managed_fields = None;
        let annotations = lease.metadata.annotations.get_or_insert_default();
        match &self.address {
            Some(address) => annotations.insert(ADDRESS_ANNOTATION.to_owned(), address.clone()),
            None => annotations.remove(ADDRESS_ANNOTATION),
        };
        let seconds = self.duration.map(|duration| duration.as_secs() + u64::from(duration.subsec_nanos() > 0));
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.holder.clone().unwrap_or_default()),
            lease_duration_seconds: seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX)),
            acquire_time: self.acquired.map(MicroTime),
            renew_time: self.renewed.map(MicroTime),
            lease_transitions: Some(self.transitions),
            ..lease.spec.unwrap_or_default()
        });
        lease
    }
}

/// A Lease that is not there yet.
pub fn fresh(namespace: &str, name: &str) -> Lease {
    let metadata = ObjectMeta { namespace: Some(namespace.to_owned()), name: Some(name.to_owned()), ..ObjectMeta::default() };
    Lease { metadata, spec: None }
}

/// As a MicroTime keeps it, so that what is read back is equal to what was written.
fn in_microseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_millis(19_500);

    fn at(nanosecond: i128) -> Timestamp {
        Timestamp::from_nanosecond(nanosecond).unwrap()
    }

    fn lease() -> Lease {
        let mut lease = fresh("qos", "qos-operator");
        lease.metadata.resource_version = Some("7".to_owned());
        lease.metadata.labels = Some([("kept".to_owned(), "yes".to_owned())].into());
        lease
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written_and_all_else_of_the_lease_stays() {
        let record = Record::default().taken("a", DURATION, Some("192.0.2.1:8445"), at(1_234_567_891));
        let json = serde_json::to_value(record.write_into(lease())).unwrap();
        assert_eq!(json["spec"]["renewTime"], "1970-01-01T00:00:01.234567Z");
        assert_eq!(json["spec"]["leaseDurationSeconds"], 20, "rounded up: nobody may take it early");
        assert_eq!((&json["metadata"]["resourceVersion"], &json["metadata"]["labels"]["kept"]), (&"7".into(), &"yes".into()));
        let read = Record::of(&serde_json::from_value(json).unwrap());
        assert_eq!(read, Record { duration: Some(Duration::from_secs(20)), ..record });
    }

    #[test]
    fn transitions_count_changes_of_the_holder_and_nothing_else() {
        let take = |record: &Record, who: &str| record.taken(who, DURATION, None, at(0));
        let first = take(&Record::default(), "a");
        assert_eq!(first.transitions, 0);
        assert_eq!(first.renewed(at(5)).transitions, 0);
        assert_eq!(take(&first, "a").transitions, 0, "a later life of the same holder");
        assert_eq!(take(&first, "b").transitions, 1);
        assert_eq!(take(&first.released(at(5)), "b").transitions, 1);
    }

    #[test]
    fn a_released_lease_names_nobody_and_nowhere() {
        let released = Record::default().taken("a", DURATION, Some("192.0.2.1:8445"), at(0)).released(at(9));
        let json = serde_json::to_value(released.write_into(released.write_into(lease()))).unwrap();
        assert_eq!(json["spec"]["holderIdentity"], "");
        assert!(json["metadata"]["annotations"].get(ADDRESS_ANNOTATION).is_none(), "{json}");
    }
}
