//! Faults at the n-th mutating call of either side of the operator, and the journal of those calls.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::http::Response;
use futures::FutureExt as _;
use parking_lot::Mutex;

use super::proxy::{Call, Hook, Reply, Upstream};

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The operator is killed before the call has any effect.
    Before,
    /// The call takes effect; the operator is killed before it has the answer.
    After,
    /// The call takes effect; the connection ends without an answer, and the operator lives on.
    Dropped,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Before, Self::After, Self::Dropped];
}

/// The two sides of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    ApiServer,
    Provider,
}

/// What a call is about.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// Method and kind of object, without names.
    pub(crate) what: String,
    /// What else a trace should show of it.
    pub(crate) detail: String,
}

/// A mutating call that was counted.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) side: Side,
    /// See [`Named::what`].
    pub(crate) what: String,
    detail: String,
    /// When it came.
    pub(crate) at: Instant,
    /// The status of its answer; none: not forwarded, or not answered.
    pub(crate) status: Option<u16>,
    /// The fault that struck it.
    pub(crate) fault: Option<Kind>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        write!(f, "{:?} {} {status} {}", self.side, self.what, self.detail)?;
        self.fault.map_or(Ok(()), |kind| write!(f, " <- {kind:?}"))
    }
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    side: Side,
    /// Calls of that side that are let through first.
    skip: usize,
    kind: Kind,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    armed: Option<Armed>,
    struck: Option<(usize, Instant)>,
}

/// Counts the mutating calls of both sides, in the order in which they came, and strikes the armed one. Clones share it.
#[derive(Clone)]
pub(crate) struct Faults {
    state: Arc<Mutex<State>>,
    kill: Arc<dyn Fn() + Send + Sync>,
}

impl Faults {
    /// `kill` ends the operator and returns when it is dead.
    pub(crate) fn new(kill: impl Fn() + Send + Sync + 'static) -> Self {
        Self { state: Arc::default(), kill: Arc::new(kill) }
    }

    /// The `number`-th call (from 1) of `side` from now on is struck, once.
    pub(crate) fn arm(&self, side: Side, number: usize, kind: Kind) {
        self.state.lock().armed = Some(Armed { side, skip: number - 1, kind });
    }

    /// Strikes nothing any more.
    pub(crate) fn disarm(&self) {
        self.state.lock().armed = None;
    }

    /// Place in the journal, and time, of the call that was struck.
    pub(crate) fn struck(&self) -> Option<(usize, Instant)> {
        self.state.lock().struck
    }

    /// The calls so far.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        self.state.lock().entries.clone()
    }

    /// The hook of one side's proxy. `names` says what a mutating call is about; one that it does not name is not counted.
    pub(crate) fn hook(&self, side: Side, names: impl Fn(&Call) -> Option<Named> + Send + Sync + 'static) -> Hook {
        let faults = self.clone();
        Arc::new(move |call, upstream| {
            let named = if call.mutates() { names(&call) } else { None };
            let faults = faults.clone();
            async move {
                match named {
                    Some(named) => faults.meet(side, named, &call, &upstream).await,
                    None => upstream.pass(&call).await,
                }
            }
            .boxed()
        })
    }

    async fn meet(&self, side: Side, named: Named, call: &Call, upstream: &Upstream) -> Reply {
        let (place, fault) = self.arrived(side, named);
        if fault == Some(Kind::Before) {
            self.kill_it().await;
            return Reply::Cut;
        }
        let answer = whole(upstream.pass(call).await).await;
        if let Reply::Answer(answer) = &answer {
            self.state.lock().entries[place].status = Some(answer.status().as_u16());
        }
        match fault {
            Some(Kind::After) => {
                self.kill_it().await;
                Reply::Cut
            }
            Some(_) => Reply::Cut,
            None => answer,
        }
    }

    fn arrived(&self, side: Side, named: Named) -> (usize, Option<Kind>) {
        let mut state = self.state.lock();
        let fault = match &mut state.armed {
            Some(armed) if armed.side == side && armed.skip == 0 => Some(armed.kind),
            Some(armed) if armed.side == side => {
                armed.skip -= 1;
                None
            }
            _ => None,
        };
        let (place, at) = (state.entries.len(), Instant::now());
        let Named { what, detail } = named;
        state.entries.push(Entry { side, what, detail, at, status: None, fault });
        if fault.is_some() {
            state.armed = None;
            state.struck = Some((place, at));
        }
        (place, fault)
    }

    async fn kill_it(&self) {
        let kill = Arc::clone(&self.kill);
        tokio::task::spawn_blocking(move || kill()).await.unwrap();
    }
}

/// The answer to a mutating call, read to its end, so that its effect is over when it is looked at.
async fn whole(reply: Reply) -> Reply {
    let Reply::Answer(answer) = reply else { return reply };
    let (head, body) = answer.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(body) => Reply::Answer(Response::from_parts(head, Body::from(body))),
        Err(_) => Reply::Cut,
    }
}
