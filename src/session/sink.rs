//! The callback URL of a create: it names the object and the send, so that a session that is found in a list, or that an event speaks
//! of, can be told for ours. Pure.

use k8s_openapi::jiff::Timestamp;
use url::Url;

use super::bounds;
use super::facts::{Attempt, Nonce, Renewal};
use super::key::OperatorKey;
use crate::clock::later;
use crate::notify::Target;
use crate::private::Private;
use crate::qod::{self, Callback};

/// How long a bearer lasts beyond the attempt's own death where a session may be extended without a known end: 7 days.
const OPEN_END: i64 = 7 * 24 * 3600;

/// Whose session it is and which send made it, as its callback URL tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The object's key.
    pub object: ObjectKey,
    /// The send.
    pub nonce: Nonce,
}

/// Names an object in callback URLs: a keyed hash of its uid, so that nobody else can name it, and no other cluster's object has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey(u128);

impl ObjectKey {
    /// Of the object of `uid`.
    pub fn of(key: &OperatorKey, uid: &str) -> Self {
        let digits = key.long(&["object", uid]);
        Self(digits.expose().get(..32).and_then(|first| u128::from_str_radix(first, 16).ok()).unwrap_or_default())
    }

    fn text(self) -> String {
        format!("{:032x}", self.0)
    }
}

impl Mark {
    /// What the path of a notification names; none where it is nothing that was handed out.
    pub fn of(target: &Target) -> Option<Self> {
        let object =
            target.object_key.as_deref().filter(|key| key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let object = ObjectKey(u128::from_str_radix(object, 16).ok()?);
        Some(Self { object, nonce: Nonce::parse(target.nonce.expose())? })
    }

    /// What its notifications carry: an HMAC of both, so that it is stored nowhere.
    pub fn bearer(&self, key: &OperatorKey) -> Private<String> {
        key.long(&["callback", &self.object.text(), self.nonce.text().expose()])
    }
}

/// The callback of one send: the URL `<base>/<object key>/<nonce>`, and the bearer.
pub fn callback(key: &OperatorKey, base: &Url, mark: &Mark, expires: Timestamp) -> Callback {
    let url = format!("{}/{}/{}", base.as_str().trim_end_matches('/'), mark.object.text(), mark.nonce.text().expose());
    Callback { url: url.into(), token: mark.bearer(key), token_expires: Some(expires) }
}

/// When the bearer of a send may end. Extend cannot renew it, so it covers the longest life that the session can have: what the
/// profile allows in all, else the whole run, else a fixed time, after which notifications are no longer relied on.
pub fn bearer_ends(attempt: &Attempt, renewal: Renewal, extends: bool, profile_max: Option<i64>) -> Timestamp {
    let more = match (extends, profile_max, renewal) {
        (false, _, _) => 0,
        (true, Some(max), _) => max,
        (true, None, Renewal::Never { run_seconds }) => run_seconds,
        (true, None, Renewal::Always) => OPEN_END,
    };
    later(attempt.dead_by, bounds::seconds(more))
}

/// Reads the last two segments of a callback URL, whatever stands before them: the address may have been another when it was sent.
pub fn read(url: &Private<String>) -> Option<Mark> {
    let (object, nonce) = (qod::sink::key_of(url.expose())?, qod::sink::nonce_of(url.expose())?);
    Some(Mark { object: ObjectKey(u128::from_str_radix(&object, 16).ok()?), nonce: Nonce::parse(nonce.expose())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_read_back_for_what_it_marks_at_any_address() {
        let key = OperatorKey::fixed();
        let nonce = Nonce(7);
        for base in ["https://qos.example.com/notify", "https://qos.example.com/notify/", "https://other.example.com"] {
            let mark = Mark { object: ObjectKey::of(&key, "uid-1"), nonce };
            let callback = callback(&key, &base.parse().unwrap(), &mark, Timestamp::UNIX_EPOCH);
            let path = Url::parse(callback.url.expose()).unwrap().path().to_owned();
            assert_eq!(Target::of(&path).as_ref().and_then(Mark::of), Some(mark), "as its notifications name it");
            assert!(callback.url.expose().starts_with(base.trim_end_matches('/')));
            assert_eq!(read(&callback.url), Some(mark));
            assert!((20..=256).contains(&callback.token.expose().len()));
            assert!(!callback.url.expose().contains("uid-1"));
        }
    }

    #[test]
    fn what_is_not_ours_is_read_as_no_mark() {
        for url in [
            "https://qos.example.com/notify",
            "not a url",
            "https://qos.example.com/00000000000000000000000000000001",
            "https://qos.example.com/x/00000000000000000000000000000001",
            "https://qos.example.com/00000000000000000000000000000001/+0000000000000000000000000000001",
        ] {
            assert_eq!(read(&url.into()), None, "{url}");
        }
    }

    #[test]
    fn bearers_differ_by_object_and_by_send() {
        let key = OperatorKey::fixed();
        let token = |uid, nonce| Mark { object: ObjectKey::of(&key, uid), nonce: Nonce(nonce) }.bearer(&key);
        assert_ne!(token("uid-1", 1), token("uid-1", 2));
        assert_ne!(token("uid-1", 1), token("uid-2", 1));
    }

    #[test]
    fn a_bearer_outlasts_the_longest_life_that_the_session_can_have() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let attempt = Attempt {
            nonce: Nonce(1),
            at: at(0),
            lands_by: at(100),
            dead_by: at(1000),
            hash: crate::session::facts::AppliedHash(0),
            duration_seconds: 600,
            extends: false,
            earlier: None,
        };
        let run = Renewal::Never { run_seconds: 6000 };
        assert_eq!(bearer_ends(&attempt, Renewal::Always, false, None), at(1000), "it cannot be extended");
        assert_eq!(bearer_ends(&attempt, run, true, None), at(7000));
        assert_eq!(bearer_ends(&attempt, run, true, Some(86400)), at(87400), "the profile bounds all extensions together");
        assert_eq!(bearer_ends(&attempt, Renewal::Always, true, None), at(1000 + 7 * 24 * 3600));
    }
}
