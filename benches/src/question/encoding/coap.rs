//! CoAP (RFC 7252): the messages as requests to resources, and their responses.
//!
//! | ours | CoAP |
//! |---|---|
//! | data request for one label | CON, GET of the label's resource |
//! | data response | ACK, 2.05 Content, with the readings |
//! | command | CON, PUT of the value to the label's resource |
//! | command status *done* | ACK, 2.04 Changed |
//! | alert | CON, POST to `alerts` |
//! | acknowledgement of it | ACK, 2.01 Created |
//!
//! A label's resource has its name, in one Uri-Path option. The id of ours is the token,
//! of two bytes, and the message id too. There is a Content-Format option where there is a
//! body, and no Accept, as where a resource has one format. CoAP has no field for
//! *nothing-waiting*, which is always true here, and none for a lifetime.
//!
//! Options and payload are by a library that works in place; the header and the token in
//! front of them (section 3) are not part of it.

mod plain;
mod senml;

use std::sync::LazyLock;

use anyhow::{Context as _, anyhow, bail, ensure};
use coap_message::{MinimalWritableMessage as _, MutableWritableMessage as _};
use coap_message_implementations::inmemory::{MessageMut, WriteError};
use coap_message_implementations::option_iteration::{OptItem, OptPayloadReader};
use coap_numbers::{code, option};
use heapless::Vec;
use iot_crypto::transmission::{Body, CommandState, Kind, Label, Message, MessageId};

use super::Encoding;

pub(super) use plain::Cbor;
pub(super) use senml::{SenmlCbor, SenmlJson};

/// What a body is written in.
pub(super) trait Format {
    /// What CoAP with it is called.
    const NAME: &'static str;
    /// Its number in the registry of content formats.
    const NUMBER: u16;

    /// Writes what the body of a message says at the start of `buffer`; gives the length.
    fn write(body: &Body<'_>, asked: Option<Label<'_>>, buffer: &mut [u8])
    -> anyhow::Result<usize>;

    /// Reads the body of a message of this kind. `label` is that of its resource, if it is
    /// known.
    fn read<'a>(
        kind: Kind,
        label: Option<Label<'a>>,
        payload: &'a [u8],
    ) -> anyhow::Result<Body<'a>>;
}

/// CoAP, with bodies in that format.
pub(super) struct Coap<F>(pub(super) F);

/// The first byte: version 1, the type, and a token of two bytes.
const CONFIRMABLE: u8 = 0x42;
const ACKNOWLEDGEMENT: u8 = 0x62;
/// The resource that alerts are posted to.
const ALERTS: &str = "alerts";

