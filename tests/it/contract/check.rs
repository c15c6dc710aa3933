//! Holds messages to a document.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use serde_json::Value;

use super::document::{Answer, Content, Credential, Document, Operation, Place, rule};

const CORRELATOR: &str = "x-correlator";

/// Something that the document does not allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// The document's name.
    pub(crate) document: String,
    /// The operationId, or method and path where there is no such operation.
    pub(crate) operation: String,
    /// `request`, `notification`, or the answer's status.
    pub(crate) message: String,
    /// What part of the message, as a JSON pointer with `body`, `header`, `query` or `path` before it.
    pub(crate) place: String,
    /// The rule that is broken. No value of the message is in it.
    pub(crate) rule: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { document, operation, message, place, rule } = self;
        write!(f, "{document}: {operation}, {message}, {place}: {rule}")
    }
}

/// A request as it was sent; `path` is what follows the base path, still escaped.
pub(crate) struct Sent<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// An answer as it came.
pub(crate) struct Told<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Gathers what is wrong with one message.
struct Check<'a> {
    document: &'a str,
    operation: &'a str,
    message: String,
    found: Vec<Violation>,
}

impl Check<'_> {
    fn add(&mut self, place: impl Into<String>, rule: impl Into<String>) {
        self.found.push(Violation {
            document: self.document.to_owned(),
            operation: self.operation.to_owned(),
            message: self.message.clone(),
            place: place.into(),
            rule: rule.into(),
        });
    }

    fn body(&mut self, content: &Content, headers: &HeaderMap, body: &[u8]) {
        let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let Some(validator) = content.get(&essence) else {
            let documented: Vec<&str> = content.keys().map(String::as_str).collect();
            self.add("header/content-type", format!("it is \"{essence}\", not {}", documented.join(" or ")));
            return;
        };
        let Some(validator) = validator else { return };
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            self.add("body", "it is no JSON");
            return;
        };
        for error in validator.iter_errors(&value) {
            self.add(format!("body{}", error.instance_path()), rule(&error));
        }
    }

    fn headers<'h>(&mut self, documented: impl Iterator<Item = &'h super::document::Parameter>, headers: &HeaderMap) {
        for parameter in documented {
            let place = format!("header/{}", parameter.name.to_ascii_lowercase());
            match headers.get(&parameter.name).map(|value| value.to_str().unwrap_or("\u{fffd}")) {
                None if parameter.required => self.add(place, "required"),
                None => {}
                Some(text) => {
                    if let Some(problem) = parameter.schema.problem(text) {
                        self.add(place, problem);
                    }
                }
            }
        }
    }

    fn security(&mut self, operation: &Operation, sent: &Sent<'_>, query: &BTreeMap<String, String>) {
        let met = |credential: &Credential| match credential {
            Credential::Authorization(scheme) => {
                let value = sent.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
                value.split_once(' ').is_some_and(|(name, token)| name == *scheme && !token.is_empty() && !token.contains(' '))
            }
            Credential::Query(name) => query.contains_key(name),
            Credential::Header(name) => sent.headers.contains_key(name),
        };
        if !operation.security.is_empty() && !operation.security.iter().any(|alternative| alternative.iter().all(met)) {
            self.add("security", "no alternative of the document's is met");
        }
    }

    fn request(&mut self, operation: &Operation, sent: &Sent<'_>, path: &[(&str, String)]) {
        let query: BTreeMap<String, String> = url::form_urlencoded::parse(sent.query.as_bytes()).into_owned().collect();
        let in_place = |place| operation.parameters.iter().filter(move |parameter| parameter.place == place);
        for parameter in in_place(Place::Path) {
            let place = format!("path/{}", parameter.name);
            match path.iter().find(|(name, _)| *name == parameter.name) {
                None => self.add(place, "the path's template does not have it"),
                Some((_, text)) => {
                    if let Some(problem) = parameter.schema.problem(text) {
                        self.add(place, problem);
                    }
                }
            }
        }
        for parameter in in_place(Place::Query) {
            let place = format!("query/{}", parameter.name);
            match query.get(&parameter.name) {
                None if parameter.required => self.add(place, "required"),
                None => {}
                Some(text) => {
                    if let Some(problem) = parameter.schema.problem(text) {
                        self.add(place, problem);
                    }
                }
            }
        }
        let keys: Vec<&String> = operation
            .security
            .iter()
            .flatten()
            .filter_map(|credential| match credential {
                Credential::Query(name) => Some(name),
                _ => None,
            })
            .collect();
        for name in query.keys() {
            if !keys.contains(&name) && !in_place(Place::Query).any(|parameter| parameter.name == *name) {
                self.add(format!("query/{name}"), "it is not documented");
            }
        }
        self.headers(in_place(Place::Header), sent.headers);
        self.security(operation, sent, &query);
        match &operation.request {
            None if sent.body.is_empty() => {}
            None => self.add("body", "no body is documented"),
            Some(body) if sent.body.is_empty() && !body.required => {}
            Some(body) => self.body(&body.content, sent.headers, sent.body),
        }
    }

    fn answer(&mut self, documented: Option<&Answer>, told: &Told<'_>) {
        let Some(documented) = documented else {
            self.add("status", "it is not documented");
            return;
        };
        self.headers(documented.headers.iter(), told.headers);
        if !documented.content.is_empty() {
            self.body(&documented.content, told.headers, told.body);
        } else if !told.body.is_empty() {
            self.add("body", "no body is documented");
        }
    }
}

