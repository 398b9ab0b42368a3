//! GnuTLS, through the functions of its C library.
#![allow(unsafe_code)]

mod credentials;
mod ffi;

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int, c_uint, c_void};
use std::ptr;
use std::rc::Rc;
use std::slice;

use anyhow::ensure;

use crate::{Endpoint, RETRANSMISSION, Session, Settings, Side, Step, Transport};
use credentials::Credentials;
use ffi::Datum;

const PRIORITY: &CStr =
    c"NONE:+VERS-DTLS1.2:+PSK:+CHACHA20-POLY1305:+AEAD:+SHA256:+COMP-NULL:+SIGN-ALL:+GROUP-ALL";
const PRIORITY_WITHOUT_EXTENDED_MASTER_SECRET: &CStr = c"NONE:+VERS-DTLS1.2:+PSK:+CHACHA20-POLY1305:+AEAD:+SHA256:+COMP-NULL:+SIGN-ALL:+GROUP-ALL:%NO_SESSION_HASH";
/// How long a handshake may take, in milliseconds: longer than any case.
const PATIENCE: c_uint = 120_000;
/// The name of the client in its cookie; there is only one.
const CLIENT: &[u8] = b"client";
/// `EAGAIN`.
const TRY_AGAIN: c_int = 11;
/// Longer than any datagram.
const BUFFER: usize = 1 << 16;

/// Its version.
pub(super) fn version() -> String {
    // SAFETY: without a requirement the function gives its own version, a constant.
    let version = unsafe { CStr::from_ptr(ffi::gnutls_check_version(ptr::null())) };
    version.to_string_lossy().into_owned()
}

/// An endpoint for `side`.
pub(super) fn endpoint(side: Side, settings: &Settings) -> anyhow::Result<Box<dyn Endpoint>> {
    let shared = Shared {
        credentials: Credentials::new(side, settings)?,
        priority: Priority::new(settings)?,
        server_name: settings.server_name.as_deref().map(CString::new).transpose()?,
        mtu: c_uint::from(settings.max_datagram.unwrap_or(u16::MAX)),
        cookies: (settings.cookie && side == Side::Server).then(Cookies::new).transpose()?,
    };
    Ok(Box::new(GnuTlsEndpoint { side, shared: Rc::new(shared) }))
}

struct GnuTlsEndpoint {
    side: Side,
    shared: Rc<Shared>,
}

impl Endpoint for GnuTlsEndpoint {
    fn session(&self, transport: Box<dyn Transport>) -> anyhow::Result<Box<dyn Session>> {
        let mut session = ptr::null_mut();
        let side = match self.side {
            Side::Client => ffi::CLIENT,
            Side::Server => ffi::SERVER,
        };
        // SAFETY: the function writes a new session to where its argument points.
        check("gnutls_init", unsafe {
            ffi::gnutls_init(&raw mut session, side | ffi::DATAGRAM | ffi::NONBLOCK)
        })?;
        let context = Box::new(Context { session, transport, shared: self.shared.clone() });
        context.configure(self.side)?;
        let unproved = self.shared.cookies.is_some().then(ffi::Prestate::default);
        Ok(Box::new(GnuTls { context, unproved }))
    }
}

/// What all sessions of an endpoint have in common.
struct Shared {
    credentials: Credentials,
    priority: Priority,
    server_name: Option<CString>,
    mtu: c_uint,
    /// If a server demands them.
    cookies: Option<Cookies>,
}

/// The algorithms, as the library keeps them.
struct Priority(ffi::Priority);

impl Priority {
    fn new(settings: &Settings) -> anyhow::Result<Self> {
        let text = match settings.extended_master_secret {
            true => PRIORITY,
            false => PRIORITY_WITHOUT_EXTENDED_MASTER_SECRET,
        };
        let mut priority = ptr::null_mut();
        // SAFETY: the function writes to where its first argument points, and reads the
        // string.
        check("gnutls_priority_init", unsafe {
            ffi::gnutls_priority_init(&raw mut priority, text.as_ptr(), ptr::null_mut())
        })?;
        Ok(Self(priority))
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        // SAFETY: it was made by `gnutls_priority_init`, and no session uses it any more:
        // they keep it alive.
        unsafe { ffi::gnutls_priority_deinit(self.0) }
    }
}

