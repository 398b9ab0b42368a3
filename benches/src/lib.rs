//! IoT-Crypto beside other implementations of DTLS, on the same work in the same run.
//!
//! | module | what it is |
//! |---|---|
//! | [`measure`] | rounds in which all take turns; medians, spreads and ratios |
//! | [`contestant`] | who is measured: ours with each of its providers, and the peers |
//! | [`echo`] | echoes over sockets, from a process of its own |
//! | [`fleet`] | a gateway and its devices, as many as there are to be |
//! | [`process`] | processes that are measured |
//! | [`question`] | what is measured, and the answers as values |
//! | [`report`] | the answers as tables, as JSON and as pictures |
//! | [`instructions`] | how many instructions it takes, and how many it may |
//! | [`heap`] | how much memory is in use |
//! | [`cli`] | the command line |
//!
//! The peers are those of `conformance/peers`, in this process and this thread, but for
//! the echoes.

pub mod cli;
pub mod contestant;
pub mod echo;
pub mod fleet;
pub mod heap;
pub mod instructions;
pub mod measure;
pub mod process;
pub mod question;
pub mod report;
