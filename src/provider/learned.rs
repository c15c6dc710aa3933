//! What a provider has shown of itself by its answers, beyond what its generation promises. Kept until its spec or its Secrets change,
//! or the operator is started anew: then it is asked again.

use std::collections::BTreeSet;

use super::snapshot::Provider;
use crate::api::{Capability, DeviceInRequest};
use crate::qod::{self, Fault, FaultClass, Flip, Generation, Legs, Operation, Reason};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Learned {
    /// Operations that it answered with 405 or 501.
    lacking: BTreeSet<Operation>,
    /// It said that it cannot notify.
    mute: bool,
    /// What `deviceInRequest: Auto` has come to, once a refusal has taught it.
    pub(super) device_in_request: Option<bool>,
}

impl Learned {
    /// Learns from how a call ended; says whether something is new.
    fn note(&mut self, operation: Operation, fault: &Fault, auto: bool) -> bool {
        let before = self.clone();
        match fault.class {
            FaultClass::NotSupported => drop(self.lacking.insert(operation)),
            FaultClass::Refused(Reason::Callback) if fault.code.as_deref() == Some("EVENT_NOTIFICATIONS_NOT_SUPPORTED") => {
                self.mute = true;
            }
            // Once only: a provider that refuses both ways is not asked in turns.
            FaultClass::Refused(Reason::Identifier { flip: Some(flip) }) if auto && self.device_in_request.is_none() => {
                self.device_in_request = Some(flip == Flip::SendDevice);
            }
            _ => {}
        }
        *self != before
    }

    /// The probe was answered with 405 or 501.
    pub(super) fn lack(&mut self, operations: impl IntoIterator<Item = Operation>) {
        self.lacking.extend(operations);
    }

    /// What is left of the generation's capabilities.
    pub(super) fn capabilities(&self, generation: Generation) -> Vec<Capability> {
        let has = |operation| generation.has(operation) && !self.lacking.contains(&operation);
        [
            (Capability::Extend, has(Operation::ExtendQosSessionDuration)),
            (Capability::List, has(Operation::RetrieveSessions)),
            (Capability::Callbacks, !self.mute),
            (Capability::Profiles, has(Operation::RetrieveQosProfiles) || has(Operation::GetQosProfiles)),
        ]
        .into_iter()
        .filter_map(|(capability, there)| there.then_some(capability))
        .collect()
    }
}

impl Provider {
    /// Whether the provider has the operation: its generation does, and no answer has shown otherwise.
    pub fn has(&self, operation: Operation) -> bool {
        self.generation.has(operation) && !self.file.learned.lock().lacking.contains(&operation)
    }

    /// Whether it can notify, as far as is known.
    pub fn notifies(&self) -> bool {
        !self.file.learned.lock().mute
    }

    /// Whether requests name the device; a three-legged token may do so in their place.
    pub fn sends_device(&self) -> bool {
        let legs = self.access.as_ref().map_or(Legs::Two, |access| access.tokens.legs());
        let setting = match self.spec.api.device_in_request {
            DeviceInRequest::Always => qod::DeviceInRequest::Always,
            DeviceInRequest::Never => qod::DeviceInRequest::Never,
            DeviceInRequest::Auto => qod::DeviceInRequest::Auto,
        };
        let learned = self.file.learned.lock().device_in_request.filter(|_| setting == qod::DeviceInRequest::Auto);
        learned.unwrap_or_else(|| qod::device_in_request(setting, self.generation, legs))
    }

    /// Learns from how a call ended.
    pub(super) fn learn(&self, operation: Operation, fault: &Fault) {
        let auto = self.spec.api.device_in_request == DeviceInRequest::Auto;
        if self.file.learned.lock().note(operation, fault, auto) {
            self.file.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_with_405_is_no_capability_any_more_and_the_rest_stays() {
        let mut learned = Learned::default();
        assert_eq!(
            learned.capabilities(Generation::V1_0),
            [Capability::Extend, Capability::List, Capability::Callbacks, Capability::Profiles]
        );
        assert_eq!(learned.capabilities(Generation::V0_8), [Capability::Callbacks]);
        assert!(learned.note(Operation::RetrieveSessions, &Fault::new(FaultClass::NotSupported), true));
        assert!(!learned.note(Operation::RetrieveSessions, &Fault::new(FaultClass::NotSupported), true));
        let callback = Fault::new(FaultClass::Refused(Reason::Callback));
        assert!(!learned.note(Operation::CreateSession, &callback, true), "a bad URL is no inability");
        let unable = Fault { code: Some("EVENT_NOTIFICATIONS_NOT_SUPPORTED".to_owned()), ..callback };
        assert!(learned.note(Operation::CreateSession, &unable, true));
        assert_eq!(learned.capabilities(Generation::V1_0), [Capability::Extend, Capability::Profiles]);
    }

    #[test]
    fn the_device_is_sent_or_left_out_otherwise_after_one_refusal_and_never_back() {
        let refused = |flip| Fault::new(FaultClass::Refused(Reason::Identifier { flip: Some(flip) }));
        let mut learned = Learned::default();
        assert!(!learned.note(Operation::CreateSession, &refused(Flip::OmitDevice), false), "the setting is not Auto");
        assert!(learned.note(Operation::CreateSession, &refused(Flip::OmitDevice), true));
        assert!(!learned.note(Operation::CreateSession, &refused(Flip::SendDevice), true));
        assert_eq!(learned.device_in_request, Some(false));
    }
}