fn check(what: &str, result: c_int) -> anyhow::Result<()> {
    ensure!(result == 0, "{what}: {}", message(result));
    Ok(())
}

fn message(error: c_int) -> String {
    // SAFETY: the function gives a constant string for every number.
    unsafe { CStr::from_ptr(ffi::gnutls_strerror(error)) }.to_string_lossy().into_owned()
}

/// A session, and what its callbacks need: they are given a pointer to this.
struct Context {
    session: ffi::Session,
    transport: Box<dyn Transport>,
    shared: Rc<Shared>,
}

impl Context {
    fn configure(&self, side: Side) -> anyhow::Result<()> {
        let (session, context) = (self.session, ptr::from_ref(self).cast_mut().cast());
        let Shared { credentials, priority, server_name, mtu, .. } = &*self.shared;
        // SAFETY: the session is live. What it keeps pointers to lives as long: it is
        // freed after it. The callbacks are plain functions.
        let results = unsafe {
            ffi::gnutls_session_set_ptr(session, context);
            ffi::gnutls_transport_set_ptr(session, context);
            ffi::gnutls_transport_set_push_function(session, push);
            ffi::gnutls_transport_set_pull_function(session, pull);
            ffi::gnutls_transport_set_pull_timeout_function(session, pull_timeout);
            ffi::gnutls_dtls_set_timeouts(session, RETRANSMISSION.as_millis() as c_uint, PATIENCE);
            ffi::gnutls_dtls_set_mtu(session, *mtu);
            [
                ffi::gnutls_priority_set(session, priority.0),
                ffi::gnutls_credentials_set(session, ffi::CREDENTIALS_PSK, credentials.pointer()),
            ]
        };
        check("gnutls_priority_set", results[0])?;
        check("gnutls_credentials_set", results[1])?;
        if let (Side::Client, Some(name)) = (side, server_name) {
            let (name, length) = (name.as_ptr().cast(), name.as_bytes().len());
            // SAFETY: the session is live; the name is copied.
            check("gnutls_server_name_set", unsafe {
                ffi::gnutls_server_name_set(session, ffi::NAME_DNS, name, length)
            })?;
        }
        Ok(())
    }

    /// Looks at the datagrams that have come, and answers those without the cookie;
    /// gives whether one with it is next. GnuTLS has this apart from the session.
    fn demand_cookie(&self, state: &mut ffi::Prestate) -> bool {
        let Some(Cookies { key, buffer }) = &self.shared.cookies else { return true };
        let (key, bytes) = (Datum::of(key), &mut *buffer.borrow_mut());
        while let Some(length) = self.transport.peek(bytes) {
            // SAFETY: the pointers are to live values of these sizes, which are read
            // during the call; the state is written.
            let right = unsafe {
                ffi::gnutls_dtls_cookie_verify(
                    &raw const key,
                    CLIENT.as_ptr().cast(),
                    CLIENT.len(),
                    bytes.as_ptr().cast(),
                    length,
                    &raw mut *state,
                )
            };
            if right >= 0 {
                // SAFETY: the session is live; the state is copied.
                unsafe { ffi::gnutls_dtls_prestate_set(self.session, &raw const *state) };
                return true;
            }
            let _ = self.transport.receive(bytes);
            // SAFETY: as above; the callback is called with this context.
            unsafe {
                ffi::gnutls_dtls_cookie_send(
                    &raw const key,
                    CLIENT.as_ptr().cast(),
                    CLIENT.len(),
                    &raw mut *state,
                    ptr::from_ref(self).cast_mut().cast(),
                    push,
                );
            }
        }
        false
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the session was made by `gnutls_init` and is not used any more.
        unsafe { ffi::gnutls_deinit(self.session) }
    }
}

/// What a server makes cookies with.
struct Cookies {
    key: [u8; 16],
    /// For one datagram.
    buffer: RefCell<Vec<u8>>,
}

impl Cookies {
    fn new() -> anyhow::Result<Self> {
        let mut key = [0; 16];
        getrandom::fill(&mut key)?;
        Ok(Self { key, buffer: RefCell::new(vec![0; BUFFER]) })
    }
}

