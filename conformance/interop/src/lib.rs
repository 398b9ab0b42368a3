//! Our DTLS against other implementations of it: OpenSSL, GnuTLS, Mbed TLS and
//! wolfSSL, each as client and as server, over sockets on the loopback interface.
//!
//! | module | what it is |
//! |---|---|
//! | [`matrix`] | every cell (a peer, a direction, a case), and the table of their results |
//! | [`case`] | what is tried in a cell |
//! | [`pair`](mod@pair) | an end of ours and one of a peer, with a relay between them |
//! | [`ours`] | our end |
//! | [`peer`] | the peer's end, on a socket of its own |
//! | [`relay`] | carries datagrams, loses, repeats and delays some, and counts what passes |
//! | [`traffic`] | what can be seen of DTLS on the way |
//!
//! All three turn in one thread and one loop, on sockets that never block, so that
//! nothing waits but for a timer of DTLS.

pub mod case;
pub mod matrix;
pub mod ours;
pub mod pair;
pub mod peer;
pub mod relay;
pub mod traffic;
