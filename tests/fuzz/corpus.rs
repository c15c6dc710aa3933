//! The corpus of each target, made from the wire vectors; `UPDATE=1 cargo test -p fuzz corpus` writes it again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Longer requests teach an engine nothing, and slow it down.
const LONGEST: usize = 4096;

/// The requests of all notification vectors, by the vector's id.
fn vectors() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("notification.json"));
    let mut found = BTreeMap::new();
    for file in files.filter(|file| file.exists()) {
        let file: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let (id, input) = (vector["id"].as_str().unwrap(), &vector["input"]);
            let deliveries = input["deliveries"].as_array().cloned().unwrap_or_else(|| vec![input["request"].clone()]);
            for (number, request) in deliveries.into_iter().enumerate() {
                found.insert(format!("{id}.{number}"), request);
            }
        }
    }
    assert!(found.len() >= 38);
    found
}

fn body(request: &Value) -> Vec<u8> {
    match (&request["bodyText"], &request["body"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::Null) => Vec::new(),
        (_, body) => body.to_string().into_bytes(),
    }
}

fn query(request: &Value) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in request["query"].as_object().into_iter().flatten() {
        query.append_pair(name, value.as_str().unwrap());
    }
    query.finish()
}

fn headers(request: &Value, separator: &str) -> String {
    let mut text = String::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        write!(text, "{name}: {}{separator}", value.as_str().unwrap()).unwrap();
    }
    text
}

/// Each vector's request as the bytes of a connection, and a few forms that no vector has.
pub(super) fn requests() -> BTreeMap<String, Vec<u8>> {
    let mut requests = BTreeMap::new();
    for (id, request) in vectors() {
        let (body, query) = (body(&request), query(&request));
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
        let head = format!("{method} {path}{query} HTTP/1.1\r\nHost: qos.example.com\r\n{}", headers(&request, "\r\n"));
        let sized = [head.as_bytes(), format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat();
        if id == "v0.10.notification.official.0" {
            let chunks = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
            let chunked = [head.as_bytes(), chunks.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
            requests.insert("pipelined".to_owned(), [&sized[..], &chunked, &sized].concat());
            requests.insert("chunked".to_owned(), chunked);
            let expect =
                format!("Expect: 100-continue\r\nX-Forwarded-For: 203.0.113.5\r\nContent-Length: {}\r\n\r\n", body.len());
            requests.insert("expect".to_owned(), [head.as_bytes(), expect.as_bytes(), &body].concat());
            requests.insert("large".to_owned(), [head.as_bytes(), b"Content-Length: 65537\r\n\r\n"].concat());
        }
        requests.insert(id, sized);
    }
    requests
}

/// The corpus of a target: name and content.
fn corpora() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut corpora = BTreeMap::new();
    let mut add = |target: &str, name: &str, content: Vec<u8>| {
        if content.len() <= LONGEST {
            corpora.insert(Path::new(target).join("corpus").join(name), content);
        }
    };
    for (id, request) in vectors() {
        let (method, path) = (request["method"].as_str().unwrap(), request["path"].as_str().unwrap());
        add("parsers__parsers", &id, body(&request));
        add("parsers__parsers", &format!("path.{}", path.len()), path.as_bytes().to_vec());
        let head = format!("{method}\n{}\n{}\n", query(&request), headers(&request, "\n"));
        add("judged__judged", &id, [head.as_bytes(), &body(&request)].concat());
    }
    for (name, request) in requests() {
        add("router__router", &name, request);
    }
    corpora
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a setting of this test, not of the program")]
fn the_corpus_is_that_of_the_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("__fuzz__");
    let corpora = corpora();
    if std::env::var_os("UPDATE").is_some() {
        let _ = std::fs::remove_dir_all(&folder);
        for (file, content) in &corpora {
            let file = folder.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
    }
    let stale: Vec<_> =
        corpora.iter().filter(|(file, content)| std::fs::read(folder.join(file)).ok().as_ref() != Some(content)).collect();
    let names: Vec<_> = stale.iter().map(|(file, _)| file).collect();
    assert!(names.is_empty(), "run UPDATE=1 cargo test -p fuzz corpus, for {names:?}");
}
