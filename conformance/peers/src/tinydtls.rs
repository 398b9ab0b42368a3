//! tinydtls, through the crate `tinydtls-sys`.
#![allow(unsafe_code)]

mod callbacks;

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::mem;
use std::ptr;
use std::rc::Rc;
use std::sync::Once;

use anyhow::ensure;
use tinydtls_sys as ffi;

use crate::{Endpoint, Session, Settings, Side, Step, Transport};
use callbacks::{Connection, Status};

/// The greatest datagram that it takes (`DTLS_MAX_BUF`), in bytes.
const MAX_DATAGRAM: usize = 1400;
/// What a record of its suite adds: a header of 13 bytes, a nonce of 8, a tag of 8.
const OVERHEAD: usize = 29;

static INITIALIZED: Once = Once::new();

/// Its version.
pub(super) fn version() -> String {
    String::from_utf8_lossy(ffi::PACKAGE_VERSION).trim_end_matches('\0').to_owned()
}

/// An endpoint for `side`.
pub(super) fn endpoint(side: Side, settings: &Settings) -> anyhow::Result<Box<dyn Endpoint>> {
    ensure!(settings.server_name.is_none(), "tinydtls asks for no server name");
    ensure!(settings.max_datagram.is_none(), "tinydtls takes no limit for its datagrams");
    // SAFETY: the function may be called whenever there is no context yet.
    INITIALIZED.call_once(|| unsafe { ffi::dtls_init() });
    Ok(Box::new(TinyDtlsEndpoint { side, context: Context::new(settings)? }))
}

/// What the callbacks are given besides the connection.
struct Psk {
    identity: Vec<u8>,
    key: Vec<u8>,
    hint: Option<String>,
}

/// A context of the library, with all the peers of an endpoint, and what it keeps
/// pointers to.
struct Context {
    pointer: *mut ffi::dtls_context_t,
    /// Room for a datagram, which all sessions use in turn: it is decrypted in place.
    buffer: RefCell<Vec<u8>>,
    _psk: Box<Psk>,
    _handler: Box<ffi::dtls_handler_t>,
}

impl Context {
    fn new(settings: &Settings) -> anyhow::Result<Rc<Self>> {
        let psk = Box::new(Psk {
            identity: settings.identity.clone().into_bytes(),
            key: settings.key.clone(),
            hint: settings.hint.clone(),
        });
        let mut handler = Box::new(callbacks::handler());
        let psk_pointer: *const Psk = &raw const *psk;
        // SAFETY: the context keeps pointers to the key and to the callbacks, which are
        // freed after it.
        let pointer = unsafe { ffi::dtls_new_context(psk_pointer.cast_mut().cast()) };
        ensure!(!pointer.is_null(), "dtls_new_context gave no context");
        // SAFETY: the context is live.
        unsafe { ffi::dtls_set_handler(pointer, &raw mut *handler) };
        let buffer = RefCell::new(vec![0; MAX_DATAGRAM]);
        Ok(Rc::new(Self { pointer, buffer, _psk: psk, _handler: handler }))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context was made by `dtls_new_context`, and no session uses it any
        // more: those keep it alive.
        unsafe { ffi::dtls_free_context(self.pointer) }
    }
}

struct TinyDtlsEndpoint {
    side: Side,
    context: Rc<Context>,
}

impl Endpoint for TinyDtlsEndpoint {
    fn session(&self, transport: Box<dyn Transport>) -> anyhow::Result<Box<dyn Session>> {
        let connection = Box::new(Connection::new(transport));
        Ok(Box::new(TinyDtls {
            to_begin: Cell::new(self.side == Side::Client),
            context: self.context.clone(),
            connection,
        }))
    }
}

struct TinyDtls {
    /// Whether it is for a client that has not begun.
    to_begin: Cell<bool>,
    context: Rc<Context>,
    /// It stays where it is: its address is the address of the peer.
    connection: Box<Connection>,
}

impl TinyDtls {
    /// The peer's address: where its connection is in memory, so that the callbacks,
    /// which are given the address, find it.
    fn address(&self) -> ffi::session_t {
        // SAFETY: it is a C structure, for which zeros are valid. They have to be zeros:
        // tinydtls compares all its bytes.
        let mut address: ffi::session_t = unsafe { mem::zeroed() };
        // SAFETY: likewise.
        let mut host: libc::sockaddr_in6 = unsafe { mem::zeroed() };
        let pointer = ptr::from_ref(&*self.connection).expose_provenance() as u128;
        host.sin6_family = libc::AF_INET6 as libc::sa_family_t;
        host.sin6_addr.s6_addr = pointer.to_ne_bytes();
        address.size = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
        // SAFETY: the field has room for it, and everything in it is a number.
        unsafe { *address.addr.sin6.as_mut() = host };
        address
    }

