//! DTLS 1.2 (RFC 6347 over RFC 5246) with
//! TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 (RFC 4279, RFC 7905).
//!
//! From the bottom up: [`record`] and [`protection`], with the
//! [`replay`] window; [`message`] and [`hello`], the handshake messages;
//! [`inbox`], [`flight`] and [`timer`], their reliable exchange;
//! [`transcript`] and [`key_schedule`]; [`cookie`]; the two handshakes,
//! [`client`] and [`server`], with the [`peer_finished`]; and what both lead to, [`established`].

pub(crate) mod client;
#[cfg(feature = "alloc")]
pub(crate) mod cookie;
pub(crate) mod ending;
pub(crate) mod established;
pub(crate) mod flight;
pub(crate) mod hello;
pub(crate) mod inbox;
pub(crate) mod key_schedule;
pub(crate) mod message;
pub(crate) mod peer_finished;
pub(crate) mod protection;
pub(crate) mod record;
pub(crate) mod replay;
pub(crate) mod server;
pub(crate) mod timer;
pub(crate) mod transcript;
