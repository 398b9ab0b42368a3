//! The reference vectors: files of requests and of the answers that every
//! implementation must give. `conformance/vectors/README.md` documents them.

pub mod generator;
pub mod runner;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A file of vectors.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VectorFile {
    /// What the vectors are about, and the section of SPEC.md.
    pub about: String,
    /// The vectors.
    pub vectors: Vec<Vector>,
}

/// One request, and the answer to it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// What is tried; no two vectors of a file have the same name.
    pub name: String,
    /// Why the answer is a refusal, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Whether the bytes that are to be decoded have the form that
    /// `iot-crypto.cddl` describes, if that can be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<bool>,
    /// What the implementation is asked.
    pub request: Value,
    /// What it must answer.
    pub answer: Value,
    /// The values on the way from the request to the answer. Nobody is asked for
    /// them: they help to find where an implementation departs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<InnerValue>,
}

/// A value on the way from a request to its answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InnerValue {
    /// What it is, in the terms of SPEC.md or of an RFC.
    pub name: String,
    /// Its bytes, in hexadecimal.
    pub value: crate::hex::Hex,
}

impl InnerValue {
    /// The value `bytes` that is called `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { name: name.into(), value: crate::hex::Hex(bytes.to_vec()) }
    }
}

impl Vector {
    /// A request that is carried out, with `result`.
    #[must_use]
    pub fn accepted(name: impl Into<String>, request: Value, result: Value) -> Self {
        let answer = json!({ "accepted": result });
        let (because, schema, steps) = (None, None, Vec::new());
        Self { name: name.into(), because, schema, request, answer, steps }
    }

    /// A request that is refused for `reason`, which is so `because` of a fault.
    #[must_use]
    pub fn refused(
        name: impl Into<String>,
        because: impl Into<String>,
        request: Value,
        reason: &str,
    ) -> Self {
        let answer = json!({ "refused": reason });
        let (because, schema, steps) = (Some(because.into()), None, Vec::new());
        Self { name: name.into(), because, schema, request, answer, steps }
    }

    /// With something else in the answer.
    #[must_use]
    pub fn and(mut self, field: &str, value: impl Into<Value>) -> Self {
        if let Value::Object(answer) = &mut self.answer {
            answer.insert(field.to_owned(), value.into());
        }
        self
    }

    /// With whether the bytes have the form that the CDDL describes.
    #[must_use]
    pub fn schema(self, fits: bool) -> Self {
        Self { schema: Some(fits), ..self }
    }

    /// With the values on the way.
    #[must_use]
    pub fn steps(self, steps: Vec<InnerValue>) -> Self {
        Self { steps, ..self }
    }
}

/// Why vectors could not be read. It says which, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The directory or a file can't be read.
    #[error("{path}: {error}. Say where the vectors are with --vectors DIRECTORY", path = path.display())]
    Unreadable {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
    /// There is nothing in the directory.
    #[error(
        "{path}: there are no vectors (files *.json). Say where they are with --vectors DIRECTORY",
        path = path.display()
    )]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// A file is not a vector file.
    #[error(
        "{path}: not a file of vectors: {error}. Restore it, or make it anew with `vectors generate`",
        path = path.display()
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// Where it is broken.
        error: serde_json::Error,
    },
}

/// Reads the vector files of `directory`, in the order of their names.
///
/// # Errors
/// [`LoadError`].
pub fn load(directory: &Path) -> Result<Vec<(String, VectorFile)>, LoadError> {
    let unreadable = |path: &Path, error| LoadError::Unreadable { path: path.to_owned(), error };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, error))? {
        let path = entry.map_err(|error| unreadable(directory, error))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(LoadError::Empty { path: directory.to_owned() });
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read(&path).map_err(|error| unreadable(&path, error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = serde_json::from_slice(&text);
        file.map(|file| (name, file)).map_err(|error| LoadError::Broken { path, error })
    };
    paths.into_iter().map(read).collect()
}

/// A vector file as it is written: the same content always gives the same bytes.
#[must_use]
pub fn text(file: &VectorFile) -> String {
    // What consists of maps with keys of text can always be written.
    let mut text = serde_json::to_string_pretty(file).unwrap_or_default();
    text.push('\n');
    text
}
