//! wolfSSL, through the crate `wolfssl-sys`.
#![allow(unsafe_code)]

mod psk;

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::rc::Rc;
use std::slice;
use std::sync::Once;
use std::time::{Duration, Instant};

use anyhow::ensure;
use wolfssl_sys as ffi;

use crate::{Endpoint, RETRANSMISSION, Session, Settings, Side, Step, Transport, Version};

const SUITE: &CStr = c"PSK-CHACHA20-POLY1305";
const SUITE_OF_DTLS13: &CStr = c"TLS13-CHACHA20-POLY1305-SHA256";
const SUCCESS: c_int = ffi::WOLFSSL_SUCCESS as c_int;
const WANT_READ: c_int = ffi::WOLFSSL_ERROR_WANT_READ as c_int;
const WANT_WRITE: c_int = ffi::WOLFSSL_ERROR_WANT_WRITE as c_int;
const ZERO_RETURN: c_int = ffi::WOLFSSL_ERROR_ZERO_RETURN as c_int;
/// The greatest datagram that can be set, in bytes.
const MAX_DATAGRAM: u16 = 1 << 14;
/// What the time before a flight is repeated grows to at most.
const REPETITION_LIMIT: Duration = Duration::from_secs(2);

static INITIALIZED: Once = Once::new();

/// Its version.
pub(super) fn version() -> String {
    // SAFETY: the function gives a constant string.
    unsafe { CStr::from_ptr(ffi::wolfSSL_lib_version()) }.to_string_lossy().into_owned()
}

/// An endpoint for `side`.
pub(super) fn endpoint(side: Side, settings: &Settings) -> anyhow::Result<Box<dyn Endpoint>> {
    // SAFETY: the function may be called whenever there is no session yet.
    INITIALIZED.call_once(|| unsafe {
        ffi::wolfSSL_Init();
    });
    let psk =
        Psk { identity: CString::new(settings.identity.as_str())?, key: settings.key.clone() };
    let context = context(side, settings.version)?;
    let this = WolfSslEndpoint { context, side, psk: Rc::new(psk), settings: settings.clone() };
    this.configure()?;
    Ok(Box::new(this))
}

/// A context with the suite of that version, its callbacks and nothing else.
fn context(side: Side, version: Version) -> anyhow::Result<*mut ffi::WOLFSSL_CTX> {
    // SAFETY: the context owns the method. The callbacks are plain functions, and the
    // string is copied.
    let (context, result) = unsafe {
        let context = ffi::wolfSSL_CTX_new(match (version, side) {
            (Version::Dtls12, Side::Client) => ffi::wolfDTLSv1_2_client_method(),
            (Version::Dtls12, Side::Server) => ffi::wolfDTLSv1_2_server_method(),
            (Version::Dtls13, Side::Client) => ffi::wolfDTLSv1_3_client_method(),
            (Version::Dtls13, Side::Server) => ffi::wolfDTLSv1_3_server_method(),
        });
        ensure!(!context.is_null(), "wolfSSL_CTX_new gave no context");
        ffi::wolfSSL_CTX_SetIORecv(context, Some(receive));
        ffi::wolfSSL_CTX_SetIOSend(context, Some(send));
        let result = match version {
            Version::Dtls12 => {
                match side {
                    Side::Client => {
                        ffi::wolfSSL_CTX_set_psk_client_callback(context, Some(psk::client));
                    }
                    Side::Server => {
                        ffi::wolfSSL_CTX_set_psk_server_callback(context, Some(psk::server));
                    }
                }
                ffi::wolfSSL_CTX_set_cipher_list(context, SUITE.as_ptr())
            }
            Version::Dtls13 => {
                match side {
                    Side::Client => ffi::wolfSSL_CTX_set_psk_client_tls13_callback(
                        context,
                        Some(psk::client_of_dtls13),
                    ),
                    Side::Server => ffi::wolfSSL_CTX_set_psk_server_tls13_callback(
                        context,
                        Some(psk::server_of_dtls13),
                    ),
                }
                ffi::wolfSSL_CTX_no_dhe_psk(context);
                ffi::wolfSSL_CTX_set_cipher_list(context, SUITE_OF_DTLS13.as_ptr())
            }
        };
        (context, result)
    };
    ensure!(result == SUCCESS, "wolfSSL does not have the suite");
    Ok(context)
}

/// The key and its name.
struct Psk {
    identity: CString,
    key: Vec<u8>,
}

