//! Our callback URLs: `<base>/<object key>/<nonce>`. The key says whose object it is, the nonce which attempt; a provider that
//! echoes the URL, or calls it, names both. Nothing here trusts the text: it comes from outside.

use url::Url;

use crate::private::Private;

/// The length of a key and of a nonce: 128 bits in hexadecimal digits.
const LENGTH: usize = 32;

/// What the path of a callback URL of ours says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkPath {
    /// The object's key, 32 hexadecimal digits in lower case.
    pub key: String,
    /// The attempt's nonce, 32 hexadecimal digits in lower case. Who knows it can send events, so it is kept from logs.
    pub nonce: Private<String>,
}

impl SinkPath {
    /// Reads a URL; none where it is not one of ours: another scheme, host, port or path than `base`, anything behind the nonce, or
    /// no key and nonce where they belong. `base` may end with a slash or not.
    pub fn parse(url: &str, base: &str) -> Option<Self> {
        let (url, base) = (plain(url)?, plain(base)?);
        if (url.scheme(), url.host(), url.port_or_known_default()) != (base.scheme(), base.host(), base.port_or_known_default()) {
            return None;
        }
        let path = url.path().strip_prefix(base.path().trim_end_matches('/'))?.strip_prefix('/')?;
        let (key, nonce) = path.split_once('/')?;
        Some(Self { key: hexadecimal(key)?, nonce: Private::new(hexadecimal(nonce)?) })
    }
}

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
    fn our_own_url_is_read_in_each_spelling_of_the_same_place() {
        for base in [BASE, "https://qos.example.org/notify/", "HTTPS://QOS.example.org:443/notify"] {
            let found = SinkPath::parse(&format!("{BASE}/{KEY}/{NONCE}"), base).unwrap();
            assert_eq!((found.key.as_str(), found.nonce.expose().as_str()), (KEY, NONCE), "{base}");
        }
        let found = SinkPath::parse(&format!("https://qos.example.org:443/notify/{KEY}/{}", NONCE.to_uppercase()), BASE);
        assert_eq!(found.unwrap().nonce.expose(), NONCE);
        let root = SinkPath::parse(&format!("https://qos.example.org/{KEY}/{NONCE}"), "https://qos.example.org");
        assert_eq!(root.unwrap().key, KEY);
    }

    #[test]
    fn a_url_of_another_place_is_not_ours() {
        for url in [
            format!("http://qos.example.org/notify/{KEY}/{NONCE}"),
            format!("https://other.example.org/notify/{KEY}/{NONCE}"),
            format!("https://qos.example.org:8443/notify/{KEY}/{NONCE}"),
            format!("https://qos.example.org/notify2/{KEY}/{NONCE}"),
            format!("https://qos.example.org/{KEY}/{NONCE}"),
            format!("https://user@qos.example.org/notify/{KEY}/{NONCE}"),
            format!("{BASE}/{KEY}/{NONCE}?a=1"),
            format!("{BASE}/{KEY}/{NONCE}#a"),
            format!("{BASE}/{KEY}/{NONCE}/"),
            format!("{BASE}/{KEY}/{NONCE}/notifications"),
            format!("{BASE}/{KEY}"),
            format!("{BASE}/{KEY}/{}", &NONCE[1..]),
            format!("{BASE}/{KEY}/{}g", &NONCE[1..]),
            "mailto:someone@example.org".to_owned(),
            String::new(),
        ] {
            assert_eq!(SinkPath::parse(&url, BASE), None, "{url}");
        }
    }

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
        let found = SinkPath::parse(&format!("{BASE}/{KEY}/{NONCE}"), BASE).unwrap();
        assert!(!format!("{found:?}").contains(NONCE));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(url in "\\PC*", base in "\\PC*") {
            let _ = (SinkPath::parse(&url, BASE), SinkPath::parse(BASE, &base), nonce_of(&url), key_of(&url));
        }
    }
}
