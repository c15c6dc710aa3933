//! Lists in an annotation: entries between commas, and what may be wrong with one.

/// What is wrong with an annotation. It holds numbers and our own words only, so no value can be told by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing stands between two commas.
    #[error("entry {0} is empty")]
    Empty(usize),
    /// An entry that means the same as an earlier one.
    #[error("entry {0} repeats entry {1}")]
    Repeats(usize, usize),
    /// An entry that cannot be read, and what to write.
    #[error("entry {0}: {1}")]
    Entry(usize, &'static str),
    /// More entries than can be asked for.
    #[error("at most {0} entries")]
    TooMany(usize),
    /// A value that cannot be read, and what to write.
    #[error("{0}")]
    Whole(&'static str),
    /// What the entries say together does not fit, because of this one.
    #[error("{0} (entry {1} is a subnet)")]
    Together(&'static str, usize),
}

/// The entries of `text`, each read by `one`; spaces around commas do not count.
pub(super) fn entries<T: PartialEq>(
    text: &str,
    most: usize,
    one: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Problem> {
    let mut found: Vec<T> = Vec::new();
    for (index, entry) in text.split(',').map(|entry| entry.trim_matches(' ')).enumerate() {
        let number = index + 1;
        if number > most {
            return Err(Problem::TooMany(most));
        }
        if entry.is_empty() {
            return Err(Problem::Empty(number));
        }
        let value = one(entry).map_err(|remedy| Problem::Entry(number, remedy))?;
        if let Some(earlier) = found.iter().position(|other| *other == value) {
            return Err(Problem::Repeats(number, earlier + 1));
        }
        found.push(value);
    }
    Ok(found)
}
