//! `createSession`

use k8s_openapi::jiff::Timestamp;

use super::super::flow::Flow;
use super::super::mock;
use super::super::session::Order;
use super::super::sessions::Conflict;
use super::super::settings::{DurationCode, Mode, Overlap, ProfileStatus, Quirk, Settings};
use super::super::tokens::Grant;
use super::super::wire::request::{Create, DAY};
use super::super::wire::{DeviceRule, Fault, Problem, Wire, answer, request};
use super::identify::{Identified, identify, open_to};
use super::{Answer, Call, Provider, body_of};
use crate::private::Private;
use crate::simulator::device::Device;

impl Provider {
    /// Checks in the order: schema, ports, device, profile, duration, callback, overlap.
    pub(super) fn create(&mut self, call: &Call, grant: &Grant, now: Timestamp) -> Result<Answer, Problem> {
        let wire = call.wire;
        let settings = &self.settings;
        let mock = settings.mode == Mode::Mock;
        let create = request::create(wire, body_of(call)?, settings)?;
        let identified = identify(wire, create.device.as_ref(), grant, settings, mock)?;
        let Identified { device, picked } = identified.ok_or_else(|| device_missing(wire))?;
        if !mock {
            profile(wire, &create.profile, &device, settings)?;
        }
        let duration = duration(&create, mock, settings)?;
        let Create {
            device: sent, servers, device_ports, server_ports, profile, callback: notify, callback_problem, echo, ..
        } = create;
        callback_problem.report()?;
        if mock {
            mock::create(sent.as_ref())?;
        }
        let mut echo = echo.into_inner();
        if let (true, Some(sent), Some(picked)) = (wire.answer.one_identifier, &sent, picked) {
            // From 0.11 on this name is `device` in every form.
            echo.insert("device".to_owned(), sent.only(picked, &wire.request));
        }
        let overlap = if mock { Overlap::Off } else { settings.overlap };
        let flow = Flow { device, servers, device_ports, server_ports };
        let callback = notify.as_ref().map(|target| target.url.clone());
        let (client, echo, generation) = (grant.client.clone(), Private::new(echo), wire.generation());
        let order = Order { client, flow, profile, duration, callback, notify, echo, generation };
        let session = self.sessions.create(order, now, settings, overlap);
        let session = session.map_err(|conflict| in_the_way(conflict, settings))?;
        let info = answer::session_info(wire, session, settings);
        let info = if mock { mock::created(wire, info) } else { info };
        let status = if settings.has(Quirk::CreatedAsOk) { 200 } else { 201 };
        let mut answer = Answer::of(status, Some(info), Some(session.id));
        if settings.has(Quirk::EmptyCreated) {
            answer.body = None;
            answer.location = Some(format!("{}/{}", call.path, session.id));
        }
        Ok(answer)
    }
}

/// Neither body nor token names a device.
pub(super) fn device_missing(wire: &Wire) -> Problem {
    let message = match wire.device {
        DeviceRule::Agreeing => "The device cannot be identified",
        _ => "An identifier is not included in the request and the device cannot be identified from the access token",
    };
    Problem::new(Fault::DeviceMissing, message)
}

fn profile(wire: &Wire, name: &str, device: &Device, settings: &Settings) -> Result<(), Problem> {
    let unavailable =
        |fault| Err(Problem::new(fault, format!("The QoS profile is not available: {}", wire.request.profile_name())));
    match settings.profile(name) {
        None => unavailable(Fault::Invalid),
        Some(profile) if profile.status != ProfileStatus::Active => unavailable(Fault::ProfileNotApplicable),
        Some(_) if !open_to(name, Some(device), settings) => unavailable(Fault::NoService),
        Some(_) => Ok(()),
    }
}

/// The duration asked for, if it is within the limits of generation and profile.
fn duration(create: &Create, mock: bool, settings: &Settings) -> Result<i64, Problem> {
    let asked = create.duration.unwrap_or(DAY);
    if create.up_to_a_day && !(1..=DAY).contains(&asked) {
        return Err(Problem::new(Fault::Invalid, "Schema validation failed at duration"));
    }
    if let (false, Some(profile), Some(asked)) = (mock, settings.profile(&create.profile), create.duration) {
        let (min, max) = (profile.min_duration_seconds.unwrap_or(1), profile.max_duration_seconds.unwrap_or(i64::MAX));
        if asked < min || asked > max {
            let by_tests = settings.duration_code == DurationCode::InvalidArgument && !create.up_to_a_day;
            let fault = if by_tests { Fault::Invalid } else { Fault::DurationLimits };
            return Err(Problem::new(fault, "The requested duration is out of the allowed range for the specific QoS profile"));
        }
    }
    Ok(asked)
}

fn in_the_way(Conflict(until): Conflict, settings: &Settings) -> Problem {
    let mut message = "Another session is created for the same device".to_owned();
    if settings.has(Quirk::ConflictTime) {
        // Whose session it is the provider that words it so does not tell either: it masks the id.
        message = format!("Found a session already active until {until}");
    }
    Problem::new(Fault::Conflict, message)
}
