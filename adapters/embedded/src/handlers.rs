//! What makes a device: its sensors, its actuators, and its alerts.

use iot_crypto::time::Instant;
use iot_crypto::transmission::{
    AnswerError, CommandState, Label, MessageId, Reading, Refused, Severity, Ticket, Value,
};

use crate::event::Event;

/// The part of a device that its developer provides: the handlers of the gateway's
/// messages, and the sender of the device's own. All have defaults, so that a
/// device has only what it needs.
///
/// ```
/// use iot_crypto::time::Instant;
/// use iot_crypto::transmission::{Label, Reading, Severity, Ticket, Value};
/// use iot_crypto_embedded::handlers::{Execution, Handlers, Sender, Texts, Unavailable};
///
/// const TEMPERATURE: Label<'static> = Label::Number(1);
/// const HEATING: Label<'static> = Label::Text("heating");
///
/// struct Thermostat {
///     is_heating: bool,
///     is_frozen: bool,
/// }
///
/// impl Thermostat {
///     fn celsius(&mut self) -> f64 {
///         // Here the sensor is read.
///         21.5
///     }
/// }
///
/// impl Handlers for Thermostat {
///     fn labels(&self) -> &'static [Label<'static>] {
///         &[TEMPERATURE, HEATING]
///     }
///
///     fn read<'t>(
///         &mut self,
///         label: Label<'static>,
///         _: &mut Texts<'t>,
///     ) -> Result<Reading<'t>, Unavailable> {
///         let value = match label {
///             TEMPERATURE => Value::Float(self.celsius()),
///             _ => Value::Bool(self.is_heating),
///         };
///         Ok(Reading::new(label, value))
///     }
///
///     fn execute(&mut self, _: Ticket, label: Label<'_>, argument: Value<'_>) -> Execution<'_> {
///         match (label, argument) {
///             (HEATING, Value::Bool(on)) => {
///                 self.is_heating = on;
///                 Execution::Done(Some(argument_of(on)))
///             }
///             (HEATING, _) => Execution::Refused,
///             _ => Execution::Unknown,
///         }
///     }
///
///     fn send(&mut self, now: Instant, sender: &mut Sender<'_>) -> Option<Instant> {
///         let celsius = self.celsius();
///         let was_frozen = core::mem::replace(&mut self.is_frozen, celsius < 0.0);
///         if self.is_frozen && !was_frozen {
///             let reading = Reading::new(TEMPERATURE, Value::Float(celsius));
///             // If there is no room for it now, it is raised at the next look.
///             self.is_frozen = sender.alert(Severity::Critical, reading, "frost").is_ok();
///         }
///         Some(now + core::time::Duration::from_secs(10))
///     }
/// }
///
/// fn argument_of(on: bool) -> Value<'static> {
///     Value::Bool(on)
/// }
/// ```
pub trait Handlers {
    /// The labels of all that [`Handlers::read`] can be asked for. When the gateway
    /// asks for everything, the first of them are read that fit in one answer.
    fn labels(&self) -> &'static [Label<'static>] {
        &[]
    }

    /// Measures what `label`, one of [`Handlers::labels`], stands for. A text or
    /// bytes that are made here can be put in `texts`.
    ///
    /// # Errors
    /// [`Unavailable`]: it is left out of the answer, which has the others.
    fn read<'t>(
        &mut self,
        label: Label<'static>,
        texts: &mut Texts<'t>,
    ) -> Result<Reading<'t>, Unavailable> {
        let _ = (label, texts);
        Err(Unavailable(""))
    }

    /// Carries out a command: sets what `label` stands for to `argument`. It is
    /// called once for each command, however often that was sent.
    ///
    /// What takes time is begun, and reported to `request` when it has ended
    /// ([`Execution::Later`]).
    fn execute(&mut self, request: Ticket, label: Label<'_>, argument: Value<'_>) -> Execution<'_> {
        let _ = (request, label, argument);
        Execution::Unknown
    }

    /// Sends what the device has to say by itself: alerts, and how commands ended
    /// that took time. It is called at the instant that it gave last time, and
    /// whenever a datagram came in; `None` if only the latter.
    fn send(&mut self, now: Instant, sender: &mut Sender<'_>) -> Option<Instant> {
        let _ = (now, sender);
        None
    }

    /// Is told what happened: for a lamp, a log, or to sleep.
    fn observe(&mut self, event: &Event) {
        let _ = event;
    }
}

