//! What the watches bring: a task for each provider, and what all of them share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::ResourceExt as _;
use kube::core::{DeserializeGuard, PartialObjectMeta, PartialObjectMetaExt as _};
use kube_runtime::events::EventType;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::Context;
use super::object::Notice;
use super::upkeep::Upkeep;
use super::watch::Change;
use crate::admin::Part;
use crate::api::{QosProvider, Reason};

/// Keeps the tasks of the providers.
pub(super) struct Keeper {
    context: Arc<Context>,
    tasks: BTreeMap<String, Task>,
    listed: Listed,
}

struct Task {
    uid: String,
    objects: watch::Sender<QosProvider>,
    _running: AbortOnDropHandle<()>,
}

/// Whose first list is in.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each watch, and their sum")]
struct Listed {
    providers: bool,
    secrets: bool,
    namespaces: bool,
    told: bool,
}

impl Keeper {
    pub(super) fn new(context: Arc<Context>) -> Self {
        Self { context, tasks: BTreeMap::new(), listed: Listed::default() }
    }

    pub(super) fn take_providers(&mut self, change: Change<DeserializeGuard<QosProvider>>) {
        match change {
            Change::All(all) => {
                let names: BTreeSet<_> = all.iter().map(kube::ResourceExt::name_any).collect();
                let gone: Vec<_> = self.tasks.keys().filter(|name| !names.contains(*name)).cloned().collect();
                for name in &gone {
                    self.forget(name);
                }
                for object in all {
                    self.apply(object);
                }
                self.listed.providers = true;
                self.tell_if_loaded();
            }
            Change::Applied(object) => self.apply(object),
            Change::Deleted(object) => self.forget(&object.name_any()),
        }
    }

    pub(super) fn take_secrets(&mut self, change: Change<Secret>) {
        {
            let mut secrets = self.context.secrets.lock();
            match change {
                Change::All(all) => *secrets = Some(all.into_iter().map(named).collect()),
                Change::Applied(secret) => secrets.get_or_insert_default().extend([named(secret)]),
                Change::Deleted(secret) => {
                    secrets.get_or_insert_default().remove(&secret.name_any());
                }
            }
        }
        self.context.providers.wake_all();
        self.listed.secrets = true;
        self.tell_if_loaded();
    }

    pub(super) fn take_namespaces(&mut self, change: Change<PartialObjectMeta<Namespace>>) {
        let entry =
            |namespace: PartialObjectMeta<Namespace>| (namespace.name_any(), namespace.metadata.labels.unwrap_or_default());
        self.context.providers.update_namespaces(|known| match change {
            Change::All(all) => known.0 = all.into_iter().map(entry).collect(),
            Change::Applied(namespace) => known.0.extend([entry(namespace)]),
            Change::Deleted(namespace) => {
                known.0.remove(&namespace.name_any());
            }
        });
        self.listed.namespaces = true;
        self.tell_if_loaded();
    }

    fn apply(&mut self, DeserializeGuard(object): DeserializeGuard<QosProvider>) {
        let mut object = match object {
            Ok(object) => object,
            Err(invalid) => return self.report_unreadable(invalid.metadata),
        };
        object.managed_fields_mut().clear();
        let (name, uid) = (object.name_any(), object.uid().unwrap_or_default());
        if let Some(task) = self.tasks.get(&name).filter(|task| task.uid == uid) {
            task.objects.send_replace(object);
            return;
        }
        self.forget(&name);
        let (objects, receiver) = watch::channel(object);
        // Published before the task runs, so that whoever is told that all is loaded finds it.
        let upkeep = Upkeep::new(self.context.clone(), receiver);
        let running = AbortOnDropHandle::new(tokio::spawn(upkeep.run()));
        self.tasks.insert(name, Task { uid, objects, _running: running });
    }

    /// The object of that name is gone: its task ends, and sessions no longer find it.
    fn forget(&mut self, name: &str) {
        if let Some(task) = self.tasks.remove(name) {
            self.context.providers.remove(name, &task.uid);
            self.context.settings.vitals.metrics.forget_provider(name);
        }
    }

    /// An object that this version cannot read stays as it was last read; the others are not touched by it.
    fn report_unreadable(&self, metadata: kube::core::ObjectMeta) {
        let name = metadata.name.clone().unwrap_or_default();
        tracing::warn!(provider = name, "a QosProvider cannot be read by this version of the operator");
        let object: PartialObjectMeta<QosProvider> = metadata.into_request_partial();
        self.context.objects.tell(
            &object,
            Notice {
                type_: EventType::Warning,
                reason: Reason::InvalidSpec.as_str(),
                action: "Validate",
                note: "the object cannot be read by this version of the operator".to_owned(),
            },
        );
    }

    fn tell_if_loaded(&mut self) {
        let Listed { providers, secrets, namespaces, told } = self.listed;
        if providers && secrets && namespaces && !told {
            self.listed.told = true;
            self.context.providers.set_loaded();
            self.context.settings.vitals.health.listed(Part::Providers);
        }
    }
}

fn named(mut secret: Secret) -> (String, Secret) {
    secret.managed_fields_mut().clear();
    // kubectl apply copies the data into an annotation.
    secret.annotations_mut().clear();
    (secret.name_any(), secret)
}
