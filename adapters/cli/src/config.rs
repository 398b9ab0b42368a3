//! The configuration of the three roles: TOML files that people write.
//!
//! Names of files in them are relative to the directory that the configuration
//! is in. What is not known is refused, and every mistake is told with its place
//! and with what to do about it, all of them at once as far as that is possible.

mod cloud;
mod device;
mod field;
mod gateway;
mod party;
mod service;

pub use cloud::CloudConfig;
pub use device::{
    ActuatorConfig, AlertConfig, Clock, DeviceConfig, Limits, Listen, SensorConfig, Severity,
};
pub use gateway::{Advertise, CloudLink, GatewayConfig, Poll};
pub use party::Party;
pub use service::{Cookies, Rotation, Service};

/// The port that devices hear advertisements on, if nothing else is said.
pub const DISCOVERY_PORT: u16 = 4440;
/// The greatest length of an IP packet, in bytes, if nothing else is said: what
/// every IPv6 link takes.
pub const PATH_MTU: u16 = 1280;
