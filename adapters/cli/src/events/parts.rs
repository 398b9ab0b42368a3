//! What events consist of.

use std::fmt;
use std::net::SocketAddr;

use iot_crypto::identity::{Name, PartyId, Role};
use iot_crypto::transmission::{OwnedReading, OwnedValue};
use serde::{Deserialize, Serialize};

use crate::time::Date;

/// The addresses of a role's local ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Of the key-negotiation service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub negotiation: Vec<SocketAddr>,
    /// Of the transmission service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transmission: Vec<SocketAddr>,
    /// Where advertisements are heard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discovery: Vec<SocketAddr>,
}

/// What a key negotiation cost: UDP payload from the first datagram of the
/// attempt to the one that brought the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
}

/// A party, as events name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Who {
    /// What it is: `device`, `gateway` or `cloud`.
    pub role: String,
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Its name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Who {
    /// A party in a role.
    #[must_use]
    pub fn new(role: Role, id: PartyId, name: Option<&Name>) -> Self {
        Self {
            role: role.to_string(),
            id: id.to_string(),
            name: name.map(|name| name.as_str().to_owned()),
        }
    }

    /// Its name, or else the first digits of its id.
    #[must_use]
    pub fn label(&self) -> &str {
        match &self.name {
            Some(name) => name,
            None => self.id.get(..8).unwrap_or(&self.id),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label() {
            label if label == self.role => f.write_str(label),
            label => write!(f, "{} {label}", self.role),
        }
    }
}

/// A value, as JSON has it; bytes become text in hexadecimal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// Anything else.
    Text(String),
}

impl From<&OwnedValue> for Scalar {
    fn from(value: &OwnedValue) -> Self {
        match value {
            OwnedValue::Bool(value) => Self::Bool(*value),
            OwnedValue::Integer(value) => Self::Integer(*value),
            OwnedValue::Float(value) if value.is_finite() => Self::Float(*value),
            other => Self::Text(other.to_string()),
        }
    }
}

/// A reading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadingRow {
    /// What was measured.
    pub label: String,
    /// The value.
    pub value: Scalar,
    /// The symbol of its unit (RFC 8428 section 12.1); empty if it has none.
    pub unit: String,
    /// When it was measured, if not just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

impl From<&OwnedReading> for ReadingRow {
    fn from(reading: &OwnedReading) -> Self {
        Self {
            label: reading.label.to_string(),
            value: (&reading.value).into(),
            unit: reading.borrow().unit().to_string(),
            time: reading.time.map(|time| Date(time).to_string()),
        }
    }
}

/// A device, in the answer to `devices`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// The device.
    pub device: Who,
    /// Its gateway; none at the gateway itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Who>,
    /// How it stands: `connected`, `disconnected`, `refused` or `unknown` (its
    /// gateway is not connected).
    pub state: String,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Its last reading of each label.
    pub readings: Vec<ReadingRow>,
}

/// What was sent of one kind of message, from whom to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentRow {
    /// The role of those that sent it.
    pub from: String,
    /// The role of those that it was sent to.
    pub to: String,
    /// The kind of message.
    pub kind: String,
    /// How many were sent, repetitions included.
    pub messages: u32,
    /// The length of the last one, in bytes.
    pub payload: u16,
    /// The length of the datagram that carried it, in bytes of UDP payload.
    pub datagram: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_type_and_what_json_has_no_number_for_is_text() {
        let json = |value| serde_json::to_string(&Scalar::from(&value)).unwrap();
        assert_eq!(json(OwnedValue::Integer(2)), "2");
        assert_eq!(json(OwnedValue::Float(2.0)), "2.0");
        assert_eq!(json(OwnedValue::Float(f64::NAN)), "\"NaN\"");
        assert_eq!(json(OwnedValue::Bytes(vec![1, 171])), "\"01ab\"");
    }
}
