//! What a device tells its application.

use crate::connection::NetworkKeyId;
use crate::identity::PartyId;
use crate::transmission::{ErrorCode, Label, MAX_ITEMS, MessageId, Ticket, Value};
use crate::uplink::{Disconnection, Failure};

/// What happened to a device.
#[derive(Clone, Debug, PartialEq)]
pub enum DeviceEvent<'a> {
    /// A gateway was verified, and a session key negotiated with it.
    Negotiated {
        /// The gateway.
        gateway: PartyId,
    },
    /// A session with a gateway stands.
    Connected {
        /// The gateway.
        gateway: PartyId,
        /// Whether it replaced a session with the same or another gateway.
        replaced: bool,
    },
    /// The session ended. The device looks for a new one by itself.
    Disconnected {
        /// The gateway.
        gateway: PartyId,
        /// Why.
        reason: Disconnection,
    },
    /// An attempt to get a session failed. The next one follows by itself.
    Failed(Failure),
    /// The gateway asks for readings; to be answered by
    /// [`Device::respond`](super::Device::respond).
    DataRequest {
        /// What to answer to.
        request: Ticket,
        /// What is asked for; nothing asks for everything that there is.
        labels: Labels<'a>,
    },
    /// The gateway commands; to be answered by
    /// [`Device::report`](super::Device::report). It arrives once, however often
    /// it was sent.
    Command {
        /// What to answer to.
        request: Ticket,
        /// What is to be changed.
        label: Label<'a>,
        /// To what.
        argument: Value<'a>,
    },
    /// An alert has arrived, and the gateway has taken charge of it.
    AlertDelivered(MessageId),
    /// The gateway does not want this alert.
    AlertRefused(MessageId, ErrorCode),
    /// The gateway handed out a network key, which is preferred from now on. A
    /// device with a store saves [`Party::network`](crate::party::Party::network).
    NetworkKeyReceived(NetworkKeyId),
    /// Somebody was revoked. A device with a store saves
    /// [`Party::trust`](crate::party::Party::trust).
    Revoked(PartyId),
    /// Nothing is waiting for the device at the gateway: a sleepy device may
    /// sleep until its deadline or its next alert.
    MaySleep,
}

/// The labels of a data request, at most [`MAX_ITEMS`]. They can be copied, and
/// need no destructor, so that the device can be used while they are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Labels<'a> {
    labels: [Label<'a>; MAX_ITEMS],
    count: usize,
}

impl<'a> Labels<'a> {
    pub(super) fn new(labels: &[Label<'a>]) -> Self {
        let mut array = [Label::Number(0); MAX_ITEMS];
        for (place, label) in array.iter_mut().zip(labels) {
            *place = *label;
        }
        Self { labels: array, count: labels.len().min(MAX_ITEMS) }
    }
}

impl<'a> core::ops::Deref for Labels<'a> {
    type Target = [Label<'a>];

    fn deref(&self) -> &[Label<'a>] {
        self.labels.get(..self.count).unwrap_or_default()
    }
}

/// What is to be told, without anything that is borrowed.
#[derive(Clone, Copy)]
pub(super) enum Notice {
    Negotiated(PartyId),
    Connected { gateway: PartyId, replaced: bool },
    Disconnected { gateway: PartyId, reason: Disconnection },
    Failed(Failure),
    AlertDelivered(MessageId),
    AlertRefused(MessageId, ErrorCode),
    NetworkKeyReceived(NetworkKeyId),
    Revoked(PartyId),
    MaySleep,
}

impl Notice {
    /// The event that tells it.
    pub(super) fn event(self) -> DeviceEvent<'static> {
        match self {
            Self::Negotiated(gateway) => DeviceEvent::Negotiated { gateway },
            Self::Connected { gateway, replaced } => DeviceEvent::Connected { gateway, replaced },
            Self::Disconnected { gateway, reason } => DeviceEvent::Disconnected { gateway, reason },
            Self::Failed(failure) => DeviceEvent::Failed(failure),
            Self::AlertDelivered(id) => DeviceEvent::AlertDelivered(id),
            Self::AlertRefused(id, code) => DeviceEvent::AlertRefused(id, code),
            Self::NetworkKeyReceived(id) => DeviceEvent::NetworkKeyReceived(id),
            Self::Revoked(party) => DeviceEvent::Revoked(party),
            Self::MaySleep => DeviceEvent::MaySleep,
        }
    }
}