    fn begin(&self) {
        if self.to_begin.take() {
            let address = self.address();
            // SAFETY: the context is live; the address is copied.
            let begun = unsafe { ffi::dtls_connect(self.context.pointer, &raw const address) };
            if begun < 0 {
                self.connection.fail("dtls_connect failed");
            }
        }
    }

    /// Takes the next datagram, if there is one; gives whether there was.
    fn take_datagram(&self) -> bool {
        let mut buffer = self.context.buffer.borrow_mut();
        let Some(length) = self.connection.transport.receive(&mut buffer) else { return false };
        let (mut address, bytes) = (self.address(), buffer.as_mut_ptr());
        // SAFETY: the context and the connection are live. The datagram is read and
        // decrypted during the call, and nobody else uses the buffer.
        unsafe {
            ffi::dtls_handle_message(self.context.pointer, &raw mut address, bytes, length as _);
        }
        true
    }

    fn run_timers(&self) {
        // SAFETY: the context is live; the function may do without its second argument.
        unsafe { ffi::dtls_check_retransmit(self.context.pointer, ptr::null_mut()) };
    }
}

impl Drop for TinyDtls {
    fn drop(&mut self) {
        let address = self.address();
        self.connection.detach();
        // SAFETY: the context is live; a peer that it has is freed, and its connection
        // is not used after that.
        unsafe {
            let peer = ffi::dtls_get_peer(self.context.pointer, &raw const address);
            if !peer.is_null() {
                ffi::dtls_reset_peer(self.context.pointer, peer);
            }
        }
    }
}

impl Session for TinyDtls {
    fn handshake(&mut self) -> Step<()> {
        self.begin();
        while self.connection.status() == Status::Handshaking && self.take_datagram() {}
        match self.connection.status() {
            Status::Handshaking => {
                self.run_timers();
                Step::Waiting
            }
            Status::Connected => Step::Done(()),
            Status::Closed => Step::Closed,
            Status::Failed => Step::Failed(self.connection.failure()),
        }
    }

    fn send(&mut self, payload: &[u8]) -> Step<()> {
        let (mut address, bytes) = (self.address(), payload.as_ptr().cast_mut());
        // SAFETY: the context is live; the payload is only read, and during the call.
        let sent = unsafe {
            ffi::dtls_write(self.context.pointer, &raw mut address, bytes, payload.len())
        };
        match usize::try_from(sent) {
            Ok(sent) if sent == payload.len() => Step::Done(()),
            _ => Step::Failed(format!("dtls_write: {sent}")),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Step<usize> {
        if let Some(length) = self.connection.take_early(buffer) {
            return Step::Done(length);
        }
        self.connection.expect_payload(buffer);
        let mut length = None;
        while length.is_none() && self.take_datagram() {
            length = self.connection.taken_payload();
        }
        self.connection.expect_payload(&mut []);
        match (length, self.connection.status()) {
            (Some(length), _) => Step::Done(length),
            (None, Status::Closed) => Step::Closed,
            (None, Status::Failed) => Step::Failed(self.connection.failure()),
            (None, _) => Step::Waiting,
        }
    }

    fn max_payload(&self) -> usize {
        MAX_DATAGRAM - OVERHEAD
    }

    fn close(&mut self) -> Step<()> {
        let address = self.address();
        // SAFETY: the context is live; the address is read during the call.
        match unsafe { ffi::dtls_close(self.context.pointer, &raw const address) } {
            0.. => Step::Done(()),
            error => Step::Failed(format!("dtls_close: {error}")),
        }
    }
}

/// The connection that a callback is about.
///
/// # Safety
/// `address` is one that [`TinyDtls::address`] gave, of a session that is live.
unsafe fn connection<'a>(address: *const ffi::session_t) -> &'a Connection {
    // SAFETY: as the caller promises; the connection is only ever shared.
    unsafe {
        let pointer = u128::from_ne_bytes((*address).addr.sin6.as_ref().sin6_addr.s6_addr);
        &*ptr::with_exposed_provenance(pointer as usize)
    }
}

/// The key that a context was made with.
///
/// # Safety
/// `context` is one that [`Context::new`] made.
unsafe fn psk<'a>(context: *mut ffi::dtls_context_t) -> &'a Psk {
    // SAFETY: as the caller promises; the key lives as long as the context.
    unsafe { &*(*context).app.cast::<c_void>().cast::<Psk>() }
}
