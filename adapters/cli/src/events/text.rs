//! Events in words.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use super::{DeviceRow, Event, ReadingRow, Scalar, SentRow, Who};

/// How an event is to be taken, for its color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It is as it should be.
    Good,
    /// Somebody should look.
    Warning,
    /// Something is wrong.
    Bad,
    /// The daily round.
    Plain,
}

impl Event {
    /// How it is to be taken.
    #[must_use]
    pub fn tone(&self) -> Tone {
        match self {
            Self::Connected { .. } | Self::Negotiated { .. } => Tone::Good,
            Self::CommandStatus { state, .. } if state == "done" => Tone::Good,
            Self::Presence { state, .. } if state == "connected" => Tone::Good,
            Self::Alert { .. } | Self::AlertRaised { .. } | Self::CommandStatus { .. } => {
                Tone::Warning
            }
            Self::Failed { .. }
            | Self::Disconnected { .. }
            | Self::Refused { .. }
            | Self::RequestFailed { .. }
            | Self::Revoked { .. }
            | Self::Problem { .. } => Tone::Bad,
            Self::Presence { .. } => Tone::Bad,
            _ => Tone::Plain,
        }
    }

    /// Whether it says nothing to people that the next event doesn't.
    #[must_use]
    pub const fn is_detail(&self) -> bool {
        matches!(self, Self::Negotiated { exchange: None, .. })
    }

    /// What to do about it, if anything.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        match self {
            Self::Disconnected { advice, .. }
            | Self::Failed { advice, .. }
            | Self::Refused { advice, .. } => advice.as_deref(),
            _ => None,
        }
    }
}

impl Display for Event {
    /// One sentence without a full stop; tables have a line for each entry. The
    /// advice is not in it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { party, ports, looks_for } => {
                write!(f, "{party} runs")?;
                let services =
                    [("negotiation", &ports.negotiation), ("discovery", &ports.discovery)];
                for (name, addresses) in services {
                    if let Some(address) = addresses.first() {
                        write!(f, ", {name} on port {}", address.port())?;
                    }
                }
                if looks_for.is_empty() { Ok(()) } else { write!(f, "; looks for {looks_for}") }
            }
            Self::Negotiated { peer, exchange: None } => write!(f, "key negotiated with {peer}"),
            Self::Negotiated { peer, exchange: Some(exchange) } => write!(
                f,
                "key negotiated with {peer}: {} bytes in {} datagrams",
                exchange.bytes_sent.saturating_add(exchange.bytes_received),
                exchange.datagrams_sent.saturating_add(exchange.datagrams_received)
            ),
            Self::Connected { peer, replaced: false } => write!(f, "connected with {peer}"),
            Self::Connected { peer, replaced: true } => {
                write!(f, "connected with {peer} under a new key")
            }
            Self::Disconnected { peer, reason, .. } => {
                write!(f, "no longer connected with {peer}: {reason}")
            }
            Self::Failed { reason, .. } => write!(f, "could not connect: {reason}"),
            Self::Refused { peer: Some(peer), reason, .. } => write!(f, "refuses {peer}: {reason}"),
            Self::Refused { peer: None, reason, .. } => write!(f, "refuses somebody: {reason}"),
            Self::Presence { gateway, device, state, reason } => {
                write!(f, "{device} {state} at {}", gateway.label())?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, ": {reason}"))
            }
            Self::DataRequested { readings, .. } => {
                f.write_str("asked for data, answers ")?;
                list(f, readings)
            }
            Self::Readings { device, readings } => {
                write!(f, "{}: ", device.label())?;
                list(f, readings)
            }
            Self::Woke => f.write_str("woke up, and asks its gateway what is waiting"),
            Self::AlertRaised { severity, reading, text, .. } => {
                alert(f, format_args!("raises a {severity}"), reading, text)
            }
            Self::AlertDelivered { alert } => write!(f, "alert {alert} is delivered"),
            Self::Alert { device, severity, reading, text } => {
                alert(f, format_args!("{severity} from {}", device.label()), reading, text)
            }
            Self::Commanded { label, argument } => write!(f, "is commanded: {label} {argument}"),
            Self::CommandSent { device, request } => {
                write!(f, "command {request} is on its way to {}", device.label())
            }
            Self::CommandStatus { device, request, state, result } => {
                write!(f, "command {request}")?;
                if let Some(device) = device {
                    write!(f, " to {}", device.label())?;
                }
                write!(f, ": {state}")?;
                result.as_ref().map_or(Ok(()), |result| write!(f, ", now {result}"))
            }
            Self::RequestFailed { device, request, reason } => {
                write!(f, "request {request}")?;
                if let Some(device) = device {
                    write!(f, " to {}", device.label())?;
                }
                write!(f, " failed: {reason}")
            }
            Self::Revoked { party, name } => {
                write!(f, "{} is revoked", name.as_ref().unwrap_or(party))
            }
            Self::NetworkKeys { added, retired } => {
                f.write_str("network keys:")?;
                words(f, " added", added)?;
                words(f, " retired", retired)
            }
            Self::TrustChanged { file, added, removed, revocations } => {
                write!(f, "{file} taken over:")?;
                words(f, " now trusts", added)?;
                words(f, " no longer trusts", removed)?;
                match revocations {
                    0 if added.is_empty() && removed.is_empty() => f.write_str(" the same parties"),
                    0 => Ok(()),
                    1 => f.write_str(" one more revocation"),
                    more => write!(f, " {more} more revocations"),
                }
            }
            Self::Problem { problem } => f.write_str(problem),
            Self::Devices { devices } => device_table(f, devices),
            Self::Gateways { gateways } => gateway_list(f, gateways),
            Self::Help { text } => f.write_str(text.trim_end()),
            Self::Traffic { sent, dropped } => traffic_table(f, sent, dropped),
            Self::Stopped => f.write_str("stopped; all sessions are closed"),
        }
    }
}

