//! Clients and a server in virtual time, over a network that loses, repeats,
//! reorders and damages datagrams. All are driven by the deadlines that they
//! advertise, and by nothing else.

mod adversary;
mod handshake;
mod keys;
mod limits;
mod lossy;
mod world;
