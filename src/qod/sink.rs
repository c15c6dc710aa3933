//! Our callback URLs: `<base>/<object key>/<nonce>`. The key says whose object it is, the nonce which attempt; a provider that
//! echoes the URL, or calls it, names both. Nothing here trusts the text: it comes from outside.

use url::Url;

use crate::private::Private;

/// The length of a key and of a nonce: 128 bits in hexadecimal digits.
const LENGTH: usize = 32;

/// The nonce of a callback URL, whatever stands before it: its last segment, where that is one.
pub fn nonce_of(url: &str) -> Option<Private<String>> {
    hexadecimal(plain(url)?.path_segments()?.next_back()?).map(Private::new)
}

/// The object's key of a callback URL, whatever stands before it: the segment before the nonce.
pub fn key_of(url: &str) -> Option<String> {
    let url = plain(url)?;
    let mut segments = url.path_segments()?;
    hexadecimal(segments.next_back()?)?;
    hexadecimal(segments.next_back()?)
}

/// A URL with a host, and nothing but a path behind it.
fn plain(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    (bare && url.has_host()).then_some(url)
}

fn hexadecimal(text: &str) -> Option<String> {
    (text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "https://qos.example.org/notify";
    const KEY: &str = "9b1d7e305c2f4a6d8e0c1b2a3f4d5e6c";
    const NONCE: &str = "4f0c2a9e6b7d4c1fa3e58d20b9c7e611";

    #[test]
    fn key_and_nonce_are_the_last_two_segments() {
        let url = format!("https://elsewhere.example.org/a/b/{KEY}/{NONCE}");
        assert_eq!((key_of(&url).unwrap(), nonce_of(&url).unwrap().into_inner()), (KEY.to_owned(), NONCE.to_owned()));
        let short = format!("{BASE}/{NONCE}");
        assert_eq!((key_of(&short), nonce_of(&short).unwrap().into_inner()), (None, NONCE.to_owned()));
        assert_eq!(nonce_of("https://application-server.example.com/notifications"), None);
    }

    #[test]
    fn a_nonce_is_not_printed() {
        let found = nonce_of(&format!("{BASE}/{KEY}/{NONCE}")).unwrap();
        assert!(!format!("{found:?}").contains(NONCE));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(url in "\\PC*") {
            let _ = (nonce_of(&url), key_of(&url));
        }
    }
}
