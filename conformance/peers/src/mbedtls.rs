//! Mbed TLS, through the crate `mbedtls-rs-sys`.
#![allow(unsafe_code)]

mod timer;

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::slice;

use anyhow::ensure;
use mbedtls_rs_sys as ffi;

use crate::{Endpoint, RETRANSMISSION, Session, Settings, Side, Step, Transport};
use timer::Timer;

/// `mbedtls_ssl_conf_ciphersuites` keeps a pointer to it; 0 ends it.
static SUITES: [c_int; 2] = [ffi::MBEDTLS_TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 as c_int, 0];
/// What the time before a flight is repeated grows to, in milliseconds. One that
/// would be more ends the handshake.
const REPETITION_LIMIT: u32 = 60_000;
/// The name of the client in its cookie; there is only one.
const CLIENT: &[u8] = b"client";
/// `PSA_ERROR_INSUFFICIENT_ENTROPY`.
const INSUFFICIENT_ENTROPY: ffi::psa_status_t = -148;

/// Its version.
pub(super) fn version() -> String {
    String::from_utf8_lossy(ffi::MBEDTLS_VERSION_STRING).trim_end_matches('\0').to_owned()
}

/// An endpoint for `side`.
pub(super) fn endpoint(side: Side, settings: &Settings) -> anyhow::Result<Box<dyn Endpoint>> {
    let config = Config::new();
    config.configure(side, settings)?;
    let server_name = settings.server_name.as_deref().map(CString::new).transpose()?;
    let max_datagram = settings.max_datagram.unwrap_or(0);
    Ok(Box::new(MbedTlsEndpoint { side, config: Rc::new(config), server_name, max_datagram }))
}

fn check(what: &str, result: c_int) -> anyhow::Result<()> {
    ensure!(result == 0, "{what}: {}", message(result));
    Ok(())
}

fn message(error: c_int) -> String {
    match error {
        ffi::MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE => "a fatal alert has come".to_owned(),
        ffi::MBEDTLS_ERR_SSL_TIMEOUT => "no answer".to_owned(),
        _ => ffi::MbedtlsError::new(error).to_string(),
    }
}

/// What all sessions of an endpoint have in common, and keep pointers to.
struct Common {
    config: ffi::mbedtls_ssl_config,
    cookies: ffi::mbedtls_ssl_cookie_ctx,
}

/// It stays where it is, and is reached through this pointer only.
struct Config(*mut Common);

impl Config {
    fn new() -> Self {
        // SAFETY: both are C structures, for which zeros are valid.
        let common = Box::into_raw(Box::new(unsafe {
            Common { config: std::mem::zeroed(), cookies: std::mem::zeroed() }
        }));
        // SAFETY: each structure is initialized once, before any other use.
        unsafe {
            ffi::mbedtls_ssl_config_init(&raw mut (*common).config);
            ffi::mbedtls_ssl_cookie_init(&raw mut (*common).cookies);
        }
        Self(common)
    }

    fn config(&self) -> *mut ffi::mbedtls_ssl_config {
        // SAFETY: it is live.
        unsafe { &raw mut (*self.0).config }
    }

    fn configure(&self, side: Side, settings: &Settings) -> anyhow::Result<()> {
        let config = self.config();
        let endpoint = match side {
            Side::Client => ffi::MBEDTLS_SSL_IS_CLIENT,
            Side::Server => ffi::MBEDTLS_SSL_IS_SERVER,
        };
        let extended = match settings.extended_master_secret {
            true => ffi::MBEDTLS_SSL_EXTENDED_MS_ENABLED,
            false => ffi::MBEDTLS_SSL_EXTENDED_MS_DISABLED,
        };
        // SAFETY: the configuration was initialized. The key and its name are copied;
        // the suites are static, and the callbacks are plain functions.
        let results = unsafe {
            let defaults = ffi::mbedtls_ssl_config_defaults(
                config,
                endpoint as c_int,
                ffi::MBEDTLS_SSL_TRANSPORT_DATAGRAM as c_int,
                ffi::MBEDTLS_SSL_PRESET_DEFAULT as c_int,
            );
            ffi::mbedtls_ssl_conf_rng(config, Some(random), ptr::null_mut());
            ffi::mbedtls_ssl_conf_ciphersuites(config, SUITES.as_ptr());
            ffi::mbedtls_ssl_conf_extended_master_secret(config, extended as c_char);
            let first = RETRANSMISSION.as_millis() as u32;
            ffi::mbedtls_ssl_conf_handshake_timeout(config, first, REPETITION_LIMIT);
            let psk = ffi::mbedtls_ssl_conf_psk(
                config,
                settings.key.as_ptr(),
                settings.key.len(),
                settings.identity.as_ptr(),
                settings.identity.len(),
            );
            [defaults, psk]
        };
        check("mbedtls_ssl_config_defaults", results[0])?;
        check("mbedtls_ssl_conf_psk", results[1])?;
        if side == Side::Server {
            self.configure_cookies(settings.cookie)?;
        }
        Ok(())
    }