struct WolfSslEndpoint {
    context: *mut ffi::WOLFSSL_CTX,
    side: Side,
    psk: Rc<Psk>,
    settings: Settings,
}

impl WolfSslEndpoint {
    fn configure(&self) -> anyhow::Result<()> {
        let (context, settings) = (self.context, &self.settings);
        let extended = match settings.extended_master_secret {
            true => SUCCESS,
            // SAFETY: the context is live.
            false => unsafe { ffi::wolfSSL_CTX_DisableExtendedMasterSecret(context) },
        };
        let hint = match &settings.hint {
            Some(hint) if self.side == Side::Server => {
                let hint = CString::new(hint.as_str())?;
                // SAFETY: the context is live; the hint is copied.
                unsafe { ffi::wolfSSL_CTX_use_psk_identity_hint(context, hint.as_ptr()) }
            }
            _ => SUCCESS,
        };
        ensure!(extended == SUCCESS, "wolfSSL can't do without the extended master secret");
        ensure!(hint == SUCCESS, "wolfSSL does not take the hint");
        Ok(())
    }
}

impl Endpoint for WolfSslEndpoint {
    fn session(&self, transport: Box<dyn Transport>) -> anyhow::Result<Box<dyn Session>> {
        // SAFETY: the context is live; the session keeps it alive by itself.
        let ssl = unsafe { ffi::wolfSSL_new(self.context) };
        ensure!(!ssl.is_null(), "wolfSSL_new gave no session");
        let this = Box::new(WolfSsl {
            ssl,
            side: self.side,
            repeat_at: Instant::now() + RETRANSMISSION,
            interval: RETRANSMISSION,
            closing: false,
            resources: Box::new(Resources { transport, psk: self.psk.clone() }),
        });
        this.configure(&self.settings)?;
        Ok(this)
    }
}

impl Drop for WolfSslEndpoint {
    fn drop(&mut self) {
        // SAFETY: the context was made by `wolfSSL_CTX_new` and is not used here any more.
        unsafe { ffi::wolfSSL_CTX_free(self.context) }
    }
}

/// What a session's callbacks need.
struct Resources {
    transport: Box<dyn Transport>,
    psk: Rc<Psk>,
}

/// A session. The library keeps a pointer to the resources, which stay in their box
/// and are freed after it.
struct WolfSsl {
    ssl: *mut ffi::WOLFSSL,
    side: Side,
    /// When the flight is to be repeated, of which the library leaves the clock to us.
    repeat_at: Instant,
    interval: Duration,
    closing: bool,
    resources: Box<Resources>,
}

impl WolfSsl {
    fn configure(&self, settings: &Settings) -> anyhow::Result<()> {
        let resources: *mut c_void = ptr::from_ref(&*self.resources).cast_mut().cast();
        let max_datagram = settings.max_datagram.unwrap_or(MAX_DATAGRAM);
        // SAFETY: the session is live, and the resources are as long as it is.
        let result = unsafe {
            ffi::wolfSSL_SetIOReadCtx(self.ssl, resources);
            ffi::wolfSSL_SetIOWriteCtx(self.ssl, resources);
            ffi::wolfSSL_set_psk_callback_ctx(self.ssl, resources);
            ffi::wolfSSL_dtls_set_using_nonblock(self.ssl, 1);
            ffi::wolfSSL_dtls_set_mtu(self.ssl, max_datagram)
        };
        ensure!(result == SUCCESS, "wolfSSL does not take a datagram limit of {max_datagram}");
        if let (Side::Server, Version::Dtls13, false) =
            (self.side, settings.version, settings.cookie)
        {
            // SAFETY: the session is live.
            let result = unsafe { ffi::wolfSSL_disable_hrr_cookie(self.ssl) };
            ensure!(result == SUCCESS, "wolfSSL can't do without a cookie");
        }
        if let (Side::Client, Some(name)) = (self.side, &settings.server_name) {
            let length = u16::try_from(name.len())?;
            // SAFETY: the session is live; the name is copied.
            let result = unsafe {
                ffi::wolfSSL_UseSNI(
                    self.ssl,
                    ffi::WOLFSSL_SNI_HOST_NAME as u8,
                    name.as_ptr().cast(),
                    length,
                )
            };
            ensure!(result == SUCCESS, "wolfSSL does not take the server name");
        }
        Ok(())
    }

