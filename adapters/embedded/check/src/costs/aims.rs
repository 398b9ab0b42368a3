//! What the device may cost at most. All of it stands here and nowhere else.

/// The compiler with which sizes are held to their aims, and panics to their list. Another
/// one makes another program of the same source, and may come by itself, as Debian's next:
/// what misses then is told, and is no failure. Who goes over to it sets it here.
pub const COMPILER: &str = "1.96.0";

/// Code, constants and vector table, in bytes.
pub const TEXT: u64 = 102_400;

/// Variables, in bytes.
pub const VARIABLES: u64 = 14_336;

/// The stack at its deepest, in bytes.
pub const STACK: u64 = 10_240;

/// How many times the instructions of its operations with public keys the device's part
/// of a negotiation takes.
pub const NEGOTIATION: f64 = 1.1;

/// How many times the instructions of the AEAD alone a record takes, sealed or opened.
pub const RECORD: f64 = 2.0;
