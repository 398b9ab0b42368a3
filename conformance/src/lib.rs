//! The proof that an implementation does what `SPEC.md` says.
//!
//! | module | what it is |
//! |---|---|
//! | [`vectors`] | the reference vectors: their format, generator and runner |
//! | [`subject`] | the project's own core behind the runner's interface |
//! | [`hex`] | byte strings in JSON |

pub mod hex;
pub mod subject;
pub mod vectors;
