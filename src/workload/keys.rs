//! The keys of annotations and labels that workloads and their children carry.

/// What all keys begin with.
pub const PREFIX: &str = "qos-operator.io/";

/// Asks for the session, and names its QoS profile.
pub const PROFILE: &str = "profile";
/// The devices, one session each. On a Node: the device of the Pods that run there.
pub const DEVICE: &str = "device";
/// The server at the other end.
pub const APPLICATION_SERVER: &str = "application-server";
/// The server's ports.
pub const APPLICATION_SERVER_PORTS: &str = "application-server-ports";
/// The device's ports.
pub const DEVICE_PORTS: &str = "device-ports";
/// How long a lease is.
pub const DURATION: &str = "duration";
/// The QosProvider.
pub const PROVIDER: &str = "provider";
/// Whether the session is released while the object stays.
pub const SUSPEND: &str = "suspend";

/// Every key that may stand on a Pod or Service, without [`PREFIX`].
pub const KNOWN: [&str; 8] =
    [PROFILE, DEVICE, APPLICATION_SERVER, APPLICATION_SERVER_PORTS, DEVICE_PORTS, DURATION, PROVIDER, SUSPEND];

/// Label of a namespace whose workloads may ask; with the value [`ENABLED`].
pub const WORKLOADS_LABEL: &str = "qos-operator.io/workloads";
/// See [`WORKLOADS_LABEL`].
pub const ENABLED: &str = "enabled";

/// Label of every `QosSession` that was made for workloads; with the value [`SOURCE_WORKLOAD`]. Without it an object is never touched.
pub const SOURCE_LABEL: &str = "qos-operator.io/source";
/// See [`SOURCE_LABEL`].
pub const SOURCE_WORKLOAD: &str = "workload";
/// Label of what an operator keeps; with the value [`MANAGED_BY`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// See [`MANAGED_BY_LABEL`].
pub const MANAGED_BY: &str = "qos-operator";

/// Annotation of a child whose last claim is gone: since when. It is deleted after the linger unless a claim comes back.
pub const UNCLAIMED_SINCE: &str = "qos-operator.io/unclaimed-since";

/// The known key that `name` (without [`PREFIX`]) was most likely meant to be; none where nothing is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let distance = |known: &&str| strsim::osa_distance(&name, known);
    KNOWN.into_iter().min_by_key(distance).filter(|known| distance(known) * 2 <= known.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_led_to_the_key_that_was_meant_and_a_word_of_its_own_to_none() {
        let meant = ["profil", "Profile", "applicationserver", "application-server-port", "devices", "durration", "suspended"];
        let found = [PROFILE, PROFILE, APPLICATION_SERVER, APPLICATION_SERVER_PORTS, DEVICE, DURATION, SUSPEND];
        assert_eq!(meant.map(nearest), found.map(Some));
        assert_eq!(["linger", "owner-of-the-thing", "x"].map(nearest), [None; 3]);
    }
}
