//! What one Pod or Service claims. Pure.

use super::annotations::{Ask, Kind, Parsed, ports_of_service, server_of_load_balancer};
use super::child::name_of;
use super::facts::{Claimant, NodeDevice, Nodes, Place};
use super::keys::{APPLICATION_SERVER, APPLICATION_SERVER_PORTS, DEVICE, PREFIX};
use super::notice::{Notice, Reason};
use crate::api::{
    ApplicationServer, DeletionPolicy, Device, PortsSpec, ProviderRef, QosSessionSpec, RecoveryPolicy, RenewalPolicy,
};

/// A child that a claimant wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// The child's name: the flow and the provider decide it.
    pub name: String,
    /// The child's spec.
    pub spec: Box<QosSessionSpec>,
}

/// What a claimant does with children.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It claims these.
    Claims(Vec<Wish>),
    /// What it wants cannot be said: what stands in its owner's name stays as it is.
    Keeps,
    /// It claims nothing.
    Nothing,
}

/// What `claimant` claims, and what it must be told. `nodes`: none where Nodes name no devices here.
pub fn standing(claimant: &Claimant, nodes: Option<&Nodes>) -> (Standing, Vec<Notice>) {
    let ended = match claimant.place {
        Place::Pod { finished, .. } => finished,
        Place::Service { .. } => claimant.deleting,
    };
    match &claimant.parsed {
        _ if ended => (Standing::Nothing, Vec::new()),
        Parsed::Nothing => (Standing::Nothing, Vec::new()),
        Parsed::Wrong(faults) => {
            let told = faults.iter().map(|fault| Notice {
                asker: claimant.asker(),
                reason: fault.reason,
                key: fault.key.clone(),
                text: fault.text.clone(),
            });
            (if claimant.counts() { Standing::Keeps } else { Standing::Nothing }, told.collect())
        }
        Parsed::Asks(_) if !claimant.counts() => (Standing::Nothing, Vec::new()),
        Parsed::Asks(ask) => match wishes(claimant, ask, nodes) {
            Ok(wishes) => (Standing::Claims(wishes), Vec::new()),
            Err(Lack { standing, told }) => {
                let notice = told.map(|(reason, key, text)| Notice {
                    asker: claimant.asker(),
                    reason,
                    key: format!("{PREFIX}{key}"),
                    text,
                });
                (standing, notice.into_iter().collect())
            }
        },
    }
}

/// What is missing for a claim.
struct Lack {
    standing: Standing,
    told: Option<(Reason, &'static str, String)>,
}

impl Lack {
    const fn unknown() -> Self {
        Self { standing: Standing::Keeps, told: None }
    }

    const fn keeps(reason: Reason, key: &'static str, text: String) -> Self {
        Self { standing: Standing::Keeps, told: Some((reason, key, text)) }
    }

    const fn ends(reason: Reason, key: &'static str, text: String) -> Self {
        Self { standing: Standing::Nothing, told: Some((reason, key, text)) }
    }
}

fn wishes(claimant: &Claimant, ask: &Ask, nodes: Option<&Nodes>) -> Result<Vec<Wish>, Lack> {
    let devices = match &ask.devices {
        Some(devices) => devices,
        None => devices_of_node(claimant, nodes)?,
    };
    let server = match &ask.server {
        Some(server) => server.clone(),
        None => server_of_service(claimant)?,
    };
    let server_ports = match (&ask.server_ports, &claimant.place) {
        (Some(ports), _) => Some(ports.clone()),
        (None, Place::Service { ports, .. }) => ports_of_service(ports).map_err(|problem| {
            let text = format!("{PREFIX}{APPLICATION_SERVER_PORTS}: {problem}");
            Lack::keeps(Reason::InvalidAnnotation, APPLICATION_SERVER_PORTS, text)
        })?,
        (None, Place::Pod { .. }) => None,
    };
    Ok(devices.iter().map(|device| wish(ask, device, &server, server_ports.as_ref())).collect())
}

fn devices_of_node<'a>(claimant: &Claimant, nodes: Option<&'a Nodes>) -> Result<&'a Vec<Device>, Lack> {
    let Place::Pod { node: Some(node), .. } = &claimant.place else { return Err(Lack::unknown()) };
    let Some(nodes) = nodes else {
        let text = format!("the Pod names no device, and Nodes name none here: set {PREFIX}{DEVICE} on the Pod");
        return Err(Lack::ends(Reason::NoDevice, DEVICE, text));
    };
    match nodes.get(node) {
        // A Node that has not been seen yet.
        None => Err(Lack::unknown()),
        Some(NodeDevice::Devices(devices)) => Ok(devices),
        Some(NodeDevice::None) => {
            let text = format!("neither the Pod nor its Node {node} names a device: set {PREFIX}{DEVICE} on one of them");
            Err(Lack::ends(Reason::NoDevice, DEVICE, text))
        }
        Some(NodeDevice::Wrong(problem)) => {
            let text = format!("{PREFIX}{DEVICE} of Node {node}: {problem}");
            Err(Lack::keeps(Reason::InvalidAnnotation, DEVICE, text))
        }
    }
}

