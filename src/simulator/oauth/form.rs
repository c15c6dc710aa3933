//! Strict reading of `application/x-www-form-urlencoded`.

use std::collections::BTreeMap;

use super::refusal::{Code, Refusal};
use crate::private::Private;

/// The parameters of a form. Those sent without a value count as not sent (RFC 6749 section 3.2).
#[derive(Debug)]
pub(super) struct Form(BTreeMap<String, Private<String>>);

impl Form {
    /// Reads `body`: no parameter twice (RFC 6749 section 3.2), no broken escape, nothing that is not UTF-8.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let broken = Refusal::new(Code::InvalidRequest, "the form is not well encoded");
        let text = std::str::from_utf8(body).map_err(|_| broken)?;
        let mut all = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name).ok_or(broken)?, decode(value).ok_or(broken)?);
            if all.insert(name, Private::new(value)).is_some() {
                return Err(Refusal::new(Code::InvalidRequest, "a parameter is there twice"));
            }
        }
        all.retain(|_, value| !value.expose().is_empty());
        Ok(Self(all))
    }

    /// The value of the parameter `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.expose().as_str())
    }
}

/// One name or value: `+` is a space, `%41` is `A`. None: a broken escape, or not UTF-8. (The usual libraries let both pass.)
pub(super) fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_plus_is_a_space_and_an_escaped_one_is_a_plus() {
        let form = Form::parse(b"login_hint=tel:+447700900112&scope=dpv:A%23qod&other=tel:%2b44&empty=&x").unwrap();
        assert_eq!(form.get("login_hint"), Some("tel: 447700900112"));
        assert_eq!(form.get("scope"), Some("dpv:A#qod"));
        assert_eq!(form.get("other"), Some("tel:+44"));
        assert_eq!((form.get("empty"), form.get("x")), (None, None));
    }

    #[test]
    fn a_form_that_is_ambiguous_or_broken_is_refused() {
        for body in ["a=1&a=1", "a=1&%61=2", "a=&a=1", "a=%4", "a=%zz", "a=%", "a=%ff", "a=%+1"] {
            assert_eq!(Form::parse(body.as_bytes()).unwrap_err().code, Code::InvalidRequest, "{body}");
        }
        assert!(Form::parse(b"a=\xff").is_err());
    }

    #[test]
    fn a_form_is_not_printed() {
        assert!(!format!("{:?}", Form::parse(b"client_secret=abc").unwrap()).contains("abc"));
    }
}
