//! An OpenAPI document: its operations, with the compiled schemas of everything that goes over the wire.

use std::collections::BTreeMap;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

use super::schema::{Direction, convert, followed};

/// A document that was read, and understood in all its parts that say what is valid.
pub(crate) struct Document {
    /// Its path below the folder of the documents.
    pub(crate) name: String,
    pub(crate) operations: Vec<Operation>,
}

/// An operation of the API, or of the receiver of its notifications.
pub(crate) struct Operation {
    pub(crate) id: String,
    /// In capitals.
    pub(crate) method: String,
    /// The path as the document has it, or a callback's expression.
    pub(crate) path: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) request: Option<RequestBody>,
    /// By status, `2XX` or `default`.
    pub(crate) answers: BTreeMap<String, Answer>,
    /// What the server sends in turn.
    pub(crate) callbacks: Vec<Operation>,
    /// The alternatives of which one must be met; an empty one is always met.
    pub(crate) security: Vec<Vec<Credential>>,
}

/// Where a credential is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// `Authorization` with this scheme.
    Authorization(&'static str),
    Query(String),
    Header(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Header,
}

pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) required: bool,
    pub(crate) schema: Text,
}

/// The schema of a value that is sent as text.
pub(crate) struct Text {
    validator: Validator,
    /// What the text is read as; a string if the schema says nothing.
    kind: String,
}

pub(crate) struct RequestBody {
    pub(crate) required: bool,
    pub(crate) content: Content,
}

pub(crate) struct Answer {
    pub(crate) content: Content,
    pub(crate) headers: Vec<Parameter>,
}

/// Schemas by media type; a type without one takes anything.
pub(crate) type Content = BTreeMap<String, Option<Validator>>;

/// The validator of a schema that [`convert`] made.
pub(crate) fn compiled(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .build(schema)
        .map_err(|error| error.to_string())
}

impl Document {
    /// Reads the file `name` in `folder`.
    pub(crate) fn read(folder: &Path, name: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(name, &text).map_err(|why| format!("{name}: {why}"))
    }

    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let root: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let version = root["openapi"].as_str().unwrap_or_default();
        if !version.starts_with("3.0.") {
            return Err(format!("OpenAPI {version} is not understood, only 3.0"));
        }
        let reader = Reader { root: &root, closed: is_closed(&root) };
        let paths = root["paths"].as_object().ok_or("it has no paths")?;
        let mut operations = Vec::new();
        for (path, item) in paths {
            operations.extend(reader.path_item(path, item)?);
        }
        Ok(Self { name: name.to_owned(), operations })
    }

    /// The operation of that method whose path fits, with the path's parameters; `path` is what follows the base path.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<(&Operation, Vec<(&str, String)>)> {
        self.operations.iter().filter(|operation| operation.method == method).find_map(|operation| {
            let parameters = path_parameters(&operation.path, path)?;
            Some((operation, parameters))
        })
    }

    /// The operation with that operationId.
    pub(crate) fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id)
    }
}

/// What stands in the place of the template's parameters, decoded; none where the path does not fit.
fn path_parameters<'a>(template: &'a str, path: &str) -> Option<Vec<(&'a str, String)>> {
    let (mut expected, mut found) = (template.split('/'), path.split('/'));
    let mut parameters = Vec::new();
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return Some(parameters),
            (Some(expected), Some(found)) => {
                let parameter = expected.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
                match parameter {
                    Some(name) => parameters.push((name, decoded(found)?)),
                    None if expected == found => {}
                    None => return None,
                }
            }
            _ => return None,
        }
    }
}

/// A path's segment with its escapes resolved.
fn decoded(segment: &str) -> Option<String> {
    // As a form, but for the plus, which is one in a path.
    let query = format!("v={}", segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D"));
    url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned())
}

