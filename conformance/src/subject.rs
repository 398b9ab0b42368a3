//! The project's own core behind the interface of the runner
//! (`conformance/vectors/README.md`): one answer for each request.

mod advertisement;
mod dtls;
mod identity;
mod message;
mod negotiation;
mod provider;

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use dtls::{Action, Endpoint, Extension, Happened, Settings, Side, Step};
pub use provider::{
    Either, Kind, Scripted, SubjectProvider, UsedUp, choose, provider, provider_of,
};

/// What a request asks for.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
enum Operation {
    Decode(identity::Decode),
    Verify(identity::Verify),
    Issue(identity::Issue),
    Trust(identity::Decide),
    Advertise(advertisement::Advertise),
    OpenAdvertisement(advertisement::Open),
    Freshness(advertisement::Freshness),
    Request(negotiation::Begin),
    Respond(negotiation::Respond),
    Finish(negotiation::Finish),
    Reassemble(negotiation::Reassemble),
    Dtls(dtls::Transcript),
}

/// What becomes of a request, if it is not carried out.
enum Failure {
    /// The input was refused, as the specification demands; with what else there
    /// is to say.
    Refused(String, Map<String, Value>),
    /// The request itself makes no sense.
    Request(String),
}

impl Failure {
    fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into(), Map::new())
    }

    fn refused_with(reason: impl Into<String>, field: &str, value: impl Into<Value>) -> Self {
        Self::Refused(reason.into(), Map::from_iter([(field.to_owned(), value.into())]))
    }

    fn request(error: impl core::fmt::Display) -> Self {
        Self::Request(error.to_string())
    }
}

/// The answer to one line of the runner's.
#[must_use]
pub fn answer_line(line: &str) -> Value {
    match serde_json::from_str(line) {
        Ok(request) => answer(request),
        Err(error) => json!({ "error": format!("not a JSON object: {error}") }),
    }
}

/// The answer to one request.
#[must_use]
pub fn answer(request: Value) -> Value {
    let parsed = serde_json::from_value(request).map_err(Failure::request);
    match parsed.and_then(carry_out) {
        Ok(result) => json!({ "accepted": result }),
        Err(Failure::Refused(reason, mut more)) => {
            more.insert("refused".to_owned(), reason.into());
            Value::Object(more)
        }
        Err(Failure::Request(error)) => json!({ "error": error }),
    }
}

fn carry_out(operation: Operation) -> Result<Value, Failure> {
    match operation {
        Operation::Decode(request) => request.carry_out(),
        Operation::Verify(request) => request.carry_out(),
        Operation::Issue(request) => request.carry_out(),
        Operation::Trust(request) => request.carry_out(),
        Operation::Advertise(request) => request.carry_out(),
        Operation::OpenAdvertisement(request) => request.carry_out(),
        Operation::Freshness(request) => Ok(request.carry_out()),
        Operation::Request(request) => request.carry_out(),
        Operation::Respond(request) => request.carry_out(),
        Operation::Finish(request) => request.carry_out(),
        Operation::Reassemble(request) => Ok(request.carry_out()),
        Operation::Dtls(request) => request.carry_out(),
    }
}

/// The part of `buffer` that was written.
fn written(buffer: &[u8], length: usize) -> &[u8] {
    buffer.get(..length).unwrap_or_default()
}
