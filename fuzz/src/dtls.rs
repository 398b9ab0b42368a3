//! What the targets for DTLS share: the sides, each beside its twin; records as an
//! attacker writes them; and the world in which they meet.

mod record;
mod side;
mod twin;
mod world;

pub(crate) use record::count as count_records;
pub(crate) use world::{Server, Twins, World};
