//! GnuTLS, through the functions of its C library.
#![allow(unsafe_code)]

mod ffi;

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::slice;

use anyhow::ensure;

use super::{RETRANSMISSION, Session, Settings, Side, Step, Transport};
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

/// A session that talks through `transport`.
pub(super) fn open(
    side: Side,
    settings: &Settings,
    transport: Transport,
) -> anyhow::Result<Box<dyn Session>> {
    let (side, role) = match side {
        Side::Client => (ffi::CLIENT, Role::client(settings)?),
        Side::Server => (ffi::SERVER, Role::server(settings)?),
    };
    let mut session = ptr::null_mut();
    // SAFETY: the function writes a new session to where its argument points.
    check("gnutls_init", unsafe {
        ffi::gnutls_init(&raw mut session, side | ffi::DATAGRAM | ffi::NONBLOCK)
    })?;
    let context = Box::new(Context { session, transport, role });
    context.configure(settings)?;
    let cookie = (settings.cookie && side == ffi::SERVER).then(Cookie::new).transpose()?;
    Ok(Box::new(GnuTls { context, cookie }))
}

fn check(what: &str, result: c_int) -> anyhow::Result<()> {
    ensure!(result == 0, "{what}: {}", message(result));
    Ok(())
}

fn message(error: c_int) -> String {
    // SAFETY: the function gives a constant string for every number.
    unsafe { CStr::from_ptr(ffi::gnutls_strerror(error)) }.to_string_lossy().into_owned()
}

/// What a session authenticates itself with, freed with it.
enum Role {
    Client(*mut c_void),
    Server { credentials: *mut c_void, identity: CString, key: Vec<u8> },
}

impl Role {
    fn client(settings: &Settings) -> anyhow::Result<Self> {
        let identity = CString::new(settings.identity.as_str())?;
        let mut credentials = ptr::null_mut();
        // SAFETY: the function writes new credentials to where its argument points.
        check("gnutls_psk_allocate_client_credentials", unsafe {
            ffi::gnutls_psk_allocate_client_credentials(&raw mut credentials)
        })?;
        let this = Self::Client(credentials);
        let key = Datum::of(&settings.key);
        // SAFETY: the credentials are live; the name and the key are copied.
        check("gnutls_psk_set_client_credentials", unsafe {
            ffi::gnutls_psk_set_client_credentials(
                credentials,
                identity.as_ptr(),
                &raw const key,
                ffi::PSK_KEY_RAW,
            )
        })?;
        Ok(this)
    }

    fn server(settings: &Settings) -> anyhow::Result<Self> {
        let identity = CString::new(settings.identity.as_str())?;
        let mut credentials = ptr::null_mut();
        // SAFETY: the function writes new credentials to where its argument points.
        check("gnutls_psk_allocate_server_credentials", unsafe {
            ffi::gnutls_psk_allocate_server_credentials(&raw mut credentials)
        })?;
        let this = Self::Server { credentials, identity, key: settings.key.clone() };
        // SAFETY: the credentials are live, and the callback is a plain function.
        unsafe { ffi::gnutls_psk_set_server_credentials_function(credentials, find_key) };
        if let Some(hint) = &settings.hint {
            let hint = CString::new(hint.as_str())?;
            // SAFETY: the credentials are live; the hint is copied.
            check("gnutls_psk_set_server_credentials_hint", unsafe {
                ffi::gnutls_psk_set_server_credentials_hint(credentials, hint.as_ptr())
            })?;
        }
        Ok(this)
    }

    fn credentials(&self) -> *mut c_void {
        let (Self::Client(credentials) | Self::Server { credentials, .. }) = self;
        *credentials
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        match self {
            // SAFETY: they were allocated as such, and no session uses them any more:
            // `Context` ends its own first.
            Self::Client(credentials) => unsafe {
                ffi::gnutls_psk_free_client_credentials(*credentials);
            },
            // SAFETY: likewise.
            Self::Server { credentials, .. } => unsafe {
                ffi::gnutls_psk_free_server_credentials(*credentials);
            },
        }
    }
}

/// A session, and what its callbacks need: they are given a pointer to this.
struct Context {
    session: ffi::Session,
    transport: Transport,
    role: Role,
}

