//! The phone number that a device names by a Secret.

use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;

use super::Observation;
use crate::api::{Device, PhoneNumberSource, QosSession, Reason};
use crate::auth::Subject;
use crate::private::Private;
use crate::session::bounds::{self, Kind};
use crate::session::context::{Context, limited};
use crate::session::desired;
use crate::session::facts::Bar;
use crate::session::flow::{self, DeviceKey};
use crate::session::outcome::BarWords;

impl Observation {
    /// Reads the phone number's Secret where a create may follow; a missing or unusable one bars it.
    pub(super) async fn read_number(&mut self, context: &Context, object: &QosSession, bar: &mut Option<(Bar, BarWords)>) {
        let Some(source) = &object.spec.device.phone_number_from else { return };
        let kind = bounds::kind(&self.goal, &self.past, &self.observed.margins, self.now);
        let pausing = self.observed.memory.pause_until.is_some_and(|until| until > self.now);
        if kind != Kind::Want || self.past.held.is_some() || bar.is_some() || pausing {
            return;
        }
        match read(context, &self.key.namespace, source).await {
            Ok(number) => self.number = Some(number),
            Err((kind, words)) => {
                self.observed.bar = Some(kind);
                *bar = Some((kind, words));
            }
        }
    }

    /// The device as it was sent, as far as the record tells; else the spec's.
    pub fn recorded_device<'a>(&'a self, object: &'a QosSession) -> &'a Device {
        self.parsed.record().map_or(&object.spec.device, |record| &record.device)
    }

    /// The number of the recorded device, where a Secret holds it and still holds the one that was sent.
    pub(super) async fn home_number(&self, context: &Context, object: &QosSession) -> Option<&Private<String>> {
        let source = self.recorded_device(object).phone_number_from.as_ref()?;
        let number = self.home_number.get_or_init(async || {
            let number = read(context, &self.key.namespace, source).await.ok()?;
            let sent = self.parsed.record().and_then(|record| record.device_hash.as_deref()).and_then(DeviceKey::parse);
            sent.is_none_or(|sent| sent == flow::number_key(&context.operator_key, number.expose())).then_some(number)
        });
        number.await.as_ref()
    }

    /// For whom the tokens are asked that concern the recorded session, where they are for one device each.
    pub async fn home_subject(&self, context: &Context, object: &QosSession) -> Option<Subject> {
        self.home.as_ref()?.access.as_ref().filter(|access| access.tokens.needs_subject())?;
        desired::subject(self.recorded_device(object), self.home_number(context, object).await)
    }

    /// For whom the token of a create is asked, likewise.
    pub fn subject(&self, object: &QosSession) -> Option<Subject> {
        self.provider.as_ref()?.access.as_ref().filter(|access| access.tokens.needs_subject())?;
        desired::subject(&object.spec.device, self.number.as_ref())
    }
}

/// Reads the number, or tells why it cannot be had.
async fn read(context: &Context, namespace: &str, source: &PhoneNumberSource) -> Result<Private<String>, (Bar, BarWords)> {
    let (name, entry) = (&source.secret_key_ref.name, &source.secret_key_ref.key);
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    let found = limited(secrets.get_opt(name)).await;
    let value = match &found {
        Ok(Some(secret)) => secret.data.as_ref().and_then(|data| data.get(entry)),
        Ok(None) | Err(_) => None,
    };
    let (reason, message) = match (found.as_ref(), value.map(|bytes| std::str::from_utf8(&bytes.0).map(str::trim))) {
        (_, Some(Ok(number))) if is_e164(number) => return Ok(number.into()),
        (_, Some(_)) => (
            Reason::InvalidSpec,
            format!(
                "Secret {name}, key {entry}: write one phone number in E.164 form: a plus sign, the country code, the number, no spaces"
            ),
        ),
        (Ok(Some(_)), None) => (Reason::SecretNotFound, format!("Secret {name} has no key {entry}")),
        (Ok(None), _) => (Reason::SecretNotFound, format!("Secret {name} does not exist")),
        (Err(_), _) => (
            Reason::SecretNotFound,
            format!("Secret {name} cannot be read: let the operator's ServiceAccount get it in this namespace"),
        ),
    };
    let kind = if reason == Reason::InvalidSpec { Bar::Spec } else { Bar::Secret };
    Err((kind, BarWords { reason, message }))
}

fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}