impl<F: Format> Encoding for Coap<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn encode(
        &self,
        message: &Message<'_>,
        asked: Option<Label<'_>>,
        buffer: &mut [u8],
    ) -> anyhow::Result<usize> {
        ensure!(message.subject.is_none(), "no subject is measured");
        let [id, last] = u16::try_from(message.id.0)?.to_be_bytes();
        let header = [ACKNOWLEDGEMENT, code::EMPTY, id, last, id, last];
        let (head, tail) = buffer.split_first_chunk_mut().context("the buffer is too small")?;
        *head = header;
        let [kind, code, ..] = head;
        let mut out = MessageMut::new_in_slice(code, tail);
        let has_body = match &message.body {
            Body::DataRequest { labels, nothing_waiting: true } => {
                let [label] = labels.as_slice() else { bail!("a GET is for one resource") };
                *kind = CONFIRMABLE;
                out.set_code(code::GET);
                out.add_option_str(option::URI_PATH, name(*label)?).map_err(unwritable)?;
                false
            }
            Body::DataResponse { .. } => {
                out.set_code(code::CONTENT);
                true
            }
            Body::Command { label, nothing_waiting: true, lifetime: None, .. } => {
                *kind = CONFIRMABLE;
                out.set_code(code::PUT);
                out.add_option_str(option::URI_PATH, name(*label)?).map_err(unwritable)?;
                true
            }
            Body::CommandStatus { state: CommandState::Done, result: None } => {
                out.set_code(code::CHANGED);
                false
            }
            Body::Alert { .. } => {
                *kind = CONFIRMABLE;
                out.set_code(code::POST);
                out.add_option_str(option::URI_PATH, ALERTS).map_err(unwritable)?;
                true
            }
            Body::Acknowledgement { nothing_waiting: true } => {
                out.set_code(code::CREATED);
                false
            }
            other => bail!("CoAP has no field for what this {} says", other.kind()),
        };
        if has_body {
            out.add_option_uint(option::CONTENT_FORMAT, F::NUMBER).map_err(unwritable)?;
            let room = out.available_space();
            let payload = out.payload_mut_with_len(room).map_err(unwritable)?;
            let length = F::write(&message.body, asked, payload)?;
            out.truncate(length).map_err(unwritable)?;
        }
        let (length, _) = out.finish();
        Ok(header.len() + length)
    }

    fn decode<'a>(&self, bytes: &'a [u8], asked: Option<Label<'a>>) -> anyhow::Result<Message<'a>> {
        let [kind, code, _, _, id, last, tail @ ..] = bytes else { bail!("it is too short") };
        let id = MessageId(u16::from_be_bytes([*id, *last]).into());
        let Tail { path, format, payload } = Tail::read(tail)?;
        let body = |kind, label| {
            ensure!(format == Some(F::NUMBER), "the body is in another format");
            F::read(kind, label, payload)
        };
        let label = || Label::parse(path.context("no path")?).context("no label");
        let body = match (*kind, *code) {
            (CONFIRMABLE, code::GET) => {
                Body::DataRequest { labels: Vec::from_iter([label()?]), nothing_waiting: true }
            }
            (ACKNOWLEDGEMENT, code::CONTENT) => body(Kind::DataResponse, asked)?,
            (CONFIRMABLE, code::PUT) => body(Kind::Command, Some(label()?))?,
            (ACKNOWLEDGEMENT, code::CHANGED) => {
                Body::CommandStatus { state: CommandState::Done, result: None }
            }
            (CONFIRMABLE, code::POST) if path == Some(ALERTS) => body(Kind::Alert, None)?,
            (ACKNOWLEDGEMENT, code::CREATED) => Body::Acknowledgement { nothing_waiting: true },
            (kind, code) => bail!("a message of type {kind:02x} and code {code:02x}"),
        };
        Ok(Message { id, subject: None, body })
    }
}

fn unwritable(error: WriteError) -> anyhow::Error {
    anyhow!("{error}")
}

/// The name of a label, which its resource has.
fn name(label: Label<'_>) -> anyhow::Result<&str> {
    static NAMES: LazyLock<std::vec::Vec<&str>> =
        LazyLock::new(|| Label::registry().map(|(_, name, _)| name).collect());
    match label {
        Label::Text(text) => Ok(text),
        Label::Number(number) => {
            let name = usize::from(number).checked_sub(1).and_then(|index| NAMES.get(index));
            name.copied().context("a label without a name")
        }
    }
}

/// What follows a token: the options that are used here, and the payload.
#[derive(Default)]
struct Tail<'a> {
    path: Option<&'a str>,
    format: Option<u16>,
    payload: &'a [u8],
}

impl<'a> Tail<'a> {
    fn read(bytes: &'a [u8]) -> anyhow::Result<Self> {
        let mut tail = Self::default();
        for item in OptPayloadReader::new(bytes) {
            match item {
                OptItem::Option { number: option::URI_PATH, data } if tail.path.is_none() => {
                    tail.path = Some(str::from_utf8(data)?);
                }
                OptItem::Option { number: option::CONTENT_FORMAT, data } => {
                    tail.format = Some(match data {
                        [] => 0,
                        [number] => (*number).into(),
                        [high, low] => u16::from_be_bytes([*high, *low]),
                        _ => bail!("a content format of more than two bytes"),
                    });
                }
                OptItem::Option { number, .. } => bail!("option {number} is not used here"),
                OptItem::Payload(payload) => tail.payload = payload,
                OptItem::Error(error) => bail!("{error}"),
            }
        }
        Ok(tail)
    }
}