impl Context {
    fn configure(&self, settings: &Settings) -> anyhow::Result<()> {
        let (session, context) = (self.session, ptr::from_ref(self).cast_mut().cast());
        let priority = match settings.extended_master_secret {
            true => PRIORITY,
            false => PRIORITY_WITHOUT_EXTENDED_MASTER_SECRET,
        };
        let mtu = c_uint::from(settings.max_datagram.unwrap_or(u16::MAX));
        // SAFETY: the session is live. The credentials and the context that it keeps
        // pointers to live as long: they are freed after it. The callbacks are plain
        // functions, and the string is copied.
        let results = unsafe {
            ffi::gnutls_session_set_ptr(session, context);
            ffi::gnutls_transport_set_ptr(session, context);
            ffi::gnutls_transport_set_push_function(session, push);
            ffi::gnutls_transport_set_pull_function(session, pull);
            ffi::gnutls_transport_set_pull_timeout_function(session, pull_timeout);
            ffi::gnutls_dtls_set_timeouts(session, RETRANSMISSION.as_millis() as c_uint, PATIENCE);
            ffi::gnutls_dtls_set_mtu(session, mtu);
            let credentials = self.role.credentials();
            [
                ffi::gnutls_priority_set_direct(session, priority.as_ptr(), ptr::null_mut()),
                ffi::gnutls_credentials_set(session, ffi::CREDENTIALS_PSK, credentials),
            ]
        };
        check("gnutls_priority_set_direct", results[0])?;
        check("gnutls_credentials_set", results[1])?;
        if let (Role::Client(_), Some(name)) = (&self.role, &settings.server_name) {
            // SAFETY: the session is live; the name is copied.
            check("gnutls_server_name_set", unsafe {
                ffi::gnutls_server_name_set(
                    session,
                    ffi::NAME_DNS,
                    name.as_ptr().cast(),
                    name.len(),
                )
            })?;
        }
        Ok(())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the session was made by `gnutls_init` and is not used any more.
        unsafe { ffi::gnutls_deinit(self.session) }
    }
}

/// The context that `pointer` was made of.
///
/// # Safety
/// `pointer` is that which [`Context::configure`] or [`Cookie::demand`] gave away.
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

/// Gives the key that belongs to a name, in memory that GnuTLS frees.
unsafe extern "C" fn find_key(
    session: ffi::Session,
    name: *const c_char,
    key: *mut Datum,
) -> c_int {
    // SAFETY: the pointer of the session is the context; the name is a C string.
    let (role, name) =
        unsafe { (&context(ffi::gnutls_session_get_ptr(session)).role, CStr::from_ptr(name)) };
    let Role::Server { identity, key: secret, .. } = role else { return -1 };
    if name != identity.as_c_str() {
        return -1;
    }
    // SAFETY: `gnutls_malloc` gives room for the key, or null; `key` may be written.
    unsafe {
        let data = ffi::gnutls_malloc(secret.len()).cast::<u8>();
        if data.is_null() {
            return -1;
        }
        data.copy_from_nonoverlapping(secret.as_ptr(), secret.len());
        *key = Datum { data, size: secret.len() as c_uint };
    }
    0
}

/// A server's demand for a cookie: GnuTLS has it apart from the session.
struct Cookie {
    key: [u8; 16],
    state: ffi::Prestate,
}

impl Cookie {
    fn new() -> anyhow::Result<Self> {
        let mut key = [0; 16];
        getrandom::fill(&mut key)?;
        Ok(Self { key, state: ffi::Prestate::default() })
    }

    /// Looks at the datagrams that have come, and answers those without the cookie;
    /// gives whether one with it is next.
    fn demand(&mut self, context: &Context) -> bool {
        let key = Datum::of(&self.key);
        let mut bytes = vec![0; BUFFER];
        while let Some(length) = context.transport.peek(&mut bytes) {
            // SAFETY: the pointers are to live values of these sizes, which are read
            // during the call; the state is written.
            let right = unsafe {
                ffi::gnutls_dtls_cookie_verify(
                    &raw const key,
                    CLIENT.as_ptr().cast(),
                    CLIENT.len(),
                    bytes.as_ptr().cast(),
                    length,
                    &raw mut self.state,
                )
            };
            if right >= 0 {
                // SAFETY: the session is live; the state is copied.
                unsafe { ffi::gnutls_dtls_prestate_set(context.session, &raw const self.state) };
                return true;
            }
            let _ = context.transport.receive(&mut bytes);
            // SAFETY: as above; the callback is called with this context.
            unsafe {
                ffi::gnutls_dtls_cookie_send(
                    &raw const key,
                    CLIENT.as_ptr().cast(),
                    CLIENT.len(),
                    &raw mut self.state,
                    ptr::from_ref(context).cast_mut().cast(),
                    push,
                );
            }
        }
        false
    }
}

struct GnuTls {
    context: Box<Context>,
    /// Until the cookie has come.
    cookie: Option<Cookie>,
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
        if let Some(cookie) = &mut self.cookie {
            if !cookie.demand(&self.context) {
                return Step::Waiting;
            }
            self.cookie = None;
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
