//! Where the official documents are, and which of them says how a generation speaks.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use qos_operator::qod::Generation;

use super::document::Document;
use crate::support::in_repository;

/// One provider's form of a generation, and the documents that describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) generation: Generation,
    pub(crate) origin: Origin,
    /// The documents' paths below the folder, with the base path that its `servers` name.
    documents: Documents,
    /// Where sessions are, and where profiles are.
    bases: (&'static str, &'static str),
}

/// Whose documents they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Camara,
    Telefonica,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = match self.origin {
            Origin::Camara => "CAMARA",
            Origin::Telefonica => "Telefónica",
        };
        write!(f, "{origin} {}", self.generation)
    }
}

type Documents = &'static [(&'static str, &'static str)];

const fn camara(generation: Generation, documents: Documents, bases: (&'static str, &'static str)) -> Form {
    Form { generation, origin: Origin::Camara, documents, bases }
}

const fn telefonica(generation: Generation, documents: Documents, bases: (&'static str, &'static str)) -> Form {
    Form { generation, origin: Origin::Telefonica, documents, bases }
}

/// All forms that documents are known of.
pub(crate) const FORMS: [Form; 10] = [
    camara(Generation::V0_8, &[("camara/v0.8.1/qod-api.yaml", "/qod/v0")], ("/qod/v0", "/qod/v0")),
    camara(Generation::V0_9, &[("camara/v0.9.0/qod-api.yaml", "/qod/v0")], ("/qod/v0", "/qod/v0")),
    camara(Generation::V0_10, &[("camara/v0.10.1/qod-api.yaml", "/qod/v0")], ("/qod/v0", "/qod/v0")),
    camara(
        Generation::V0_11,
        &[
            ("camara/v0.11.1/quality-on-demand.yaml", "/quality-on-demand/v0.11"),
            ("camara/v0.11.1/qos-profiles.yaml", "/qos-profiles/v0.11"),
        ],
        ("/quality-on-demand/v0.11", "/qos-profiles/v0.11"),
    ),
    camara(
        Generation::V1_0,
        &[
            ("camara/v1.0.0/quality-on-demand.yaml", "/quality-on-demand/v1"),
            ("camara/v1.0.0/qos-profiles.yaml", "/qos-profiles/v1"),
        ],
        ("/quality-on-demand/v1", "/qos-profiles/v1"),
    ),
    camara(
        Generation::V1_1,
        &[
            ("camara/v1.1.0/quality-on-demand.yaml", "/quality-on-demand/v1"),
            ("camara/v1.1.0/qos-profiles.yaml", "/qos-profiles/v1"),
        ],
        ("/quality-on-demand/v1", "/qos-profiles/v1"),
    ),
    camara(
        Generation::V1_2,
        &[
            ("camara/v1.2.0-rc.3/quality-on-demand.yaml", "/quality-on-demand/v1rc3"),
            ("camara/v1.2.0-rc.3/qos-profiles.yaml", "/qos-profiles/v1rc3"),
        ],
        ("/quality-on-demand/v1rc3", "/qos-profiles/v1rc3"),
    ),
    telefonica(Generation::V0_8, &[("telefonica/qod-v0.8.yaml", "/qod/v0")], ("/qod/v0", "/qod/v0")),
    telefonica(Generation::V0_10, &[("telefonica/qod-v0.10.yaml", "/qod/v0")], ("/qod/v0", "/qod/v0")),
    // One document for both APIs, with the base paths in its paths.
    telefonica(Generation::V1_1, &[("telefonica/qod-v1.1.yaml", "")], ("/quality-on-demand/v1", "/qos-profiles/v1")),
];

/// The documents of a form, each with the path below which its own paths are.
#[derive(Clone)]
pub(crate) struct Contract {
    pub(crate) form: Form,
    pub(crate) apis: Vec<(String, Arc<Document>)>,
    prefix: String,
}

impl Contract {
    /// The documents with their own base paths behind `prefix`.
    pub(crate) fn read(folder: &Path, form: Form, prefix: &str) -> Self {
        let read = |(file, base): &(&str, &str)| {
            let document = Document::read(folder, file).unwrap_or_else(|why| panic!("{why}"));
            (format!("{prefix}{base}"), Arc::new(document))
        };
        Self { form, apis: form.documents.iter().map(read).collect(), prefix: prefix.to_owned() }
    }

    /// One document that a test made, in the place of a form's own.
    pub(crate) fn of(form: Form, base: &str, document: Document) -> Self {
        Self { form, apis: vec![(base.to_owned(), Arc::new(document))], prefix: String::new() }
    }

    /// The document that a path belongs to, and what follows its base path.
    pub(crate) fn document<'p>(&self, path: &'p str) -> Option<(&Arc<Document>, &'p str)> {
        self.apis.iter().find_map(|(base, document)| {
            let rest = path.strip_prefix(base.as_str())?;
            rest.starts_with('/').then_some((document, rest))
        })
    }

    /// The document of the sessions.
    pub(crate) fn sessions(&self) -> &Arc<Document> {
        &self.apis[0].1
    }

    /// The base paths of the sessions and of the profiles.
    pub(crate) fn bases(&self) -> (String, String) {
        let (sessions, profiles) = self.form.bases;
        (format!("{}{sessions}", self.prefix), format!("{}{profiles}", self.prefix))
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn chosen_folder() -> Option<PathBuf> {
    std::env::var("QOD_SPECS").ok().filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// The folder of the documents (`QOD_SPECS`, else `../shared/specs` beside the repository), if it is there. If it is not, what a test
/// calls `what` is not checked, and that is said.
pub(crate) fn folder(what: &str) -> Option<&'static Path> {
    static FOLDER: LazyLock<(PathBuf, bool)> = LazyLock::new(|| {
        let chosen = chosen_folder();
        let folder = chosen.clone().unwrap_or_else(|| in_repository("../shared/specs"));
        assert!(chosen.is_none() || folder.is_dir(), "QOD_SPECS names no folder: {}", folder.display());
        let there = folder.is_dir();
        (folder, there)
    });
    if FOLDER.1 {
        return Some(&FOLDER.0);
    }
    println!(
        "NOT CHECKED: {what}. The official OpenAPI documents are not here; docs/contract.md says where to get them. Then set \
         QOD_SPECS to their folder."
    );
    None
}

#[test]
fn every_official_document_is_understood_in_all_its_parts() {
    let Some(folder) = folder("that every official document is understood") else { return };
    println!("{:<16} {:>9} {:>10} {:>9} {:>9}", "form", "documents", "operations", "callbacks", "answers");
    for form in FORMS {
        let contract = Contract::read(folder, form, "");
        let operations = || contract.apis.iter().flat_map(|(_, document)| &document.operations);
        let callbacks = operations().map(|operation| operation.callbacks.len()).sum::<usize>();
        let answers = operations().map(|operation| operation.answers.len()).sum::<usize>();
        println!(
            "{:<16} {:>9} {:>10} {:>9} {:>9}",
            form.to_string(),
            contract.apis.len(),
            operations().count(),
            callbacks,
            answers
        );
        assert_eq!(callbacks, 1, "{form}: createSession has a callback");
        assert!(contract.apis.iter().all(|(_, document)| document.operations.iter().all(|one| !one.answers.is_empty())));
        for id in ["createSession", "getSession", "deleteSession"] {
            assert!(contract.sessions().operation(id).is_some_and(|one| !one.security.is_empty()), "{form}: {id}");
        }
    }
}
