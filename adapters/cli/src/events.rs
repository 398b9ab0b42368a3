//! What the running roles tell: one event a line, for people or as JSON.
//!
//! With `--json` each line is one object with the fields `at` (RFC 3339, UTC,
//! milliseconds), `event` (the name of the variant of [`Event`] in snake_case),
//! and the fields of that variant. New events and new fields may come; a script
//! ignores what it does not know.

mod parts;
mod printer;
mod text;

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use parts::{DeviceRow, Exchange, Ports, ReadingRow, Scalar, SentRow, Who};
pub use printer::Printer;
pub use text::Tone;

/// An event with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When, by the clock of this computer.
    #[serde(with = "moment")]
    pub at: SystemTime,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened to a running role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The role runs.
    Started {
        /// Who it is.
        party: Who,
        /// The addresses that its local ports are bound to.
        ports: Ports,
        /// What it looks for, in words; empty for a cloud.
        looks_for: String,
    },
    /// A peer was verified, and a session key negotiated with it.
    Negotiated {
        /// The peer.
        peer: Who,
        /// What the negotiation cost, from the first datagram of the attempt; only
        /// the side that began it knows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exchange: Option<Exchange>,
    },
    /// A session with a peer stands.
    Connected {
        /// The peer.
        peer: Who,
        /// Whether it took the place of another session.
        replaced: bool,
    },
    /// A session ended.
    Disconnected {
        /// The peer.
        peer: Who,
        /// Why.
        reason: String,
        /// What to do about it, if anything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        advice: Option<String>,
    },
    /// An attempt to get a session failed. The next one follows by itself.
    Failed {
        /// Why.
        reason: String,
        /// What to do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        advice: Option<String>,
    },
    /// A party was refused here.
    Refused {
        /// Who it said it was, if its request could be read.
        peer: Option<Who>,
        /// The number that stands for the reason (SPEC.md sections 6.3 and 9.5).
        code: u8,
        /// Why.
        reason: String,
        /// What to do about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        advice: Option<String>,
    },
    /// A gateway tells its cloud that a device came, went or was refused.
    Presence {
        /// The gateway.
        gateway: Who,
        /// The device.
        device: Who,
        /// How it stands now: `connected`, `disconnected` or `refused`.
        state: String,
        /// Why, if it was refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The gateway asks this device for readings, which it answers.
    DataRequested {
        /// For which; for all, if empty.
        labels: Vec<String>,
        /// The readings that it answers with.
        readings: Vec<ReadingRow>,
    },
    /// Readings of a device.
    Readings {
        /// The device.
        device: Who,
        /// The readings.
        readings: Vec<ReadingRow>,
    },
    /// This device sleeps most of the time, and asks its gateway what is waiting.
    Woke,
    /// This device raises an alert, and keeps it until it is delivered.
    AlertRaised {
        /// Its number.
        alert: u32,
        /// How serious it is: `information`, `warning` or `critical`.
        severity: String,
        /// What raised it.
        reading: ReadingRow,
        /// The remark that was configured.
        text: String,
    },
    /// The gateway has taken charge of an alert.
    AlertDelivered {
        /// The number of the alert.
        alert: u32,
    },
    /// An alert of a device has come in.
    Alert {
        /// The device.
        device: Who,
        /// How serious it is.
        severity: String,
        /// What raised it.
        reading: ReadingRow,
        /// The device's remark.
        text: String,
    },
    /// This device was commanded.
    Commanded {
        /// What is to be changed.
        label: String,
        /// To what.
        argument: Scalar,
    },
    /// A command is on its way to a device.
    CommandSent {
        /// The device.
        device: Who,
        /// The number of the request.
        request: u32,
    },
    /// How a command ended.
    CommandStatus {
        /// The device; none at the device itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<Who>,
        /// The number of the request.
        request: u32,
        /// How it ended: `done`, `failed`, `refused`, `unknown` (there is no such
        /// actuator), `expired` or `uncertain`.
        state: String,
        /// What came of it.
        result: Option<Scalar>,
    },
    /// A request was not carried out.
    RequestFailed {
        /// The device that it was for.
        device: Option<Who>,
        /// The number of the request.
        request: u32,
        /// Why.
        reason: String,
    },
    /// Somebody is revoked from now on.
    Revoked {
        /// The id of the party.
        party: String,
        /// Its name, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// The network keys that are accepted have changed.
    NetworkKeys {
        /// The ids of the keys that came.
        added: Vec<String>,
        /// The ids of the keys that went.
        retired: Vec<String>,
    },
    /// A changed trust file is in force from now on.
    TrustChanged {
        /// The file.
        file: String,
        /// The names of the parties that came.
        added: Vec<String>,
        /// The names of the parties that went.
        removed: Vec<String>,
        /// The number of revocations that came.
        revocations: usize,
    },
    /// Something could not be done as it was asked for; all goes on as before.
    Problem {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The devices that are known: the answer to `devices`.
    Devices {
        /// One entry each.
        devices: Vec<DeviceRow>,
    },
    /// The gateways that are connected: the answer to `gateways`.
    Gateways {
        /// One entry each.
        gateways: Vec<Who>,
    },
    /// What can be typed: the answer to `help`.
    Help {
        /// In words.
        text: String,
    },
    /// What was sent so far of each kind of message: the answer to the signal
    /// SIGUSR1.
    Traffic {
        /// One entry for each kind, to those above and to those below.
        sent: Vec<SentRow>,
        /// How much of what came in was dropped, by reason.
        dropped: BTreeMap<String, u32>,
    },
    /// The role has closed its sessions and ends.
    Stopped,
}

/// A time as RFC 3339 has it, in UTC with milliseconds.
mod moment {
    use std::time::SystemTime;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_rfc3339_millis(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_line_of_json_is_flat_and_is_read_as_it_was_written() {
        let event = Event::Readings {
            device: Who { role: "device".into(), id: "00".repeat(16), name: None },
            readings: vec![ReadingRow {
                label: "temperature".into(),
                value: Scalar::Float(21.5),
                unit: "Cel".into(),
                time: None,
            }],
        };
        let line = Line { at: UNIX_EPOCH + Duration::from_millis(1_500), event };
        let text = serde_json::to_string(&line).unwrap();
        let head = r#"{"at":"1970-01-01T00:00:01.500Z","event":"readings","device":{"role":"#;
        assert!(text.starts_with(head), "{text}");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        let stopped = Line { at: UNIX_EPOCH, event: Event::Stopped };
        let text = serde_json::to_string(&stopped).unwrap();
        assert_eq!(text, r#"{"at":"1970-01-01T00:00:00.000Z","event":"stopped"}"#);
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), stopped);
    }
}
