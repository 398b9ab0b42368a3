//! The node: a device with its application and its store, that runs by itself.

mod answers;
mod saving;

use core::time::Duration;

use embedded_storage::nor_flash::NorFlash;
use iot_crypto::connection::{NetworkKey, NetworkKeyId};
use iot_crypto::crypto::Provider;
use iot_crypto::device::{Device, DeviceTrust};
use iot_crypto::endpoint::{Address, Endpoint, LocalPort, Transmit};
use iot_crypto::identity::{PartyId, Trust};
use iot_crypto::party::Party;
use iot_crypto::time::{Deadline, Instant, Reason, UnixTime};
use iot_crypto::transmission::{AnswerError, MessageId, Reading, Refused, Severity, Ticket};
use iot_crypto::uplink::Settings;
use iot_crypto::wire::BufferTooSmall;

use crate::event::Event;
use crate::handlers::{Execution, Handlers, Sender, Upward};
use crate::store::Store;
use saving::Unsaved;

/// A constrained node (RFC 7228 section 2.1): a [`Device`] of the core with all that
/// makes it one, its [`Handlers`] and its [`Store`].
///
/// It is an [`Endpoint`], so that every driver runs it: whatever comes in, it does
/// what there is to do, lets the handlers answer and send, and saves what is to
/// be kept before the gateway is told that it was received. Between two turns of
/// the driver the program may use its methods.
pub struct Node<P: Provider, A: Address, F, H, T: Trust = DeviceTrust> {
    device: Device<P, A, T>,
    store: Store<F>,
    handlers: H,
    /// When the handlers want to send.
    sends: Option<Instant>,
    unsaved: Unsaved,
    is_awake: bool,
}

impl<P: Provider, A: Address, F: NorFlash, H: Handlers, T: Trust> Node<P, A, F, H, T> {
    /// A node that begins, at `now`, to look for its gateway as `settings` say. `party`
    /// is what `store` holds ([`Store::party`]).
    #[inline(never)] // So that it can be made in its place, without a copy on the stack.
    pub fn new(
        party: Party<P, T>,
        store: Store<F>,
        handlers: H,
        settings: Settings<A>,
        now: Instant,
    ) -> Self {
        let unsaved = Unsaved::nothing_since(party.clock().floor());
        Self {
            device: Device::new(party, settings, now),
            store,
            handlers,
            sends: Some(now),
            unsaved,
            is_awake: true,
        }
    }

    /// The device: its gateway, what it dropped, and what it is.
    pub const fn device(&self) -> &Device<P, A, T> {
        &self.device
    }

    /// The handlers.
    pub const fn handlers(&self) -> &H {
        &self.handlers
    }

    /// The handlers, to be changed. A node whose handlers have something to send is
    /// to be given a [`Endpoint::handle_timeout`].
    pub const fn handlers_mut(&mut self) -> &mut H {
        &mut self.handlers
    }

    /// The verified gateway, while a session with it stands.
    pub fn gateway(&self) -> Option<PartyId> {
        self.device.gateway()
    }

    /// Whether a sleepy device has to stay awake: since [`Node::wake`], or since it
    /// started, until nothing is waiting at the gateway any more.
    pub const fn is_awake(&self) -> bool {
        self.is_awake
    }

    /// As [`Device::alert`].
    ///
    /// # Errors
    /// As there.
    pub fn alert(
        &mut self,
        now: Instant,
        severity: Severity,
        reading: Reading<'_>,
        text: &str,
    ) -> Result<MessageId, Refused> {
        self.device.alert(now, severity, reading, text)
    }

    /// Says how a command ended that took time ([`Execution::Later`]).
    ///
    /// # Errors
    /// As [`Device::report`].
    pub fn report(&mut self, request: Ticket, execution: Execution<'_>) -> Result<(), AnswerError> {
        Upward::report(&mut self.device, request, execution)
    }

