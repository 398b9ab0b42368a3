//! A client and a server in virtual time, over a network that loses, repeats,
//! reorders and damages datagrams. The two are driven by the deadlines that they
//! advertise, and by nothing else.

mod adversary;
mod lossy;
mod world;
