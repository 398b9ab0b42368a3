//! What tinydtls calls.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::{c_int, c_uchar, c_ushort};
use std::ptr;
use std::slice;

use tinydtls_sys as ffi;

use super::{connection, psk};
use crate::Transport;

/// `DTLS_EVENT_CONNECTED`.
const CONNECTED: c_ushort = 0x01de;
/// `close_notify` (RFC 5246 section 7.2.1).
const CLOSE_NOTIFY: c_ushort = 0;

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Handshaking,
    Connected,
    Closed,
    Failed,
}

/// What the callbacks need of a session.
pub(super) struct Connection {
    pub(super) transport: Box<dyn Transport>,
    detached: Cell<bool>,
    status: Cell<Status>,
    failure: RefCell<String>,
    /// Where the next payload goes, and how much room there is.
    room: Cell<(*mut u8, usize)>,
    taken: Cell<Option<usize>>,
    /// Payloads that came before they were asked for.
    early: RefCell<VecDeque<Vec<u8>>>,
}

impl Connection {
    pub(super) fn new(transport: Box<dyn Transport>) -> Self {
        Self {
            transport,
            detached: Cell::new(false),
            status: Cell::new(Status::Handshaking),
            failure: RefCell::default(),
            room: Cell::new((ptr::null_mut(), 0)),
            taken: Cell::new(None),
            early: RefCell::default(),
        }
    }

    pub(super) fn status(&self) -> Status {
        self.status.get()
    }

    pub(super) fn failure(&self) -> String {
        self.failure.borrow().clone()
    }

    pub(super) fn fail(&self, why: &str) {
        self.status.set(Status::Failed);
        why.clone_into(&mut self.failure.borrow_mut());
    }

    /// Nothing more is sent.
    pub(super) fn detach(&self) {
        self.detached.set(true);
    }

    /// Says where the next payload goes, for the calls that follow.
    pub(super) fn expect_payload(&self, buffer: &mut [u8]) {
        self.room.set((buffer.as_mut_ptr(), buffer.len()));
    }

    /// The length of the payload that was put there.
    pub(super) fn taken_payload(&self) -> Option<usize> {
        self.taken.take()
    }

    /// A payload that came before it was asked for.
    pub(super) fn take_early(&self, buffer: &mut [u8]) -> Option<usize> {
        let payload = self.early.borrow_mut().pop_front()?;
        buffer.get_mut(..payload.len())?.copy_from_slice(&payload);
        Some(payload.len())
    }

    fn deliver(&self, payload: &[u8]) {
        let (room, size) = self.room.get();
        if payload.len() > size || self.taken.get().is_some() {
            self.early.borrow_mut().push_back(payload.to_vec());
            return;
        }
        // SAFETY: the session that waits for a payload has room for so many bytes there.
        unsafe { room.copy_from_nonoverlapping(payload.as_ptr(), payload.len()) };
        self.taken.set(Some(payload.len()));
    }
}

/// All of the callbacks.
pub(super) fn handler() -> ffi::dtls_handler_t {
    ffi::dtls_handler_t {
        write: Some(write),
        read: Some(read),
        event: Some(event),
        get_user_parameters: Some(choose_suite),
        get_psk_info: Some(get_psk_info),
    }
}

unsafe extern "C" fn write(
    _: *mut ffi::dtls_context_t,
    address: *mut ffi::session_t,
    bytes: *mut u8,
    length: usize,
) -> c_int {
    // SAFETY: tinydtls gives an address that it was given, and as many bytes as it says.
    let (connection, datagram) =
        unsafe { (connection(address), slice::from_raw_parts(bytes, length)) };
    if !connection.detached.get() {
        connection.transport.send(datagram);
    }
    length as c_int
}

unsafe extern "C" fn read(
    _: *mut ffi::dtls_context_t,
    address: *mut ffi::session_t,
    bytes: *mut u8,
    length: usize,
) -> c_int {
    // SAFETY: tinydtls gives an address that it was given, and as many bytes as it says.
    let (connection, payload) =
        unsafe { (connection(address), slice::from_raw_parts(bytes, length)) };
    connection.deliver(payload);
    0
}

unsafe extern "C" fn event(
    _: *mut ffi::dtls_context_t,
    address: *mut ffi::session_t,
    level: ffi::dtls_alert_level_t,
    code: c_ushort,
) -> c_int {
    // SAFETY: tinydtls gives an address that it was given.
    let connection = unsafe { connection(address) };
    match code {
        CONNECTED => connection.status.set(Status::Connected),
        CLOSE_NOTIFY => connection.status.set(Status::Closed),
        _ if level == ffi::dtls_alert_level_t::DTLS_ALERT_LEVEL_FATAL => {
            connection.fail(&format!("alert {code}"));
        }
        _ => {}
    }
    0
}

unsafe extern "C" fn choose_suite(
    _: *mut ffi::dtls_context_t,
    _: *mut ffi::session_t,
    parameters: *mut ffi::dtls_user_parameters_t,
) {
    // SAFETY: tinydtls gives parameters that may be changed.
    let suites = unsafe { &mut (*parameters).cipher_suites };
    suites.fill(ffi::dtls_cipher_t::TLS_NULL_WITH_NULL_NULL);
    suites[0] = ffi::dtls_cipher_t::TLS_PSK_WITH_AES_128_CCM_8;
}

unsafe extern "C" fn get_psk_info(
    context: *mut ffi::dtls_context_t,
    _: *const ffi::session_t,
    kind: ffi::dtls_credentials_type_t,
    name: *const c_uchar,
    name_length: usize,
    out: *mut c_uchar,
    room: usize,
) -> c_int {
    // SAFETY: the context is one of ours, and live.
    let psk = unsafe { psk(context) };
    let answer = match kind {
        ffi::dtls_credentials_type_t::DTLS_PSK_HINT => {
            psk.hint.as_deref().unwrap_or_default().as_bytes()
        }
        ffi::dtls_credentials_type_t::DTLS_PSK_IDENTITY => &psk.identity,
        ffi::dtls_credentials_type_t::DTLS_PSK_KEY => {
            // SAFETY: tinydtls gives as many bytes of a name as it says.
            let name = unsafe { slice::from_raw_parts(name, name_length) };
            if name != psk.identity {
                return -1;
            }
            &psk.key
        }
        _ => return -1,
    };
    if answer.len() > room {
        return -1;
    }
    // SAFETY: tinydtls gives as much room as it says.
    unsafe { out.copy_from_nonoverlapping(answer.as_ptr(), answer.len()) };
    answer.len() as c_int
}
