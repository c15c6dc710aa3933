//! What reads a path and a body.

use qos_operator::notify::{Event, Seen, Target};

#[test]
fn parsers() {
    bolero::check!().with_max_len(16 << 10).for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        if let Some(target) = Target::of(&text) {
            for segment in target.object_key.iter().chain([target.nonce.expose()]) {
                assert!(!segment.is_empty() && segment.len() <= 256 && segment.is_ascii(), "{segment:?}");
            }
            // The key is printed, and a stranger may write the same for both.
            let shown = target.object_key.as_ref() == Some(target.nonce.expose());
            assert!(shown || !format!("{target:?}").contains(&format!("\"{}\"", target.nonce.expose())));
        }
        if let Ok(event) = Event::parse(input) {
            let id = event.session_id.as_str();
            assert!(!id.is_empty() && id.len() <= 512 && !id.chars().any(char::is_control), "{id:?}");
            let mut seen = Seen::new(2);
            seen.note("n", &event);
            seen.note("n", &event);
        }
    });
}
