//! The program as its users see it: the built binary, in a directory of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod identity;
mod image;
mod network;
mod trust;
mod world;