impl Operation {
    /// What is documented for a status.
    pub(crate) fn answer(&self, status: u16) -> Option<&Answer> {
        let exact = self.answers.get(&status.to_string());
        exact.or_else(|| self.answers.get(&format!("{}XX", status / 100))).or_else(|| self.answers.get("default"))
    }
}

impl Text {
    /// What is wrong with the text.
    pub(crate) fn problem(&self, text: &str) -> Option<String> {
        let value = match self.kind.as_str() {
            "string" => Value::String(text.to_owned()),
            _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        };
        self.validator.iter_errors(&value).next().map(|error| rule(&error))
    }
}

/// The rule that is broken, without the value that breaks it: messages may hold devices and tokens.
pub(crate) fn rule(error: &jsonschema::ValidationError<'_>) -> String {
    error.masked().to_string()
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().into_iter().flatten().collect()
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    root: &'a Value,
    /// Whether requests may have declared properties only.
    closed: bool,
}

/// Whether the document's prose closes its requests; its schemas do not say it (1.2-rc does, under "Additional properties").
fn is_closed(root: &Value) -> bool {
    let prose = root["info"]["description"].as_str().unwrap_or_default();
    prose.contains("rejects requests with JSON request bodies that contain properties not declared")
}

impl<'a> Reader<'a> {
    fn follow(&self, value: &'a Value) -> Result<&'a Value, String> {
        followed(self.root, value)
    }

    fn path_item(&self, path: &str, item: &'a Value) -> Result<Vec<Operation>, String> {
        let item = self.follow(item)?;
        let shared = list(&item["parameters"]);
        let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
        let there = methods.iter().filter(|method| item[*method].is_object());
        let operation = |method: &&str| {
            let read = self.operation(path, method, &item[*method], &shared);
            read.map_err(|why| format!("{method} {path}: {why}"))
        };
        there.map(operation).collect()
    }

    fn operation(&self, path: &str, method: &str, operation: &'a Value, shared: &[&'a Value]) -> Result<Operation, String> {
        let own = list(&operation["parameters"]);
        let parameters = shared.iter().chain(&own).map(|parameter| self.parameter(parameter));
        let parameters: Vec<Parameter> = parameters.collect::<Result<_, _>>()?;
        let request = match operation.get("requestBody") {
            None => None,
            Some(body) => {
                let body = self.follow(body)?;
                let content = self.content(&body["content"], Direction::Request)?;
                Some(RequestBody { required: body["required"] == true, content })
            }
        };
        let mut answers = BTreeMap::new();
        for (status, answer) in operation["responses"].as_object().ok_or("no responses")? {
            let answer = self.answer(answer).map_err(|why| format!("{status}: {why}"))?;
            answers.insert(status.clone(), answer);
        }
        let mut callbacks = Vec::new();
        for callback in operation["callbacks"].as_object().into_iter().flat_map(|callbacks| callbacks.values()) {
            for (expression, item) in self.follow(callback)?.as_object().ok_or("a callback that is no object")? {
                // The API closes its own requests; what it sends is not meant.
                let reader = Reader { closed: false, ..*self };
                callbacks.extend(reader.path_item(expression, item)?);
            }
        }
        let security = operation.get("security").or_else(|| self.root.get("security"));
        Ok(Operation {
            id: operation["operationId"].as_str().unwrap_or(path).to_owned(),
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            parameters,
            request,
            answers,
            callbacks,
            security: self.security(security)?,
        })
    }

    fn parameter(&self, parameter: &'a Value) -> Result<Parameter, String> {
        let parameter = self.follow(parameter)?;
        let name = parameter["name"].as_str().ok_or("a parameter without a name")?;
        let place = match parameter["in"].as_str() {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            Some("header") => Place::Header,
            _ => return Err(format!("parameter {name}: its place is not known")),
        };
        self.named(name, place, parameter, Direction::Request)
    }