/// What is wrong with a request.
pub(crate) fn request(document: &Document, sent: &Sent<'_>) -> Vec<Violation> {
    let named = format!("{} {}", sent.method, sent.path);
    let Some((operation, path)) = document.find(sent.method, sent.path) else {
        let mut check = Check { document: &document.name, operation: &named, message: "request".into(), found: Vec::new() };
        check.add("path", "there is no such operation");
        return check.found;
    };
    let mut check = Check { document: &document.name, operation: &operation.id, message: "request".into(), found: Vec::new() };
    check.request(operation, sent, &path);
    check.found
}

/// What is wrong with the answer to a request.
pub(crate) fn answer(document: &Document, operation: &Operation, sent: &Sent<'_>, told: &Told<'_>) -> Vec<Violation> {
    let message = told.status.to_string();
    let mut check = Check { document: &document.name, operation: &operation.id, message, found: Vec::new() };
    let documented = operation.answer(told.status);
    check.answer(documented, told);
    // Commonalities, API design guide, "Using x-correlator": the value of the request comes back. One that is not allowed cannot.
    let has = documented.is_some_and(|answer| answer.headers.iter().any(|header| header.name == CORRELATOR));
    let allowed = |text: &&str| {
        let parameter = operation.parameters.iter().find(|parameter| parameter.name == CORRELATOR);
        parameter.is_none_or(|parameter| parameter.schema.problem(text).is_none())
    };
    let correlator = sent.headers.get(CORRELATOR).and_then(|value| value.to_str().ok()).filter(|_| has).filter(allowed);
    if let Some(correlator) = correlator
        && told.headers.get(CORRELATOR).is_none_or(|echoed| echoed.as_bytes() != correlator.as_bytes())
    {
        check.add(format!("header/{CORRELATOR}"), "it is not the request's");
    }
    check.found
}

/// What is wrong with a notification, of whatever operation that has callbacks.
pub(crate) fn notification(document: &Document, sent: &Sent<'_>) -> Vec<Violation> {
    let mut check =
        Check { document: &document.name, operation: "notification", message: "notification".into(), found: Vec::new() };
    let callback = document.operations.iter().flat_map(|operation| &operation.callbacks).find(|one| one.method == sent.method);
    let Some(callback) = callback else {
        check.add("path", "the document has no such callback");
        return check.found;
    };
    // What follows the expression is appended to the URL that the client gave.
    let suffix = callback.path.rsplit_once('}').map_or("", |(_, suffix)| suffix);
    if !sent.path.ends_with(suffix) {
        check.add("path", format!("it does not end in {suffix}"));
    }
    check.request(callback, sent, &[]);
    check.found
}
