//! How a node takes the events of its device, and answers.

use embedded_storage::nor_flash::NorFlash;
use heapless::Vec;
use iot_crypto::crypto::Provider;
use iot_crypto::device::{DeviceEvent, MAX_ANSWER};
use iot_crypto::endpoint::Address;
use iot_crypto::identity::Trust;
use iot_crypto::transmission::{
    AnswerError, CommandState, ErrorCode, Label, MAX_ITEMS, Ticket, Value,
};

use super::Node;
use crate::event::Event;
use crate::handlers::{Handlers, Texts, Unavailable};

/// What is asked for, by the handlers' own labels.
type Wanted = Vec<Label<'static>, MAX_ITEMS>;

impl<P: Provider, A: Address, F: NorFlash, H: Handlers, T: Trust> Node<P, A, F, H, T> {
    pub(super) fn serve_events(&mut self) {
        while let Some(event) = self.device.poll_event() {
            let event = match event {
                DeviceEvent::DataRequest { request, labels } => {
                    match wanted(self.handlers.labels(), &labels) {
                        Some(wanted) => self.answer(request, &wanted),
                        // If the request is no longer open, nobody waits for an answer.
                        None => _ = self.device.reject(request, ErrorCode::UnknownLabel, ""),
                    }
                    continue;
                }
                DeviceEvent::Command { request, label, argument } => {
                    let execution = self.handlers.execute(request, label, argument);
                    if let Some((state, result)) = execution.status() {
                        let reported = self.device.report(request, state, result);
                        self.settle(request, state, reported);
                    }
                    continue;
                }
                DeviceEvent::Negotiated { gateway } => Event::Negotiated { gateway },
                DeviceEvent::Connected { gateway, replaced } => {
                    self.unsaved.note_time();
                    Event::Connected { gateway, replaced }
                }
                DeviceEvent::Disconnected { gateway, reason } => {
                    Event::Disconnected { gateway, reason }
                }
                DeviceEvent::Failed(failure) => Event::Failed(failure),
                DeviceEvent::AlertDelivered(id) => Event::AlertDelivered(id),
                DeviceEvent::AlertRefused(id, code) => Event::AlertRefused(id, code),
                DeviceEvent::NetworkKeyReceived(id) => {
                    self.unsaved.note_network();
                    Event::NetworkKeyReceived(id)
                }
                DeviceEvent::Revoked(party) => {
                    self.unsaved.note_revocations();
                    Event::Revoked(party)
                }
                DeviceEvent::MaySleep => {
                    self.is_awake = false;
                    Event::MaySleep
                }
            };
            self.handlers.observe(&event);
        }
    }

    /// Answers a data request, with as many readings as fit in the answer.
    fn answer(&mut self, request: Ticket, wanted: &[Label<'static>]) {
        let mut room = [0; MAX_ANSWER];
        let mut texts = Texts::new(&mut room);
        let (mut readings, mut problem) = (Vec::<_, MAX_ITEMS>::new(), None);
        for label in wanted {
            match self.handlers.read(*label, &mut texts) {
                Ok(reading) => _ = readings.push(reading),
                Err(unavailable) => problem = Some(unavailable),
            }
        }
        if let (Some(Unavailable(text)), true) = (problem, readings.is_empty()) {
            let _ = self.device.reject(request, ErrorCode::Internal, text);
            return;
        }
        for count in (0..=readings.len()).rev() {
            let fitting = readings.get(..count).unwrap_or_default();
            match self.device.respond(request, fitting) {
                Ok(()) | Err(AnswerError::NotOpen) => return,
                Err(_) => {}
            }
        }
    }

    /// Reports a command without its result if that can't be sent.
    fn settle(&mut self, request: Ticket, state: CommandState, reported: Result<(), AnswerError>) {
        if !matches!(reported, Ok(()) | Err(AnswerError::NotOpen)) {
            let _ = self.device.report(request, state, None::<Value<'_>>);
        }
    }
}

/// The labels of `all` that are asked for; the first ones if nothing is. `None` if
/// one is not among them.
fn wanted(all: &[Label<'static>], asked: &[Label<'_>]) -> Option<Wanted> {
    let mut wanted = Wanted::new();
    if asked.is_empty() {
        wanted.extend_from_slice(all.get(..MAX_ITEMS).unwrap_or(all)).ok()?;
    }
    for label in asked {
        wanted.push(*all.iter().find(|known| *known == label)?).ok()?;
    }
    Some(wanted)
}
