//! What can be typed while a gateway or a cloud runs.

use iot_crypto::identity::PartyId;
use iot_crypto::transmission::{Label, OwnedLabel, OwnedValue};

use crate::value;

/// What the answer to `help` says, also a part of `--help`.
pub(crate) const HELP: &str = "\
Commands, typed while it runs:
  devices                      The devices, and their last readings
  read DEVICE [LABEL…]         Ask a device for readings; for all, without a label
  command DEVICE LABEL VALUE   Command a device
  help                         This
  quit                         Close all sessions and end

DEVICE is a name, or the first digits of an id. Put quotation marks around what has
spaces. VALUE is true or false, a number, or a text; in quotation marks it is a text.";

/// What the cloud's answer to `help` says besides.
pub(crate) const CLOUD_HELP: &str = "
A cloud has these as well:
  gateways                     The gateways that are connected
  revoke REVOCATION            Take a revocation (a file, or the text itself), and
                               spread it to all gateways";

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Help,
    Devices,
    Gateways,
    Read { device: String, labels: Vec<OwnedLabel> },
    Act { device: String, label: OwnedLabel, value: OwnedValue },
    Revoke(String),
    Quit,
}

/// What to do after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    Stop,
}

/// A word of a line; what was quoted is a text even if it looks like a number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    quoted: bool,
}

impl Command {
    /// Reads a line; the error says what to write instead.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let words = words(line)?;
        let mut rest = words.iter();
        let verb = rest.next().map(|word| word.text.as_str()).unwrap_or_default();
        let arguments = rest.as_slice();
        match (verb, arguments) {
            ("help" | "?", []) => Ok(Self::Help),
            ("devices", []) => Ok(Self::Devices),
            ("gateways", []) => Ok(Self::Gateways),
            ("quit" | "exit", []) => Ok(Self::Quit),
            ("revoke", [revocation]) => Ok(Self::Revoke(revocation.text.clone())),
            ("read", [device, labels @ ..]) => Ok(Self::Read {
                device: device.text.clone(),
                labels: labels.iter().map(label).collect::<Result<_, _>>()?,
            }),
            ("command", [device, name, argument]) => Ok(Self::Act {
                device: device.text.clone(),
                label: label(name)?,
                value: match argument.quoted {
                    true => OwnedValue::Text(argument.text.clone()),
                    false => value::parse(&argument.text),
                },
            }),
            ("read", _) => Err("write: read DEVICE [LABEL…]".to_owned()),
            ("command", _) => Err("write: command DEVICE LABEL VALUE".to_owned()),
            ("revoke", _) => Err("write: revoke FILE".to_owned()),
            _ => Err(format!("'{verb}' is not a command that is known here; type help")),
        }
    }
}

/// The one device that is meant: by its name, or by the first digits of its id.
pub(super) fn find<'a>(
    devices: impl Iterator<Item = (PartyId, &'a str)>,
    wanted: &str,
) -> Result<PartyId, String> {
    let mut named = Vec::new();
    let mut numbered = Vec::new();
    for (id, name) in devices {
        if name == wanted {
            named.push(id);
        }
        if wanted.len() >= 4 && id.to_string().starts_with(&wanted.to_lowercase()) {
            numbered.push(id);
        }
    }
    match (named.as_slice(), numbered.as_slice()) {
        ([one], _) | ([], [one]) => Ok(*one),
        ([], []) => Err(format!("no device '{wanted}' is known; type devices")),
        ([], several) | (several, _) => {
            let ids: Vec<_> = several.iter().map(ToString::to_string).collect();
            Err(format!(
                "several devices are called '{wanted}'; give one of their ids: {}",
                ids.join(", ")
            ))
        }
    }
}

fn label(word: &Word) -> Result<OwnedLabel, String> {
    Label::parse(&word.text)
        .map(Into::into)
        .ok_or_else(|| format!("'{}' is not a label: it has 1 to 16 bytes", word.text))
}

fn words(line: &str) -> Result<Vec<Word>, String> {
    let mut words: Vec<Word> = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (text, quoted, after) = match rest.strip_prefix('"') {
            Some(inner) => {
                let (text, after) =
                    inner.split_once('"').ok_or("a quotation mark is missing at the end")?;
                (text, true, after)
            }
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                (text, false, after)
            }
        };
        words.push(Word { text: text.to_owned(), quoted });
        rest = after.trim_start();
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_their_quotation_marks() {
        let text = |text: &str| OwnedLabel::Text(text.to_owned());
        assert_eq!(Command::parse(" devices "), Ok(Command::Devices));
        assert_eq!(
            Command::parse("read \"boiler room\" \"my load\" temperature"),
            Ok(Command::Read {
                device: "boiler room".to_owned(),
                labels: vec![text("my load"), OwnedLabel::Number(1)],
            })
        );
        let command = |value| Command::Act { device: "lamp".into(), label: text("on"), value };
        assert_eq!(Command::parse("command lamp on true"), Ok(command(OwnedValue::Bool(true))));
        assert_eq!(
            Command::parse("command lamp on \"true\""),
            Ok(command(OwnedValue::Text("true".into())))
        );
    }

    #[test]
    fn a_line_that_is_no_command_says_what_to_write() {
        for (line, hint) in [
            ("frobnicate", "type help"),
            ("devices all", "type help"),
            ("read", "read DEVICE"),
            ("command lamp", "command DEVICE LABEL VALUE"),
            ("read \"lamp", "quotation mark"),
            ("read lamp seventeen-bytes-!", "1 to 16 bytes"),
        ] {
            let error = Command::parse(line).unwrap_err();
            assert!(error.contains(hint), "{line}: {error}");
        }
    }

    #[test]
    fn a_device_is_found_by_its_name_or_the_beginning_of_its_id() {
        let devices =
            [(PartyId([0x11; 16]), "a"), (PartyId([0x12; 16]), "b"), (PartyId([0x12; 16]), "c")];
        let find = |wanted| find(devices.into_iter(), wanted);
        assert_eq!(find("a"), Ok(PartyId([0x11; 16])));
        assert_eq!(find("1111"), Ok(PartyId([0x11; 16])));
        assert!(find("1").unwrap_err().contains("no device"));
        assert!(find("1212").unwrap_err().contains("several"));
        let same = [(PartyId([1; 16]), "x"), (PartyId([2; 16]), "x")];
        assert!(super::find(same.into_iter(), "x").unwrap_err().contains(&"02".repeat(16)));
    }
}