    fn configure_cookies(&self, demanded: bool) -> anyhow::Result<()> {
        let config = self.config();
        // SAFETY: it is live.
        let cookies = unsafe { &raw mut (*self.0).cookies };
        if demanded {
            // SAFETY: both structures were initialized. The configuration keeps the
            // pointer to the cookies' secret, which stays where it is.
            check("mbedtls_ssl_cookie_setup", unsafe {
                ffi::mbedtls_ssl_conf_dtls_cookies(
                    config,
                    Some(ffi::mbedtls_ssl_cookie_write),
                    Some(ffi::mbedtls_ssl_cookie_check),
                    cookies.cast(),
                );
                ffi::mbedtls_ssl_cookie_setup(cookies, Some(random), ptr::null_mut())
            })
        } else {
            // SAFETY: the configuration was initialized.
            unsafe { ffi::mbedtls_ssl_conf_dtls_cookies(config, None, None, ptr::null_mut()) };
            Ok(())
        }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: each was initialized, and no session uses them any more: they keep
        // this alive. The box was made by `new`.
        unsafe {
            ffi::mbedtls_ssl_config_free(&raw mut (*self.0).config);
            ffi::mbedtls_ssl_cookie_free(&raw mut (*self.0).cookies);
            drop(Box::from_raw(self.0));
        }
    }
}

struct MbedTlsEndpoint {
    side: Side,
    config: Rc<Config>,
    server_name: Option<CString>,
    /// The greatest datagram, in bytes; 0 for any.
    max_datagram: u16,
}

impl Endpoint for MbedTlsEndpoint {
    fn session(&self, transport: Box<dyn Transport>) -> anyhow::Result<Box<dyn Session>> {
        let session = MbedTls::new(transport, self.config.clone());
        session.connect(self)?;
        Ok(Box::new(session))
    }
}

/// A session and what it alone keeps pointers to.
struct State {
    ssl: ffi::mbedtls_ssl_context,
    timer: Timer,
    transport: Box<dyn Transport>,
}

/// A session. Its state stays where it is, and is reached through this pointer only.
struct MbedTls {
    state: *mut State,
    config: Rc<Config>,
}

impl MbedTls {
    fn new(transport: Box<dyn Transport>, config: Rc<Config>) -> Self {
        // SAFETY: the first is a C structure, for which zeros are valid.
        let ssl = unsafe { std::mem::zeroed() };
        let state = Box::into_raw(Box::new(State { ssl, timer: Timer::default(), transport }));
        // SAFETY: it is initialized once, before any other use.
        unsafe { ffi::mbedtls_ssl_init(&raw mut (*state).ssl) };
        Self { state, config }
    }

    fn ssl(&self) -> *mut ffi::mbedtls_ssl_context {
        // SAFETY: the state is live.
        unsafe { &raw mut (*self.state).ssl }
    }

    fn connect(&self, endpoint: &MbedTlsEndpoint) -> anyhow::Result<()> {
        let (state, ssl) = (self.state, self.ssl());
        // SAFETY: the configuration is ready, and lives as long as the session, as do
        // the timer and the transport; the session keeps pointers to all of them.
        check("mbedtls_ssl_setup", unsafe {
            let transport = (&raw mut (*state).transport).cast();
            ffi::mbedtls_ssl_set_bio(ssl, transport, Some(send), Some(receive), None);
            let timer = (&raw mut (*state).timer).cast();
            ffi::mbedtls_ssl_set_timer_cb(ssl, timer, Some(timer::set), Some(timer::get));
            ffi::mbedtls_ssl_set_mtu(ssl, endpoint.max_datagram);
            ffi::mbedtls_ssl_setup(ssl, self.config.config())
        })?;
        match (endpoint.side, &endpoint.server_name) {
            (Side::Server, _) => self.name_client(),
            (Side::Client, None) => Ok(()),
            // SAFETY: the session is ready; the name is copied.
            (Side::Client, Some(name)) => check("mbedtls_ssl_set_hostname", unsafe {
                ffi::mbedtls_ssl_set_hostname(ssl, name.as_ptr())
            }),
        }
    }

