//! What stands against a create, besides what an object says of itself (row 25): pure, over the caches.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::context::Context;
use super::desired::{self, Desired};
use super::facts::{Bar, Limits};
use super::flow::Invalid;
use super::outcome::BarWords;
use crate::api::{QosSession, Reason};
use crate::private::Private;
use crate::provider::{ProfileAnswer, Provider, Readiness};
use crate::qod::{FaultClass, Field, Generation};

/// The longest duration that a create may ask for up to v0.10, in seconds.
pub const DAY: i32 = 86_400;

/// The first thing that stands against a create of `object` at `provider`, in the order in which a user would put it right.
pub fn bar(
    context: &Context,
    object: &QosSession,
    desired: &Desired,
    provider: Option<&Provider>,
    name: Option<&str>,
    holds: bool,
    now: Timestamp,
) -> Option<(Bar, BarWords)> {
    let words = |bar, reason, message: String| Some((bar, BarWords { reason, message }));
    if let Err(Invalid { field, remedy }) = &desired.parts {
        return words(Bar::Spec, Reason::InvalidSpec, format!("{field}: {remedy}"));
    }
    let Some(provider) = provider else {
        let message = match name {
            _ if !context.providers.loaded() => "the QosProviders are being read".to_owned(),
            Some(name) => format!("QosProvider {name} does not exist"),
            None => "no QosProvider is marked as default: name one in providerRef, or annotate one with \
                     qos-operator.io/is-default-provider: \"true\""
                .to_owned(),
        };
        return words(Bar::ProviderNotFound, Reason::ProviderNotFound, message);
    };
    let name = &provider.name;
    if let Some(found) = inexpressible(object, provider) {
        return Some(found);
    }
    if provider.deleting {
        return words(Bar::ProviderNotReady, Reason::ProviderNotReady, format!("QosProvider {name} is being deleted"));
    }
    let namespace = object.namespace().unwrap_or_default();
    if !context.providers.admits(provider, &namespace) {
        let message = format!("QosProvider {name} does not admit namespace {namespace}");
        return words(Bar::Namespace, Reason::NamespaceNotAllowed, message);
    }
    if let Readiness::NotReady { reason, message } = &provider.readiness {
        // The verdict is a moment away: nothing is told before it.
        let unchecked = *reason == Reason::ProviderNotReady;
        let bar = if unchecked { Bar::ProviderUnchecked } else { Bar::ProviderNotReady };
        let message = if message.is_empty() { reason.as_str().to_owned() } else { format!("{}: {message}", reason.as_str()) };
        return words(bar, Reason::ProviderNotReady, format!("QosProvider {name} is not ready: {message}"));
    }
    if let Some(closed) = provider.gate.closed(now) {
        return words(Bar::ProviderNotReady, closed.reason, closed.message);
    }
    if let Some(found) = profile(object, provider) {
        return Some(found);
    }
    if let Some(message) = provider.over_budget(holds) {
        return words(Bar::Budget, Reason::BudgetExceeded, message);
    }
    if !provider.marked {
        let message = format!("QosProvider {name} is being marked as in use");
        return words(Bar::ProviderUnmarked, Reason::ProviderNotReady, message);
    }
    None
}

fn profile(object: &QosSession, provider: &Provider) -> Option<(Bar, BarWords)> {
    let words = |bar, reason, message: String| Some((bar, BarWords { reason, message }));
    let profile = &object.spec.qos_profile;
    match provider.profile(profile) {
        ProfileAnswer::Unknown => None,
        ProfileAnswer::NotOffered { active } => {
            let offered = if active.is_empty() { "none is ACTIVE".to_owned() } else { format!("ACTIVE: {}", active.join(", ")) };
            words(Bar::Profile, Reason::ProfileUnavailable, format!("profile {profile} is not offered; {offered}"))
        }
        ProfileAnswer::NotActive { status } => {
            let message = format!("profile {profile} is {status}: it cannot be used for a new session");
            words(Bar::Profile, Reason::ProfileUnavailable, message)
        }
        ProfileAnswer::Limits { min, max } => {
            let asked = i64::from(object.spec.duration_seconds?);
            let out = min.is_some_and(|min| asked < min) || max.is_some_and(|max| asked > max);
            let range = match (min, max) {
                (Some(min), Some(max)) => format!("from {min} to {max} seconds"),
                (Some(min), None) => format!("of at least {min} seconds"),
                (None, max) => format!("of at most {} seconds", max.unwrap_or(i64::MAX)),
            };
            let message = format!("durationSeconds is {asked}; profile {profile} takes a duration {range}");
            out.then_some((Bar::Duration, BarWords { reason: Reason::DurationOutOfRange, message }))
        }
    }
}

