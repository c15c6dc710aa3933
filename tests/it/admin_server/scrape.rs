//! Prometheus' text format, read.

use std::collections::{BTreeMap, BTreeSet};

/// One scrape.
pub(crate) struct Scrape {
    text: String,
    /// Type by name, as the lines `# TYPE` say.
    pub(super) types: BTreeMap<String, String>,
    pub(super) helps: BTreeMap<String, String>,
    series: Vec<Series>,
}

pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Scrape {
    pub(super) fn read(text: &str) -> Self {
        let (mut types, mut helps, mut series) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is there twice");
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                helps.insert(name.to_owned(), help.to_owned());
            } else {
                series.push(one(line));
            }
        }
        Self { text: text.to_owned(), types, helps, series }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn series(&self) -> &[Series] {
        &self.series
    }

    fn of<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Series> {
        let fits = |series: &Series| labels.iter().all(|(key, value)| series.labels.get(*key).is_some_and(|is| is == value));
        self.series.iter().filter(move |series| series.name == name && fits(series))
    }

    /// The sum of the series of that name with these labels, among others; none: there is no such series.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.of(name, labels).map(|series| series.value).reduce(|one, other| one + other)
    }

    /// The names of the metric families, without the ends of histograms, and the labels of each.
    pub(super) fn families(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut families: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for series in &self.series {
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
                let family = series.name.strip_suffix(end)?;
                (self.types.get(family).map(String::as_str) == Some("histogram")).then(|| family.to_owned())
            });
            let labels = series.labels.keys().filter(|key| *key != "le").cloned();
            families.entry(family.unwrap_or_else(|| series.name.clone())).or_default().extend(labels);
        }
        families
    }
}

/// `name{key="value",...} number`
fn one(line: &str) -> Series {
    let (left, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = left.split_once('{').map_or((left, ""), |(name, rest)| (name, rest.strip_suffix('}').unwrap()));
    let mut read = BTreeMap::new();
    let mut rest = labels;
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"").unwrap();
        // No label of ours holds a quote.
        let (value, after) = after.split_once('"').unwrap();
        read.insert(key.to_owned(), value.to_owned());
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Series { name: name.to_owned(), labels: read, value: value.parse().unwrap() }
}
