//! Which device a call means, from its body and its token.

use super::super::device::{self, Device, Identifier, Kind, Unresolved};
use super::super::settings::Settings;
use super::super::tokens::Grant;
use super::super::wire::device::Sent;
use super::super::wire::{DeviceRule, Fault, Problem, Wire};
use crate::private::Private;

/// The device that a call means.
pub(super) struct Identified {
    /// The device, with every identifier that is known of it.
    pub(super) device: Device,
    /// The identifier, of those in the body, that answers name; none: the token named the device.
    pub(super) picked: Option<Kind>,
}

/// The device that `sent`, the token, or both name; none: neither does. The checks, in this order: only one of them may name it, or both
/// must agree; the identifiers are one device's; one of them can be used; the device is known; the service is for it. A mock is
/// `lenient`: it knows every device and can use every identifier.
pub(super) fn identify(
    wire: &Wire,
    sent: Option<&Sent>,
    grant: &Grant,
    settings: &Settings,
    lenient: bool,
) -> Result<Option<Identified>, Problem> {
    let subject = grant.subject.as_ref();
    if wire.device == DeviceRule::ByToken && sent.is_some() && subject.is_some() {
        let message = "The device is already identified by the access token";
        return Err(Problem::new(Fault::DeviceUnnecessary, message));
    }
    let Some(sent) = sent else {
        let named = subject.map(|subject| device::resolve(subject, &settings.subscribers, false));
        let device = named.transpose().map_err(unresolved)?;
        let device = device.map(|device| served(device, settings)).transpose()?;
        return Ok(device.map(|device| Identified { device, picked: None }));
    };
    let network_access = |kind| kind == Kind::NetworkAccessIdentifier && wire.refuses_network_access;
    let usable = |kind: Kind| lenient || !(network_access(kind) || settings.unsupported_identifiers.contains(&kind));
    let picked = sent.kinds().find(|kind| usable(*kind));
    // All of them are matched, or only the one that is used.
    let meant = sent.device(|kind| if wire.matches_identifiers { true } else { Some(kind) == picked });
    if wire.device == DeviceRule::Agreeing
        && let Some(subject) = subject
        && !device::resolve(&meant, &settings.subscribers, false).is_ok_and(|device| device.is(subject))
    {
        return Err(Problem::new(Fault::TokenContext, "The device is not the one that the access token is for"));
    }
    let known_only = settings.known_devices_only && !lenient;
    let resolved = device::resolve(&meant, &settings.subscribers, false).map_err(unresolved)?;
    if picked.is_none() {
        return Err(Problem::new(Fault::DeviceUnsupported, "The device identifiers are not supported"));
    }
    if known_only {
        device::resolve(&meant, &settings.subscribers, true).map_err(unresolved)?;
    }
    let device = if lenient { resolved } else { served(resolved, settings)? };
    Ok(Some(Identified { device, picked }))
}

fn unresolved(why: Unresolved) -> Problem {
    match why {
        Unresolved::Mismatch => Problem::new(Fault::Mismatch, "Multiple inconsistent parameters specified: device"),
        Unresolved::Unknown => Problem::new(Fault::DeviceUnknown, "Unable to identify device from specified parameters: device"),
    }
}

/// The device, if the service is for it.
fn served(device: Device, settings: &Settings) -> Result<Device, Problem> {
    let named = |phone: &str| of_phone(phone, settings).is(&device);
    if settings.devices_without_service.iter().any(|phone| named(phone.expose())) {
        return Err(Problem::new(Fault::NoService, "The service is not available for the provided device"));
    }
    Ok(device)
}

/// Whether `profile` is open to the device; one that is restricted to some devices is not shown to who names none
/// (`qos_profiles_retrieveQoSProfiles_05`).
pub(super) fn open_to(profile: &str, device: Option<&Device>, settings: &Settings) -> bool {
    let is = |phone: &Private<String>| device.is_some_and(|device| of_phone(phone.expose(), settings).is(device));
    settings.restricted_profiles.get(profile).is_none_or(|phones| phones.iter().any(is))
}

/// The device with this phone number.
fn of_phone(phone: &str, settings: &Settings) -> Device {
    let alone = Device::new([Identifier::phone(phone)]);
    device::resolve(&alone, &settings.subscribers, false).unwrap_or(alone)
}
