//! `duration`: hours, minutes and seconds, each with its unit.

use super::list::Problem;

/// The seconds that the annotation names.
pub(super) fn seconds(text: &str) -> Result<i32, Problem> {
    const GRAMMAR: Problem = Problem::Whole("write the unit, such as 3600s, 60m or 1h30m");
    const RANGE: Problem = Problem::Whole("a duration is 1 s to 2147483647 s");
    let mut rest = text;
    let mut total = 0_i64;
    let mut found = false;
    for (unit, seconds) in [('h', 3600), ('m', 60), ('s', 1)] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            continue;
        }
        if let Some(after) = after.strip_prefix(unit) {
            let number: i64 = number.parse().map_err(|_| RANGE)?;
            total = number.checked_mul(seconds).and_then(|more| total.checked_add(more)).ok_or(RANGE)?;
            rest = after;
            found = true;
        }
    }
    if !found || !rest.is_empty() {
        return Err(GRAMMAR);
    }
    i32::try_from(total).ok().filter(|seconds| *seconds > 0).ok_or(RANGE)
}
