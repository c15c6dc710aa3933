//! The callback URL of a create: it names the object and the send, so that a session that is found in a list, or that an event speaks
//! of, can be told for ours. Pure.

use k8s_openapi::jiff::Timestamp;
use url::Url;

use super::facts::Nonce;
use super::key::OperatorKey;
use crate::notify::Target;
use crate::private::Private;
use crate::qod::{self, Callback};

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

/// The callback of one send: the URL `<base>/<object key>/<nonce>`, and a bearer that is an HMAC of both, so that it is stored
/// nowhere.
pub fn callback(key: &OperatorKey, base: &Url, uid: &str, nonce: Nonce, expires: Timestamp) -> Callback {
    let object = ObjectKey::of(key, uid).text();
    let nonce = nonce.text();
    let url = format!("{}/{object}/{}", base.as_str().trim_end_matches('/'), nonce.expose());
    let token = key.long(&["callback", &object, nonce.expose()]);
    Callback { url: url.into(), token, token_expires: Some(expires) }
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
            let callback = callback(&key, &base.parse().unwrap(), "uid-1", nonce, Timestamp::UNIX_EPOCH);
            assert!(callback.url.expose().starts_with(base.trim_end_matches('/')));
            assert_eq!(read(&callback.url), Some(Mark { object: ObjectKey::of(&key, "uid-1"), nonce }));
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
        let base: Url = "https://qos.example.com".parse().unwrap();
        let token = |uid, nonce| callback(&key, &base, uid, Nonce(nonce), Timestamp::UNIX_EPOCH).token;
        assert_ne!(token("uid-1", 1), token("uid-1", 2));
        assert_ne!(token("uid-1", 1), token("uid-2", 1));
    }
}