    /// Tells a server whom it talks to, which its cookies are bound to.
    fn name_client(&self) -> anyhow::Result<()> {
        // SAFETY: the session is ready; the name is copied.
        check("mbedtls_ssl_set_client_transport_id", unsafe {
            ffi::mbedtls_ssl_set_client_transport_id(self.ssl(), CLIENT.as_ptr(), CLIENT.len())
        })
    }

    /// Begins anew after a demand for a cookie, of which a server keeps nothing.
    fn restart(&self) -> Step<()> {
        // SAFETY: the session is ready.
        let reset = unsafe { ffi::mbedtls_ssl_session_reset(self.ssl()) };
        match check("mbedtls_ssl_session_reset", reset).and_then(|()| self.name_client()) {
            Ok(()) => Step::Waiting,
            Err(error) => Step::Failed(error.to_string()),
        }
    }
}

impl Drop for MbedTls {
    fn drop(&mut self) {
        // SAFETY: it was initialized, and is not used any more; the box was made by
        // `new`.
        unsafe {
            ffi::mbedtls_ssl_free(&raw mut (*self.state).ssl);
            drop(Box::from_raw(self.state));
        }
    }
}

fn step<T>(result: c_int, done: T) -> Step<T> {
    match result {
        0.. => Step::Done(done),
        ffi::MBEDTLS_ERR_SSL_WANT_READ | ffi::MBEDTLS_ERR_SSL_WANT_WRITE => Step::Waiting,
        ffi::MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY => Step::Closed,
        error => Step::Failed(message(error)),
    }
}

impl Session for MbedTls {
    fn handshake(&mut self) -> Step<()> {
        // SAFETY: the session is ready.
        match unsafe { ffi::mbedtls_ssl_handshake(self.ssl()) } {
            ffi::MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED => self.restart(),
            result => step(result, ()),
        }
    }

    fn send(&mut self, payload: &[u8]) -> Step<()> {
        // SAFETY: the session is ready; the payload is read during the call.
        let result = unsafe { ffi::mbedtls_ssl_write(self.ssl(), payload.as_ptr(), payload.len()) };
        step(result, ())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Step<usize> {
        // SAFETY: the session is ready; the buffer is written during the call.
        let result =
            unsafe { ffi::mbedtls_ssl_read(self.ssl(), buffer.as_mut_ptr(), buffer.len()) };
        step(result, result.unsigned_abs() as usize)
    }

    fn max_payload(&self) -> usize {
        // SAFETY: the session is ready; the function gives a number.
        let length = unsafe { ffi::mbedtls_ssl_get_max_out_record_payload(self.ssl()) };
        usize::try_from(length).unwrap_or_default()
    }

    fn close(&mut self) -> Step<()> {
        // SAFETY: the session is ready.
        step(unsafe { ffi::mbedtls_ssl_close_notify(self.ssl()) }, ())
    }
}

unsafe extern "C" fn send(transport: *mut c_void, bytes: *const u8, length: usize) -> c_int {
    // SAFETY: the library gives the transport, which is live, and as many bytes as it
    // says.
    unsafe {
        (*transport.cast::<Box<dyn Transport>>()).send(slice::from_raw_parts(bytes, length));
    }
    length as c_int
}

unsafe extern "C" fn receive(transport: *mut c_void, bytes: *mut u8, length: usize) -> c_int {
    // SAFETY: the library gives the transport, which is live, and room for as many
    // bytes as it says.
    let received = unsafe {
        (*transport.cast::<Box<dyn Transport>>()).receive(slice::from_raw_parts_mut(bytes, length))
    };
    received.map_or(ffi::MBEDTLS_ERR_SSL_WANT_READ, |length| length as c_int)
}

unsafe extern "C" fn random(_: *mut c_void, bytes: *mut u8, length: usize) -> c_int {
    // SAFETY: the library gives room for as many bytes as it says.
    let bytes = unsafe { slice::from_raw_parts_mut(bytes, length) };
    if getrandom::fill(bytes).is_ok() { 0 } else { -1 }
}

/// The random numbers of the library's other half, which the crate leaves to us.
///
/// # Safety
/// `bytes` has room for `size` bytes, and `length` may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn mbedtls_psa_external_get_random(
    _: *mut c_void,
    bytes: *mut u8,
    size: usize,
    length: *mut usize,
) -> ffi::psa_status_t {
    // SAFETY: as the caller promises.
    match unsafe { random(ptr::null_mut(), bytes, size) } {
        0 => {
            // SAFETY: as the caller promises.
            unsafe { *length = size };
            0
        }
        _ => INSUFFICIENT_ENTROPY,
    }
}
