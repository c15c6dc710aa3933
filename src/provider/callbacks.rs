//! Whether notifications of a provider arrive, told from evidence: nothing else can show that what stands before the receiver (an
//! Ingress, a firewall, a certificate) lets them through. Pure.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::api::{NotificationsMode, QosProviderSpec, Reason};
use crate::clock::later;
use crate::qod::Generation;

/// How long a notification may be behind the poll that has seen the same change.
const GRACE: SignedDuration = SignedDuration::from_secs(15);

/// Events are lossy: of a provider whose notifications have arrived, so many changes in a row must pass unheard.
const LOSSES: u32 = 3;

/// Where notifications are to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Target {
    /// Nowhere: the provider is asked only.
    #[default]
    None,
    /// There.
    At(Url),
    /// There, but the API takes https only.
    NotHttps(Url),
}

impl Target {
    /// What the spec says, and the operator's `--callback-url`. From 1.1 on the API takes no other scheme than https (`sink` in its
    /// `CreateSession`).
    pub(super) fn of(spec: &QosProviderSpec, generation: Generation, flag: Option<&Url>) -> Self {
        if spec.notifications.mode == NotificationsMode::Never {
            return Self::None;
        }
        let own = spec.notifications.callback_url.as_deref().and_then(|url| Url::parse(url).ok());
        match own.as_ref().or(flag) {
            None => Self::None,
            Some(url) if url.scheme() == "https" || generation < Generation::V1_1 => Self::At(url.clone()),
            Some(url) => Self::NotHttps(url.clone()),
        }
    }
}

/// What was heard from a provider, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Callbacks {
    target: Target,
    heard: bool,
    silent: bool,
    /// Changes in a row that a poll has seen and no notification has told.
    unheard: u32,
    /// When the one came with which they are enough for a verdict.
    enough_at: Option<Timestamp>,
}

impl Callbacks {
    /// Notifications go there from now on. What was heard at another address says nothing; `shown` is what the status said of this
    /// one before (a restart forgets nothing).
    pub(super) fn aim(&mut self, target: Target, shown: Option<(&str, &str)>) {
        if self.target == target {
            return;
        }
        let url = match &target {
            Target::At(url) => url.as_str(),
            _ => "",
        };
        let names_it = |message: &str| message.split(' ').any(|word| word.trim_end_matches([':', ';']) == shown_url(url));
        let before = shown.filter(|(_, message)| !url.is_empty() && names_it(message)).map(|(status, _)| status);
        *self = Self { target, heard: before == Some("True"), silent: before == Some("False"), ..Self::default() };
    }

    /// Where creates are to have their notifications sent.
    pub(super) const fn url(&self) -> Option<&Url> {
        match &self.target {
            Target::At(url) => Some(url),
            Target::None | Target::NotHttps(_) => None,
        }
    }

    /// A notification with the right bearer arrived; says whether that changes the verdict.
    pub(super) fn hear(&mut self) -> bool {
        let news = !self.heard || self.silent;
        (self.heard, self.silent, self.unheard, self.enough_at) = (true, false, 0, None);
        news
    }

    /// A poll found a change of which no notification told.
    pub(super) fn miss(&mut self, now: Timestamp) {
        self.unheard = self.unheard.saturating_add(1);
        if self.unheard >= if self.heard { LOSSES } else { 1 } {
            self.enough_at.get_or_insert(now);
        }
    }

    /// Draws the conclusion that is due; says when the next one is.
    pub(super) fn conclude(&mut self, now: Timestamp) -> Option<Timestamp> {
        let at = self.enough_at.filter(|_| !self.silent).map(|at| later(at, GRACE))?;
        if at > now {
            return Some(at);
        }
        self.silent = true;
        None
    }

    /// Notifications do not arrive, as far as can be told: who relies on them is to ask more often.
    pub(super) const fn silent(&self) -> bool {
        self.silent
    }

    /// The condition `NotificationsReceived`: its status, reason and message. None where the provider is asked only.
    pub(super) fn condition(&self) -> Option<(&'static str, Reason, String)> {
        let url = match &self.target {
            Target::None => return None,
            Target::NotHttps(url) => {
                let text = format!("this API version takes https:// only, not {}: sessions are polled", shown_url(url.as_str()));
                return Some(("False", Reason::HTTPSRequired, text));
            }
            Target::At(url) => shown_url(url.as_str()),
        };
        Some(if self.silent {
            let text = format!(
                "sessions changed and no notification came to {url}: check what stands before the operator there (DNS, Ingress, \
                 firewall, certificate); until one comes, sessions are polled more often"
            );
            ("False", Reason::NoneReceived, text)
        } else if self.heard {
            ("True", Reason::Received, format!("notifications arrive at {url}"))
        } else {
            ("Unknown", Reason::Awaited, format!("notifications are to come to {url}; none was due yet"))
        })
    }
}

