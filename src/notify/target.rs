//! What the path of a callback says.

use crate::private::Private;

/// What version 0.8 appends to the URL that it was given (`createSession`'s callback, `{$request.body#/notificationUrl}/notifications`).
const V0_8_SUFFIX: &str = "notifications";
/// Longer than anything that is handed out.
const LONGEST: usize = 256;

/// The last segments of a callback's path. They are what somebody sent, so they may be anything, but no longer than what is handed
/// out; whether they are known is the receiver's affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The segment before the nonce; none where the path has only one.
    pub object_key: Option<String>,
    /// The attempt's nonce: the last segment, in version 0.8's form the one before `/notifications`.
    pub nonce: Private<String>,
}

impl Target {
    /// The target in `path` (without the query); none where it has none. Empty segments are passed over, since version 0.8 appends
    /// to the URL as a text, also to one that ends in `/`.
    pub fn of(path: &str) -> Option<Self> {
        let mut segments = path.rsplit('/').filter(|segment| !segment.is_empty()).peekable();
        if segments.peek() == Some(&V0_8_SUFFIX) {
            segments.next();
        }
        let plain = |segment: &&str| {
            segment.len() <= LONGEST
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let nonce = segments.next().filter(plain)?;
        Some(Self { object_key: segments.next().filter(plain).map(str::to_owned), nonce: nonce.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Option<(Option<String>, String)> {
        Target::of(path).map(|target| (target.object_key, target.nonce.into_inner()))
    }

    #[test]
    fn the_nonce_is_the_last_segment_and_the_key_the_one_before_in_every_generations_form() {
        let expected = Some((Some("k1".to_owned()), "n1".to_owned()));
        for path in ["/base/k1/n1", "/k1/n1/notifications", "/base/k1/n1//notifications", "/k1/n1/"] {
            assert_eq!(of(path), expected, "{path}");
        }
        assert_eq!(of("/n1"), Some((None, "n1".to_owned())));
    }

    #[test]
    fn a_path_without_a_plain_last_segment_has_no_target() {
        for path in ["", "/", "/notifications", "/k1/%6e1", "/k1/n 1", &format!("/k1/{}", "n".repeat(257))] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn a_nonce_is_not_printed() {
        assert!(!format!("{:?}", Target::of("/k1/4f0c2a9e")).contains("4f0c2a9e"));
    }
}