/// Something can't be measured now; a remark for the gateway, of at most
/// [`MAX_TEXT`](iot_crypto::transmission::MAX_TEXT) bytes, may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable(
    /// The remark.
    pub &'static str,
);

impl core::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "it can't be measured now: {}", self.0)
    }
}

impl core::error::Error for Unavailable {}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Execution<'a> {
    /// It was carried out, with this result.
    Done(Option<Value<'a>>),
    /// It was begun and did not succeed; this is left.
    Failed(Option<Value<'a>>),
    /// The device does not want to carry it out.
    Refused,
    /// There is nothing of this label that could be commanded.
    Unknown,
    /// It was begun; how it ended is said by [`Sender::report`], or
    /// [`Node::report`](crate::node::Node::report), within
    /// [`PATIENCE`](iot_crypto::transmission::PATIENCE).
    Later,
}

impl<'a> Execution<'a> {
    /// As it is reported to the gateway; `None` if it is not over.
    pub(crate) const fn status(self) -> Option<(CommandState, Option<Value<'a>>)> {
        match self {
            Self::Done(result) => Some((CommandState::Done, result)),
            Self::Failed(result) => Some((CommandState::Failed, result)),
            Self::Refused => Some((CommandState::Refused, None)),
            Self::Unknown => Some((CommandState::Unknown, None)),
            Self::Later => None,
        }
    }
}

/// Room for the texts and bytes of one answer.
#[derive(Debug)]
pub struct Texts<'t> {
    room: &'t mut [u8],
}

impl<'t> Texts<'t> {
    pub(crate) const fn new(room: &'t mut [u8]) -> Self {
        Self { room }
    }

    /// A copy of `text`.
    ///
    /// # Errors
    /// [`Unavailable`] if it no longer fits in the answer.
    pub fn text(&mut self, text: &str) -> Result<Value<'t>, Unavailable> {
        let copy = core::str::from_utf8(self.copy(text.as_bytes())?);
        copy.map(Value::Text).map_err(|_| Unavailable(""))
    }

    /// A copy of `bytes`.
    ///
    /// # Errors
    /// [`Unavailable`] if they no longer fit in the answer.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<Value<'t>, Unavailable> {
        self.copy(bytes).map(Value::Bytes)
    }

    fn copy(&mut self, bytes: &[u8]) -> Result<&'t [u8], Unavailable> {
        if bytes.len() > self.room.len() {
            return Err(Unavailable("no room in the answer"));
        }
        let (place, rest) = core::mem::take(&mut self.room).split_at_mut(bytes.len());
        place.copy_from_slice(bytes);
        self.room = rest;
        Ok(place)
    }
}

/// What can be sent to the gateway without being asked.
pub struct Sender<'a> {
    now: Instant,
    device: &'a mut dyn Upward,
}

impl<'a> Sender<'a> {
    pub(crate) const fn new(now: Instant, device: &'a mut dyn Upward) -> Self {
        Self { now, device }
    }

    /// Whether a session with the gateway stands.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.device.is_connected()
    }

    /// As [`Device::alert`](iot_crypto::device::Device::alert).
    ///
    /// # Errors
    /// As there.
    pub fn alert(
        &mut self,
        severity: Severity,
        reading: Reading<'_>,
        text: &str,
    ) -> Result<MessageId, Refused> {
        self.device.alert(self.now, severity, reading, text)
    }

    /// Says how a command ended that took time. An [`Execution::Later`] says nothing.
    ///
    /// # Errors
    /// As [`Device::report`](iot_crypto::device::Device::report).
    pub fn report(&mut self, request: Ticket, execution: Execution<'_>) -> Result<(), AnswerError> {
        self.device.report(request, execution)
    }

    /// Asks what is waiting, as [`Device::wake`](iot_crypto::device::Device::wake).
    ///
    /// # Errors
    /// As there.
    pub fn wake(&mut self) -> Result<MessageId, Refused> {
        self.device.wake(self.now)
    }
}

impl core::fmt::Debug for Sender<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sender").field("now", &self.now).finish_non_exhaustive()
    }
}

/// What a [`Sender`] needs of a device, whatever its type.
pub(crate) trait Upward {
    fn is_connected(&self) -> bool;

    fn alert(
        &mut self,
        now: Instant,
        severity: Severity,
        reading: Reading<'_>,
        text: &str,
    ) -> Result<MessageId, Refused>;

    fn report(&mut self, request: Ticket, execution: Execution<'_>) -> Result<(), AnswerError>;

    fn wake(&mut self, now: Instant) -> Result<MessageId, Refused>;
}