/// The URL as messages show it: without the slash that parsing adds.
fn shown_url(url: &str) -> &str {
    url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://qos.example.com/notify";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn aimed(shown: Option<(&str, &str)>) -> Callbacks {
        let mut callbacks = Callbacks::default();
        callbacks.aim(Target::At(URL.parse().unwrap()), shown);
        callbacks
    }

    fn told(callbacks: &Callbacks) -> (&'static str, Reason) {
        let (status, reason, message) = callbacks.condition().unwrap();
        assert!(message.contains(URL), "{message}");
        (status, reason)
    }

    #[test]
    fn one_change_that_nobody_told_is_enough_where_nothing_was_ever_heard_and_not_before_the_grace_is_over() {
        let mut callbacks = aimed(None);
        assert_eq!(told(&callbacks), ("Unknown", Reason::Awaited));
        assert_eq!(callbacks.conclude(at(0)), None);
        callbacks.miss(at(10));
        assert_eq!(callbacks.conclude(at(10)), Some(at(25)));
        assert_eq!(told(&callbacks), ("Unknown", Reason::Awaited));
        assert_eq!(callbacks.conclude(at(25)), None);
        assert_eq!(told(&callbacks), ("False", Reason::NoneReceived));
        assert_eq!(callbacks.conclude(at(26)), None);
        assert!(callbacks.hear());
        assert_eq!(told(&callbacks), ("True", Reason::Received));
        assert!(!callbacks.hear());
    }

    #[test]
    fn a_notification_that_comes_a_little_after_the_poll_leaves_nothing_behind() {
        let mut callbacks = aimed(None);
        callbacks.miss(at(10));
        callbacks.hear();
        assert_eq!(callbacks.conclude(at(100)), None);
        assert!(!callbacks.silent());
    }

    #[test]
    fn where_notifications_arrive_a_lost_one_is_no_silence_and_three_in_a_row_are() {
        let mut callbacks = aimed(None);
        callbacks.hear();
        callbacks.miss(at(0));
        callbacks.miss(at(1));
        assert_eq!(callbacks.conclude(at(100)), None);
        callbacks.miss(at(100));
        assert_eq!(callbacks.conclude(at(100)), Some(at(115)), "the third has its grace too");
        assert!(!callbacks.silent());
        assert_eq!(callbacks.conclude(at(115)), None);
        assert!(callbacks.silent());
    }

    #[test]
    fn a_restart_knows_what_the_status_told_of_the_same_url_and_nothing_of_another() {
        let mut silent = aimed(None);
        silent.miss(at(0));
        silent.conclude(at(60));
        let (status, _, message) = silent.condition().unwrap();
        assert!(aimed(Some((status, &message))).silent());
        let mut heard = aimed(None);
        heard.hear();
        let (status, _, message) = heard.condition().unwrap();
        assert_eq!(told(&aimed(Some((status, &message)))), ("True", Reason::Received));
        let elsewhere = message.replace("notify", "notifications");
        assert_eq!(told(&aimed(Some((status, &elsewhere)))), ("Unknown", Reason::Awaited));
    }

    #[test]
    fn plain_http_is_told_where_the_api_takes_https_only() {
        let mut spec: QosProviderSpec = serde_json::from_value(serde_json::json!({
            "api": { "version": "v1.1", "baseURL": "https://api.example.com" }, "auth": {},
        }))
        .unwrap();
        let flag: Url = "http://qos.example.com/notify".parse().unwrap();
        assert_eq!(Target::of(&spec, Generation::V1_0, Some(&flag)), Target::At(flag.clone()));
        let mut callbacks = Callbacks::default();
        callbacks.aim(Target::of(&spec, Generation::V1_1, Some(&flag)), None);
        assert_eq!(callbacks.url(), None);
        assert_eq!(callbacks.condition().unwrap().1, Reason::HTTPSRequired);
        spec.notifications.callback_url = Some(URL.to_owned());
        assert_eq!(Target::of(&spec, Generation::V1_1, Some(&flag)), Target::At(URL.parse().unwrap()));
        spec.notifications.mode = NotificationsMode::Never;
        assert_eq!(Target::of(&spec, Generation::V1_1, Some(&flag)), Target::None);
    }
}
