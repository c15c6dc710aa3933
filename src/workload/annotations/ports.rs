//! `application-server-ports` and `device-ports`: ports and ranges.

use super::list::{Problem, entries};
use crate::api::{PortRange, PortsSpec};

/// What each list of a `PortsSpec` may hold.
const MOST: usize = 100;

#[derive(Clone, Copy, PartialEq)]
enum Item {
    Port(i32),
    Range(PortRange),
}

/// The ports that the annotation names.
pub(super) fn ports(text: &str) -> Result<PortsSpec, Problem> {
    let items = entries(text, MOST, item)?;
    let single: Vec<_> = items.iter().filter_map(|item| if let Item::Port(port) = item { Some(*port) } else { None }).collect();
    let ranges: Vec<_> =
        items.iter().filter_map(|item| if let Item::Range(range) = item { Some(*range) } else { None }).collect();
    Ok(PortsSpec { ports: Some(single).filter(|all| !all.is_empty()), ranges: Some(ranges).filter(|all| !all.is_empty()) })
}

/// The ports of a Service, sorted and each once: one number may be open for TCP and UDP. With more than can be listed, those that
/// follow each other become ranges.
///
/// # Errors
/// When that is not enough.
pub fn of_service(ports: &[i32]) -> Result<Option<PortsSpec>, Problem> {
    let mut single = ports.to_vec();
    single.sort_unstable();
    single.dedup();
    if single.len() <= MOST {
        return Ok((!single.is_empty()).then_some(PortsSpec { ports: Some(single), ranges: None }));
    }
    let mut ranges: Vec<PortRange> = Vec::new();
    for port in single {
        match ranges.last_mut() {
            Some(last) if last.to + 1 == port => last.to = port,
            _ => ranges.push(PortRange { from: port, to: port }),
        }
    }
    if ranges.len() > MOST {
        return Err(Problem::Whole("the Service has too many ports: name at most 100 ports or ranges"));
    }
    Ok(Some(PortsSpec { ports: None, ranges: Some(ranges) }))
}

fn item(text: &str) -> Result<Item, &'static str> {
    const REMEDY: &str = "a port (1 to 65535) or FROM-TO";
    let Some((from, to)) = text.split_once('-') else { return port(text).map(Item::Port).ok_or(REMEDY) };
    match (port(from), port(to)) {
        (Some(from), Some(to)) if from <= to => Ok(Item::Range(PortRange { from, to })),
        (Some(_), Some(_)) => Err("from must not be greater than to"),
        _ => Err(REMEDY),
    }
}

/// A port as people write it: no sign, no zero in front.
pub(super) fn port(text: &str) -> Option<i32> {
    let port: u16 = text.parse().ok().filter(|port| *port > 0)?;
    (port.to_string() == text).then(|| port.into())
}