    fn step<T>(&self, result: c_int, done: T) -> Step<T> {
        if result > 0 {
            return Step::Done(done);
        }
        // SAFETY: the session is live, and `result` is that of its last call.
        match unsafe { ffi::wolfSSL_get_error(self.ssl, result) } {
            WANT_READ | WANT_WRITE => Step::Waiting,
            ZERO_RETURN => Step::Closed,
            error => Step::Failed(message(error)),
        }
    }

    /// Repeats the flight if that is due.
    fn run_timer(&mut self) -> Step<()> {
        if Instant::now() < self.repeat_at {
            return Step::Waiting;
        }
        self.interval = (self.interval * 2).min(REPETITION_LIMIT);
        self.repeat_at = Instant::now() + self.interval;
        // SAFETY: the session is live.
        match self.step(unsafe { ffi::wolfSSL_dtls_got_timeout(self.ssl) }, ()) {
            Step::Done(()) => Step::Waiting,
            step => step,
        }
    }
}

impl Drop for WolfSsl {
    fn drop(&mut self) {
        // SAFETY: the session was made by `wolfSSL_new` and is not used any more.
        unsafe { ffi::wolfSSL_free(self.ssl) }
    }
}

fn message(error: c_int) -> String {
    // SAFETY: the function gives a constant string for every number.
    let text = unsafe { ffi::wolfSSL_ERR_reason_error_string((error as c_uint).into()) };
    if text.is_null() {
        return format!("error {error}");
    }
    // SAFETY: it is not null.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

impl Session for WolfSsl {
    fn handshake(&mut self) -> Step<()> {
        // SAFETY: the session is live.
        let result = unsafe {
            match self.side {
                Side::Client => ffi::wolfSSL_connect(self.ssl),
                Side::Server => ffi::wolfSSL_accept(self.ssl),
            }
        };
        match self.step(result, ()) {
            Step::Waiting => self.run_timer(),
            step => step,
        }
    }

    fn send(&mut self, payload: &[u8]) -> Step<()> {
        // SAFETY: the session is live; the payload is read during the call.
        let result = unsafe {
            ffi::wolfSSL_write(self.ssl, payload.as_ptr().cast(), payload.len() as c_int)
        };
        self.step(result, ())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Step<usize> {
        if self.closing {
            // Only the function that closes takes the answer.
            // SAFETY: the session is live.
            return match unsafe { ffi::wolfSSL_shutdown(self.ssl) } {
                SUCCESS => Step::Closed,
                _ => Step::Waiting,
            };
        }
        // SAFETY: the session is live; the buffer is written during the call.
        let result = unsafe {
            ffi::wolfSSL_read(self.ssl, buffer.as_mut_ptr().cast(), buffer.len() as c_int)
        };
        self.step(result, result.unsigned_abs() as usize)
    }

    fn max_payload(&self) -> usize {
        // SAFETY: the session is live; the function gives a number.
        usize::try_from(unsafe { ffi::wolfSSL_GetMaxOutputSize(self.ssl) }).unwrap_or_default()
    }

    fn close(&mut self) -> Step<()> {
        self.closing = true;
        // SAFETY: the session is live.
        let result = unsafe { ffi::wolfSSL_shutdown(self.ssl) };
        self.step(result, ())
    }
}

/// The resources that `pointer` was made of.
///
/// # Safety
/// `pointer` is that which [`WolfSsl::configure`] gave away.
unsafe fn resources<'a>(pointer: *mut c_void) -> &'a Resources {
    // SAFETY: they live at least as long as the session that calls back, and are only
    // ever shared.
    unsafe { &*pointer.cast::<Resources>() }
}

unsafe extern "C" fn send(
    _: *mut ffi::WOLFSSL,
    bytes: *mut c_char,
    length: c_int,
    pointer: *mut c_void,
) -> c_int {
    let size = usize::try_from(length).unwrap_or_default();
    // SAFETY: wolfSSL gives the resources, and as many bytes as it says.
    unsafe {
        resources(pointer).transport.send(slice::from_raw_parts(bytes.cast(), size));
    }
    length
}

unsafe extern "C" fn receive(
    _: *mut ffi::WOLFSSL,
    bytes: *mut c_char,
    length: c_int,
    pointer: *mut c_void,
) -> c_int {
    let size = usize::try_from(length).unwrap_or_default();
    // SAFETY: wolfSSL gives the resources, and room for as many bytes as it says.
    let received = unsafe {
        resources(pointer).transport.receive(slice::from_raw_parts_mut(bytes.cast(), size))
    };
    received.map_or(ffi::IOerrors_WOLFSSL_CBIO_ERR_WANT_READ, |length| length as c_int)
}