/// The context that `pointer` was made of.
///
/// # Safety
/// `pointer` is that which [`Context::configure`] or [`Context::demand_cookie`] gave away.
unsafe fn context<'a>(pointer: *mut c_void) -> &'a Context {
    // SAFETY: the context lives at least as long as the session that calls back, and
    // is only ever shared.
    unsafe { &*pointer.cast::<Context>() }
}

unsafe extern "C" fn push(pointer: *mut c_void, bytes: *const c_void, length: usize) -> isize {
    // SAFETY: GnuTLS gives the context, and as many bytes as it says.
    unsafe {
        context(pointer).transport.send(slice::from_raw_parts(bytes.cast(), length));
    }
    length.cast_signed()
}

unsafe extern "C" fn pull(pointer: *mut c_void, bytes: *mut c_void, length: usize) -> isize {
    // SAFETY: GnuTLS gives the context, and room for as many bytes as it says.
    let (context, buffer) =
        unsafe { (context(pointer), slice::from_raw_parts_mut(bytes.cast(), length)) };
    match context.transport.receive(buffer) {
        Some(length) => length.cast_signed(),
        None => {
            // SAFETY: the session that calls is live.
            unsafe { ffi::gnutls_transport_set_errno(context.session, TRY_AGAIN) };
            -1
        }
    }
}

/// Whether a datagram is there; it never waits.
unsafe extern "C" fn pull_timeout(pointer: *mut c_void, _milliseconds: c_uint) -> c_int {
    // SAFETY: GnuTLS gives the context.
    let context = unsafe { context(pointer) };
    c_int::from(context.transport.peek(&mut [0]).is_some())
}

struct GnuTls {
    context: Box<Context>,
    /// Until the cookie has come that is demanded.
    unproved: Option<ffi::Prestate>,
}

impl GnuTls {
    fn step<T>(&self, result: isize, done: T) -> Step<T> {
        let error = c_int::try_from(result).unwrap_or_default();
        match error {
            0.. => Step::Done(done),
            ffi::AGAIN | ffi::INTERRUPTED | ffi::WARNING_ALERT_RECEIVED => Step::Waiting,
            ffi::FATAL_ALERT_RECEIVED => {
                // SAFETY: the session is live; the function gives a number.
                let alert = unsafe { ffi::gnutls_alert_get(self.context.session) };
                Step::Failed(format!("{}: {alert}", message(error)))
            }
            // SAFETY: the function reads its number.
            _ if unsafe { ffi::gnutls_error_is_fatal(error) } == 0 => Step::Waiting,
            _ => {
                // SAFETY: the session is live. GnuTLS leaves it to its caller to tell
                // the other side why it fails.
                unsafe { ffi::gnutls_alert_send_appropriate(self.context.session, error) };
                Step::Failed(message(error))
            }
        }
    }
}

impl Session for GnuTls {
    fn handshake(&mut self) -> Step<()> {
        if let Some(state) = &mut self.unproved {
            if !self.context.demand_cookie(state) {
                return Step::Waiting;
            }
            self.unproved = None;
        }
        // SAFETY: the session is live.
        let result = unsafe { ffi::gnutls_handshake(self.context.session) };
        self.step(result as isize, ())
    }

    fn send(&mut self, payload: &[u8]) -> Step<()> {
        // SAFETY: the session is live; the payload is read during the call.
        let result = unsafe {
            ffi::gnutls_record_send(self.context.session, payload.as_ptr().cast(), payload.len())
        };
        self.step(result, ())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Step<usize> {
        // SAFETY: the session is live; the buffer is written during the call.
        let result = unsafe {
            ffi::gnutls_record_recv(self.context.session, buffer.as_mut_ptr().cast(), buffer.len())
        };
        match self.step(result, result.unsigned_abs()) {
            Step::Done(0) => Step::Closed,
            step => step,
        }
    }

    fn max_payload(&self) -> usize {
        // SAFETY: the session is live; the function gives a number.
        unsafe { ffi::gnutls_dtls_get_data_mtu(self.context.session) as usize }
    }

    fn close(&mut self) -> Step<()> {
        // SAFETY: the session is live.
        let result = unsafe { ffi::gnutls_bye(self.context.session, ffi::SHUT_WR) };
        self.step(result as isize, ())
    }
}