    /// A parameter, or a header of an answer, whose object has no name of its own.
    fn named(&self, name: &str, place: Place, object: &'a Value, direction: Direction) -> Result<Parameter, String> {
        let schema = object.get("schema").ok_or_else(|| format!("{name}: it has no schema"))?;
        let kind = self.follow(schema)?["type"].as_str().unwrap_or("string").to_owned();
        let validator = self.compile(schema, direction).map_err(|why| format!("{name}: {why}"))?;
        Ok(Parameter { name: name.to_owned(), place, required: object["required"] == true, schema: Text { validator, kind } })
    }

    fn answer(&self, answer: &'a Value) -> Result<Answer, String> {
        let answer = self.follow(answer)?;
        let mut headers = Vec::new();
        for (name, header) in answer["headers"].as_object().into_iter().flatten() {
            headers.push(self.named(name, Place::Header, self.follow(header)?, Direction::Response)?);
        }
        Ok(Answer { content: self.content(&answer["content"], Direction::Response)?, headers })
    }

    fn content(&self, content: &'a Value, direction: Direction) -> Result<Content, String> {
        let mut out = Content::new();
        for (media, object) in content.as_object().into_iter().flatten() {
            let schema = object.get("schema").map(|schema| self.compile(schema, direction));
            out.insert(media.clone(), schema.transpose().map_err(|why| format!("{media}: {why}"))?);
        }
        Ok(out)
    }

    fn compile(&self, schema: &Value, direction: Direction) -> Result<Validator, String> {
        compiled(&convert(self.root, schema, direction, self.closed && direction == Direction::Request)?)
    }

    fn security(&self, security: Option<&'a Value>) -> Result<Vec<Vec<Credential>>, String> {
        let alternatives = security.and_then(Value::as_array).into_iter().flatten();
        let alternative = |schemes: &'a Value| {
            let names = schemes.as_object().into_iter().flat_map(|schemes| schemes.keys());
            names.map(|name| self.credential(name)).collect()
        };
        alternatives.map(alternative).collect()
    }

    fn credential(&self, name: &str) -> Result<Credential, String> {
        let scheme = self.follow(&self.root["components"]["securitySchemes"][name])?;
        let text = |field: &str| scheme[field].as_str().unwrap_or_default();
        match (text("type"), text("scheme"), text("in")) {
            ("oauth2" | "openIdConnect", ..) | ("http", "bearer", _) => Ok(Credential::Authorization("Bearer")),
            ("http", "basic", _) => Ok(Credential::Authorization("Basic")),
            ("apiKey", _, "query") => Ok(Credential::Query(text("name").to_owned())),
            ("apiKey", _, "header") => Ok(Credential::Header(text("name").to_owned())),
            _ => Err(format!("the security scheme {name} is not understood")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_its_template_and_yields_its_decoded_parameters() {
        let template = "/sessions/{sessionId}/extend";
        assert_eq!(path_parameters(template, "/sessions/a%20b+c/extend"), Some(vec![("sessionId", "a b+c".to_owned())]));
        assert_eq!(path_parameters(template, "/sessions/1"), None);
        assert_eq!(path_parameters(template, "/sessions/1/extend/2"), None);
        assert_eq!(path_parameters("/sessions", "/sessions/"), None);
    }

    #[test]
    fn a_document_of_another_version_is_refused() {
        let refused = Document::parse("a.yaml", "openapi: 3.1.0\npaths: {}\n").err();
        assert_eq!(refused.as_deref(), Some("OpenAPI 3.1.0 is not understood, only 3.0"));
    }

    #[test]
    fn a_documents_unknown_keyword_is_named_with_its_place() {
        let text =
            "openapi: 3.0.3\npaths: {/a: {get: {responses: {'200': {content: {application/json: {schema: {minimun: 1}}}}}}}}";
        let refused = Document::parse("a.yaml", text).err();
        assert_eq!(refused.as_deref(), Some("get /a: 200: application/json: the keyword minimun is not known"));
    }
}