    /// As [`Device::wake`]; the node is awake until nothing is waiting.
    ///
    /// # Errors
    /// As there.
    pub fn wake(&mut self, now: Instant) -> Result<MessageId, Refused> {
        self.is_awake = true;
        self.device.wake(now)
    }

    /// Sets the wall time, of a device with a clock; `false` if it lies behind the
    /// last time that was known.
    pub fn set_time(&mut self, now: Instant, time: UnixTime) -> bool {
        let was_taken = self.device.set_time(now, time);
        self.unsaved.note_time();
        self.serve(now);
        was_taken
    }

    /// How much later than the saved one the time has to be until it is saved; an
    /// hour, unless this is called. It bounds how often the flash is written.
    pub fn save_time_every(&mut self, resolution: Duration) {
        self.unsaved.set_resolution(resolution);
    }

    /// Prefers a network key from now on, and saves it.
    pub fn add_network_key(&mut self, now: Instant, key: NetworkKey) {
        self.device.add_network_key(key);
        self.unsaved.note_network();
        self.serve(now);
    }

    /// Accepts a network key no longer; `false` if it was not accepted. It stays
    /// readable on the flash until that is erased (see [`crate::store`]).
    pub fn retire_network_key(&mut self, now: Instant, id: NetworkKeyId) -> bool {
        let was_accepted = self.device.retire_network_key(id);
        self.unsaved.note_network();
        self.serve(now);
        was_accepted
    }

    /// As [`Device::change_trust`]; revocations are saved, changes to the list of
    /// trusted parties are not.
    pub fn change_trust<R>(&mut self, now: Instant, change: impl FnOnce(&mut T, &P) -> R) -> R {
        let result = self.device.change_trust(now, change);
        self.unsaved.note_revocations();
        self.serve(now);
        result
    }

    /// Ends the session, and looks for no other. The last time that is known is
    /// saved.
    pub fn close(&mut self, now: Instant) {
        self.device.close(now);
        self.unsaved.note_time();
        self.unsaved.set_resolution(Duration::ZERO);
        self.serve(now);
    }

    /// Ends without a word, and gives the store back.
    pub fn into_store(self) -> Store<F> {
        self.store
    }

    /// Does all that there is to do now.
    fn serve(&mut self, now: Instant) {
        self.serve_events();
        self.sends = self.handlers.send(now, &mut Sender::new(now, &mut self.device));
        if let Err(error) = self.unsaved.save(now, self.device.party(), &mut self.store) {
            self.handlers.observe(&Event::NotSaved(error));
        }
    }
}

impl<P: Provider, A: Address, F: NorFlash, H: Handlers, T: Trust> Endpoint for Node<P, A, F, H, T> {
    type Address = A;

    fn handle_datagram(&mut self, now: Instant, port: LocalPort, from: A, datagram: &mut [u8]) {
        self.device.handle_datagram(now, port, from, datagram);
        self.serve(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.device.handle_timeout(now);
        self.serve(now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        self.device.poll_transmit(now, buffer)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let sends = self.sends.map(|at| Deadline::new(at, Reason::Schedule));
        let own = Deadline::earlier(sends, self.unsaved.poll_timeout());
        Deadline::earlier(self.device.poll_timeout(), own)
    }
}

impl<P: Provider, A: Address, T: Trust> Upward for Device<P, A, T> {
    fn is_connected(&self) -> bool {
        self.gateway().is_some()
    }

    fn alert(
        &mut self,
        now: Instant,
        severity: Severity,
        reading: Reading<'_>,
        text: &str,
    ) -> Result<MessageId, Refused> {
        Self::alert(self, now, severity, reading, text)
    }

    fn report(&mut self, request: Ticket, execution: Execution<'_>) -> Result<(), AnswerError> {
        match execution.status() {
            Some((state, result)) => Self::report(self, request, state, result),
            None => Ok(()),
        }
    }

    fn wake(&mut self, now: Instant) -> Result<MessageId, Refused> {
        Self::wake(self, now)
    }
}
