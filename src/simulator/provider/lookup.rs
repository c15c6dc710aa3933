//! `retrieveSessionsByDevice`, and what is offered: `getQosProfiles`, `getQosProfile`, `retrieveQoSProfiles`.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::super::generation::Generation;
use super::super::settings::Profile;
use super::super::tokens::Grant;
use super::super::wire::{Fault, Problem, answer, request};
use super::create::device_missing;
use super::identify::{identify, open_to};
use super::{Answer, Call, Provider, body_of, not_found, viewer};

impl Provider {
    /// The sessions of one device that the client has, and, with a three-legged token, the end user too.
    pub(super) fn retrieve_sessions(&self, call: &Call, grant: &Grant, now: Timestamp) -> Result<Answer, Problem> {
        let (wire, settings) = (call.wire, &self.settings);
        let lookup = request::sessions_lookup(wire, body_of(call)?)?;
        let early = [Generation::V0_11, Generation::V1_0].contains(&wire.generation());
        if lookup.empty && early && settings.refuse_empty_lookup {
            return Err(Problem::new(Fault::Invalid, "Expected property is missing: device"));
        }
        let identified = identify(wire, lookup.device.as_ref(), grant, settings, false)?;
        let device = identified.ok_or_else(|| device_missing(wire))?.device;
        let who = viewer(call, grant);
        let sessions = self.sessions.list(&who, &device, now, settings.list_lag_seconds);
        let most = wire.answer.list_limit.unwrap_or(usize::MAX);
        let list: Vec<Value> = sessions.take(most).map(|session| answer::session_info(wire, session, settings)).collect();
        Ok(Answer::of(200, Some(Value::Array(list)), None))
    }

    /// One profile, or up to 0.10 those that fit the query.
    pub(super) fn profiles(&self, call: &Call) -> Result<Answer, Problem> {
        let (wire, settings) = (call.wire, &self.settings);
        let Some(name) = &call.name else {
            let asked = |field: &str, value: Value| call.query.get(field).is_none_or(|asked| value == *asked);
            let found =
                self.fitting(call, |profile| asked("name", json!(profile.name)) && asked("status", json!(profile.status)));
            return if found.is_empty() {
                Err(not_found("No QoS Profiles found"))
            } else {
                Ok(Answer::of(200, Some(Value::Array(found)), None))
            };
        };
        if !request::profile_name(name) {
            return Err(Problem::new(Fault::Invalid, "Schema validation failed at name"));
        }
        let profile = settings.profile(name).ok_or_else(|| not_found("QosProfile Id does not exist"))?;
        Ok(Answer::of(200, Some(answer::profile(wire, profile, settings)), None))
    }

    /// The profiles that fit, of those that are open to the device, if one is named; without one of those that are open to all. None is
    /// no error.
    pub(super) fn retrieve_profiles(&self, call: &Call, grant: &Grant) -> Result<Answer, Problem> {
        let settings = &self.settings;
        let lookup = request::profiles_lookup(call.wire, body_of(call)?)?;
        let identified = identify(call.wire, lookup.device.as_ref(), grant, settings, false)?;
        let found = self.fitting(call, |profile| {
            lookup.name.as_ref().is_none_or(|name| *name == profile.name)
                && lookup.status.as_ref().is_none_or(|status| json!(profile.status) == *status)
                && open_to(&profile.name, identified.as_ref().map(|identified| &identified.device), settings)
        });
        Ok(Answer::of(200, Some(Value::Array(found)), None))
    }

    fn fitting(&self, call: &Call, fits: impl Fn(&Profile) -> bool) -> Vec<Value> {
        let settings = &self.settings;
        let fitting = settings.profiles.iter().filter(|profile| fits(profile));
        fitting.map(|profile| answer::profile(call.wire, profile, settings)).collect()
    }
}
