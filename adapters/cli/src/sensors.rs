//! Sensors: what this computer can measure of itself.

use std::ffi::OsStr;

use sysinfo::{Components, Networks, System};

use crate::value::{self, Value};

/// What a sensor measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// How many processes were ready to run, on average over the last minute.
    Load,
    /// The memory in use, in bytes.
    Memory,
    /// A temperature, in degrees Celsius.
    Temperature {
        /// The name of the thermometer, as the system calls it; the first one
        /// that shows something if not given.
        component: Option<String>,
    },
    /// The bytes received since the network interfaces came up.
    BytesReceived {
        /// The one interface to count; all of them, the loopback included, if
        /// not given.
        interface: Option<String>,
    },
    /// The bytes sent since the network interfaces came up.
    BytesSent {
        /// As in [`Source::BytesReceived`].
        interface: Option<String>,
    },
    /// The time since the computer was started, in seconds.
    Uptime,
}

/// Why a sensor has no value now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not available: {0}")]
pub struct NotAvailable(String);

impl Source {
    /// The unit of the values: the symbol of SenML (RFC 8428 section 12.1, and
    /// RFC 8798 for bytes), empty if they have none.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::Load => "",
            Self::Memory | Self::BytesReceived { .. } | Self::BytesSent { .. } => "B",
            Self::Temperature { .. } => "Cel",
            Self::Uptime => "s",
        }
    }

    /// Measures.
    ///
    /// # Errors
    /// [`NotAvailable`] if this computer can't measure it, or doesn't let this
    /// program.
    pub fn read(&self) -> Result<Value, NotAvailable> {
        match self {
            Self::Load => System::load_average().map(|load| Value::Float(load.one)).map_err(failed),
            Self::Memory => {
                let mut system = System::new().map_err(failed)?;
                system.refresh_memory();
                Ok(value::count(system.used_memory()))
            }
            Self::Temperature { component } => temperature(component.as_deref()),
            Self::BytesReceived { interface } => {
                traffic(interface.as_deref(), sysinfo::NetworkData::total_received)
            }
            Self::BytesSent { interface } => {
                traffic(interface.as_deref(), sysinfo::NetworkData::total_transmitted)
            }
            Self::Uptime => System::uptime().map(value::count).map_err(failed),
        }
    }
}

fn failed(error: sysinfo::Error) -> NotAvailable {
    NotAvailable(error.to_string())
}

fn temperature(name: Option<&str>) -> Result<Value, NotAvailable> {
    let components = Components::new_with_refreshed_list().map_err(failed)?;
    components
        .iter()
        .filter(|component| name.is_none_or(|name| component.label() == name))
        .find_map(sysinfo::Component::temperature)
        .filter(|celsius| celsius.is_finite())
        .map(|celsius| Value::Float(celsius.into()))
        .ok_or_else(|| {
            NotAvailable(match name {
                Some(name) => format!("this computer has no thermometer '{name}'"),
                None => "this computer has no thermometer".to_owned(),
            })
        })
}

fn traffic(
    interface: Option<&str>,
    count: fn(&sysinfo::NetworkData) -> u64,
) -> Result<Value, NotAvailable> {
    let networks = Networks::new_with_refreshed_list().map_err(failed)?;
    match interface {
        None => Ok(value::count(networks.values().map(count).fold(0, u64::saturating_add))),
        Some(name) => networks
            .get(OsStr::new(name))
            .map(|data| value::count(count(data)))
            .ok_or_else(|| NotAvailable(format!("there is no network interface '{name}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_measures_itself() {
        assert!(matches!(Source::Load.read(), Ok(Value::Float(load)) if load >= 0.0));
        assert!(matches!(Source::Memory.read(), Ok(Value::Integer(bytes)) if bytes > 1 << 20));
        assert!(matches!(Source::Uptime.read(), Ok(Value::Integer(seconds)) if seconds >= 0));
        let received = Source::BytesReceived { interface: None };
        assert!(matches!(received.read(), Ok(Value::Integer(bytes)) if bytes >= 0));
    }

    #[test]
    fn what_is_sent_to_oneself_is_received() {
        let lo = || Some("lo".to_owned());
        let sent = Source::BytesSent { interface: lo() };
        let Ok(Value::Integer(before)) = sent.read() else {
            return; // A sandbox without loopback.
        };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
        let Ok(Value::Integer(after)) = sent.read() else { panic!("loopback went away") };
        assert!(after - before >= 1000, "{before} {after}");
    }

    #[test]
    fn what_is_not_there_is_said_to_be_not_available() {
        let error = Source::Temperature { component: Some("kettle".into()) }.read().unwrap_err();
        assert!(error.to_string().starts_with("not available: "), "{error}");
        let error = Source::BytesSent { interface: Some("eth999".into()) }.read().unwrap_err();
        assert_eq!(error.to_string(), "not available: there is no network interface 'eth999'");
    }
}
