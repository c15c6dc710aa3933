//! The watches of one kind, one for each namespace in which the operator acts, as one stream.

use std::collections::VecDeque;
use std::fmt;

use futures::stream::{self, BoxStream, SelectAll};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube_runtime::watcher::{self, Event};
use kube_runtime::{WatchStreamExt as _, watcher as start};
use serde::de::DeserializeOwned;

use super::{Namespaces, Reach};
use crate::admin::Health;
use crate::session::context::{ApiError, limited};

/// Why a list or watch failed, in words that hold nothing of an object: an error's own text may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Cause {
    /// Of a watch.
    pub fn of(error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => Self::of_call(error),
            watcher::Error::WatchError(status) => Self(format!("{} {}", status.code, status.reason)),
            watcher::Error::NoResourceVersion => Self("the API server named no resourceVersion".to_owned()),
        }
    }

    /// Of a call to the API server.
    pub fn of_call(error: &kube::Error) -> Self {
        Self(match error {
            kube::Error::Api(status) => format!("{} {}", status.code, status.reason),
            _ => "no answer of the API server, or one that cannot be read".to_owned(),
        })
    }
}

/// What a watch brings, and where it watches.
pub type News<K> = (Reach, Result<Event<K>, Cause>);

/// Watches `K` in each of `namespaces`. The stream does not end; what fails is logged, told to `health`, and tried again after a pause
/// that grows. Each reach has a first list of its own ([`Event::InitDone`]); who must know all of it waits for each.
///
/// A namespace that does not exist holds nothing, so its list is empty, whatever RBAC says of it: with a namespace go its Roles.
pub fn watch<K>(
    client: &kube::Client,
    namespaces: &Namespaces,
    config: &watcher::Config,
    health: &Health,
) -> SelectAll<BoxStream<'static, News<K>>>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + 'static,
{
    let watches = namespaces.reaches().into_iter().map(|reach| {
        let api: Api<K> = reach.api(client);
        let path = api.resource_url().to_owned();
        health.watches_from_now_on(&K::plural(&()), &path, reach.namespace());
        let one = One {
            client: client.clone(),
            kind: K::kind(&()).into_owned(),
            path,
            health: health.clone(),
            events: start(api, config.clone()).default_backoff().boxed(),
            reach,
            is_absent: false,
            next: VecDeque::new(),
        };
        one.stream().boxed()
    });
    stream::select_all(watches)
}

/// The watch of one reach.
struct One<K> {
    client: kube::Client,
    kind: String,
    path: String,
    health: Health,
    events: BoxStream<'static, watcher::Result<Event<K>>>,
    reach: Reach,
    is_absent: bool,
    /// Before anything else of `events`.
    next: VecDeque<Result<Event<K>, Cause>>,
}

impl<K: Send + 'static> One<K> {
    fn stream(self) -> impl Stream<Item = News<K>> + Send {
        stream::unfold(self, |mut one| async move {
            let news = one.news().await?;
            Some(((one.reach.clone(), news), one))
        })
    }

    async fn news(&mut self) -> Option<Result<Event<K>, Cause>> {
        if let Some(news) = self.next.pop_front() {
            return Some(news);
        }
        let error = match self.events.next().await? {
            Ok(event) => {
                self.is_absent &= matches!(event, Event::Init);
                return Some(Ok(event));
            }
            Err(error) => error,
        };
        let cause = Cause::of(&error);
        if is_refusal(&error) && is_absent(&self.client, &self.reach).await {
            if !std::mem::replace(&mut self.is_absent, true) {
                tracing::info!(kind = self.kind, watched = %self.reach, "the namespace does not exist, so nothing is there");
            }
            self.health.has_nothing_to_watch(&self.path);
            self.next.push_back(Ok(Event::InitDone));
            return Some(Ok(Event::Init));
        }
        self.is_absent = false;
        tracing::warn!(kind = self.kind, watched = %self.reach, %cause, "a watch failed");
        Some(Err(cause))
    }
}

fn is_refusal(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => refuses(error),
        watcher::Error::WatchError(status) => status.code == 403,
        watcher::Error::NoResourceVersion => false,
    }
}

fn refuses(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// Whether `reach` is a namespace that is known not to exist.
pub async fn is_absent(client: &kube::Client, reach: &Reach) -> bool {
    let Some(name) = reach.namespace() else { return false };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    // A list, which the operator may do anyway, and without resourceVersion: as of now.
    let named = ListParams::default().fields(&format!("metadata.name={name}"));
    limited(namespaces.list_metadata(&named)).await.is_ok_and(|found| found.items.is_empty())
}

/// The answer to a list in `reach`; nothing where that is refused, and the namespace does not exist.
pub async fn list<T>(client: &kube::Client, reach: &Reach, answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Err(ApiError::Kube(error)) if refuses(&error) && is_absent(client, reach).await => Ok(None),
        answer => answer.map(Some),
    }
}