fn list(f: &mut Formatter<'_>, readings: &[ReadingRow]) -> fmt::Result {
    for (index, reading) in readings.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}{reading}")?;
    }
    if readings.is_empty() { f.write_str("nothing") } else { Ok(()) }
}

fn alert(
    f: &mut Formatter<'_>,
    head: fmt::Arguments<'_>,
    reading: &ReadingRow,
    text: &str,
) -> fmt::Result {
    write!(f, "{head}: {reading}")?;
    if text.is_empty() { Ok(()) } else { write!(f, " ({text})") }
}

fn words(f: &mut Formatter<'_>, head: &str, words: &[String]) -> fmt::Result {
    if words.is_empty() { Ok(()) } else { write!(f, "{head} {}", words.join(", ")) }
}

fn gateway_list(f: &mut Formatter<'_>, gateways: &[Who]) -> fmt::Result {
    if gateways.is_empty() {
        return f.write_str("no gateway is connected");
    }
    f.write_str("gateways that are connected:")?;
    gateways.iter().try_for_each(|gateway| write!(f, "\n  {:<20} {}", gateway.label(), gateway.id))
}

fn device_table(f: &mut Formatter<'_>, devices: &[DeviceRow]) -> fmt::Result {
    if devices.is_empty() {
        return f.write_str("no device is known");
    }
    f.write_str("the devices that are known:\n")?;
    write!(f, "  {:<20} {:<8} {:<12} {:<12} last readings", "device", "id", "gateway", "state")?;
    for DeviceRow { device, gateway, state, readings, .. } in devices {
        let gateway = gateway.as_ref().map_or("here", Who::label);
        let id = device.id.get(..8).unwrap_or(&device.id);
        write!(f, "\n  {:<20} {id:<8} {gateway:<12} {state:<12} ", device.label())?;
        if !readings.is_empty() {
            list(f, readings)?;
        }
    }
    Ok(())
}

fn traffic_table(
    f: &mut Formatter<'_>,
    sent: &[SentRow],
    dropped: &BTreeMap<String, u32>,
) -> fmt::Result {
    f.write_str("messages sent, with the bytes of the last one and of its datagram:")?;
    for SentRow { from, to, kind, messages, payload, datagram } in sent {
        write!(f, "\n  {from:<8} → {to:<8} {kind:<16} {messages:>8} × {payload:>4} {datagram:>4}")?;
    }
    for (reason, count) in dropped {
        write!(f, "\n  dropped, {reason}: {count}")?;
    }
    Ok(())
}

impl Display for ReadingRow {
    /// Bytes are scaled, and the unit follows the value.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.label)?;
        match &self.value {
            Scalar::Integer(bytes) if self.unit == "B" => scaled(f, *bytes),
            value => {
                value.fmt(f)?;
                if self.unit.is_empty() { Ok(()) } else { write!(f, " {}", self.unit) }
            }
        }
    }
}

impl Display for Scalar {
    /// Fractions are rounded to two digits.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => write!(f, "{value:.2}"),
            // What came over the network must not move the cursor.
            Self::Text(text) => text.escape_debug().fmt(f),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "it is rounded anyway")]
fn scaled(f: &mut Formatter<'_>, bytes: i64) -> fmt::Result {
    const UNITS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let number = bytes as f64;
    match UNITS.into_iter().find(|(least, _)| number.abs() >= *least) {
        Some((divisor, unit)) => write!(f, "{:.2} {unit}", number / divisor),
        None => write!(f, "{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(value: Scalar, unit: &str) -> String {
        ReadingRow { label: "x".into(), value, unit: unit.into(), time: None }.to_string()
    }

    #[test]
    fn readings_are_shown_as_people_write_them() {
        assert_eq!(reading(Scalar::Integer(999), "B"), "x 999 B");
        assert_eq!(reading(Scalar::Integer(1_834_123_264), "B"), "x 1.83 GB");
        assert_eq!(reading(Scalar::Float(0.516), ""), "x 0.52");
        assert_eq!(reading(Scalar::Integer(5), "s"), "x 5 s");
        assert_eq!(reading(Scalar::Text("a\u{1b}[2J".into()), ""), "x a\\u{1b}[2J");
    }
}