/// The limits of a request's duration.
pub fn limits(object: &QosSession, provider: Option<&Provider>) -> Limits {
    let Some(provider) = provider else { return Limits::default() };
    let day = (provider.generation <= Generation::V0_10).then_some(i64::from(DAY));
    let (min_seconds, max) = match provider.profile(&object.spec.qos_profile) {
        ProfileAnswer::Limits { min, max } => (min, max),
        _ => (None, None),
    };
    let max_seconds = [max, day].into_iter().flatten().min();
    Limits { min_seconds, max_seconds, max_lease_seconds: provider.spec.max_lease_seconds.map(i64::from) }
}

/// The longest life that the provider may grant on its own: from 0.11 on it may grant another duration than was asked for, up to the
/// profile's maxDuration (`createSession`, `duration`); before, what was asked for is the most.
pub fn longest_grant(object: &QosSession, provider: Option<&Provider>) -> Option<i64> {
    let provider = provider.filter(|provider| provider.generation >= Generation::V0_11)?;
    match provider.profile(&object.spec.qos_profile) {
        ProfileAnswer::Limits { max, .. } => max,
        _ => None,
    }
}

/// Why a request cannot be said to this provider, before any call.
fn inexpressible(object: &QosSession, provider: &Provider) -> Option<(Bar, BarWords)> {
    let (generation, name) = (provider.generation, &provider.name);
    let words = |bar, reason, message| Some((bar, BarWords { reason, message }));
    if object.spec.application_server.ip_addresses.is_some() && generation < Generation::V1_2 {
        let message = format!("applicationServer.ipAddresses needs API version v1.2; QosProvider {name} speaks {generation}");
        return words(Bar::Spec, Reason::InvalidSpec, message);
    }
    if generation == Generation::V0_8 && !["QOS_E", "QOS_S", "QOS_M", "QOS_L"].contains(&object.spec.qos_profile.as_str()) {
        let message = format!("API version {generation} knows QOS_E, QOS_S, QOS_M, QOS_L");
        return words(Bar::Profile, Reason::ProfileUnavailable, message);
    }
    if generation <= Generation::V0_10 && object.spec.duration_seconds.is_some_and(|seconds| seconds > DAY) {
        let message = format!("durationSeconds must be at most {DAY} with API version {generation}");
        return words(Bar::Duration, Reason::DurationOutOfRange, message);
    }
    // Any number will do for one that a Secret holds: its form is looked at when it is read.
    let number = object.spec.device.phone_number_from.as_ref().map(|_| Private::from(ANY_NUMBER));
    let mut request = match desired::request(object, number.as_ref(), 1) {
        Ok(request) => request,
        Err(Invalid { field, remedy }) => return words(Bar::Spec, Reason::InvalidSpec, format!("{field}: {remedy}")),
    };
    let access = provider.access.as_ref()?;
    if access.tokens.needs_subject() && desired::subject(&object.spec.device, number.as_ref()).is_none() {
        let message = format!(
            "device: QosProvider {name} asks for a token for each device, which a phone number or an IP address must name"
        );
        return words(Bar::Spec, Reason::InvalidSpec, message);
    }
    if !provider.sends_device() {
        request.device = None;
    }
    let fault = access.client.can_express(&request).err()?;
    let (bar, reason) = match fault.class {
        FaultClass::NotExpressible { field: Field::Profile, .. } => (Bar::Profile, Reason::ProfileUnavailable),
        FaultClass::NotExpressible { field: Field::Duration, .. } => (Bar::Duration, Reason::DurationOutOfRange),
        _ => (Bar::Spec, Reason::InvalidSpec),
    };
    words(bar, reason, format!("{fault}; QosProvider {name} speaks {generation}"))
}

/// A number in E.164 form that nobody has.
const ANY_NUMBER: &str = "+447700900000";