fn server_of_service(claimant: &Claimant) -> Result<ApplicationServer, Lack> {
    let Place::Service { balanced, addresses, host_name, .. } = &claimant.place else { return Err(Lack::unknown()) };
    let lacks = |standing: fn(Reason, &'static str, String) -> Lack, what: &str| {
        standing(Reason::NoAddress, APPLICATION_SERVER, format!("{what}: set {PREFIX}{APPLICATION_SERVER}"))
    };
    match server_of_load_balancer(addresses) {
        None => Err(lacks(Lack::keeps, "the load balancer has more than 16 addresses")),
        Some(server) if !addresses.is_empty() => Ok(server),
        Some(_) if !balanced => Err(lacks(Lack::ends, "a Service that is not of type LoadBalancer has no address for this")),
        Some(_) if *host_name => Err(lacks(Lack::keeps, "the load balancer has a host name and no IP address")),
        // It may come, or come back.
        Some(_) => Err(Lack::unknown()),
    }
}

fn wish(ask: &Ask, device: &Device, server: &ApplicationServer, server_ports: Option<&PortsSpec>) -> Wish {
    let spec = Box::new(QosSessionSpec {
        provider_ref: ask.provider.clone().map(|name| ProviderRef { name }),
        device: device.clone(),
        application_server: server.clone(),
        device_ports: ask.device_ports.clone(),
        application_server_ports: server_ports.cloned(),
        qos_profile: ask.profile.clone(),
        duration_seconds: ask.duration_seconds,
        renewal_policy: Some(RenewalPolicy::Always),
        recovery_policy: RecoveryPolicy::Recreate,
        deletion_policy: DeletionPolicy::Delete,
        suspend: ask.suspend,
    });
    Wish { name: name_of(&spec), spec }
}

/// What a younger claim is told when an older one on the same flow decides otherwise; nothing where they agree.
pub fn disagreement(younger: &Claimant, theirs: &QosSessionSpec, older: &Claimant, decided: &QosSessionSpec) -> Option<Notice> {
    let differs = [
        ("profile", theirs.qos_profile != decided.qos_profile),
        ("duration", theirs.duration_seconds != decided.duration_seconds),
        ("suspend", theirs.suspend != decided.suspend),
    ];
    let keys: Vec<_> = differs.iter().filter(|(_, differs)| *differs).map(|(key, _)| format!("{PREFIX}{key}")).collect();
    if keys.is_empty() {
        return None;
    }
    let (keys, who) = (
        keys.join(", "),
        match older.kind {
            Kind::Service => format!("Service {}", older.name),
            // The Pod's own name would be another one after each restart.
            Kind::Pod => format!("{} {}", older.owner.kind, older.owner.name),
        },
    );
    let text = format!("{keys}: {who} is older, asks for the same flow and decides; say the same, or name another flow");
    Some(Notice { asker: younger.asker(), reason: Reason::FlowShared, key: keys, text })
}
