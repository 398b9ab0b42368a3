//! OpenSSL, through the crate `openssl`.

use std::ffi::CString;
use std::io::{self, Read, Write};

use anyhow::Context as _;
use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslRef, SslStream,
    SslVersion,
};

use crate::{Endpoint, Session, Settings, Side, Step, Transport};

const SUITE: &str = "PSK-CHACHA20-POLY1305";
const COOKIE: &[u8] = b"a cookie for tests only";
/// `SSL_OP_NO_EXTENDED_MASTER_SECRET`, which the crate has no name for.
const NO_EXTENDED_MASTER_SECRET: u64 = 1;
/// The greatest payload of a record (RFC 5246 section 6.2.1).
const MAX_PAYLOAD: usize = 1 << 14;

/// Its version.
pub(super) fn version() -> String {
    let version = openssl::version::version();
    version.split(' ').nth(1).unwrap_or(version).to_owned()
}

/// An endpoint for `side`.
pub(super) fn endpoint(side: Side, settings: &Settings) -> anyhow::Result<Box<dyn Endpoint>> {
    let context = context(side, settings)?;
    let server_name = settings.server_name.clone();
    let max_datagram = u32::from(settings.max_datagram.unwrap_or(u16::MAX));
    Ok(Box::new(OpenSslEndpoint { side, context, server_name, max_datagram }))
}

struct OpenSslEndpoint {
    side: Side,
    context: SslContext,
    server_name: Option<String>,
    max_datagram: u32,
}

impl Endpoint for OpenSslEndpoint {
    fn session(&self, transport: Box<dyn Transport>) -> anyhow::Result<Box<dyn Session>> {
        let mut ssl = Ssl::new(&self.context)?;
        match self.side {
            Side::Client => ssl.set_connect_state(),
            Side::Server => ssl.set_accept_state(),
        }
        if let (Side::Client, Some(name)) = (self.side, &self.server_name) {
            ssl.set_hostname(name)?;
        }
        ssl.set_mtu(self.max_datagram)?;
        quick_timer::set(&mut ssl);
        Ok(Box::new(OpenSsl(SslStream::new(ssl, Stream(transport))?)))
    }
}

fn context(side: Side, settings: &Settings) -> anyhow::Result<SslContext> {
    let method = match side {
        Side::Client => SslMethod::dtls_client(),
        Side::Server => SslMethod::dtls_server(),
    };
    let mut context = SslContextBuilder::new(method)?;
    context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
    context.set_cipher_list(SUITE)?;
    // Our transport can't be asked for its MTU.
    context.set_options(SslOptions::NO_QUERY_MTU);
    // Nobody resumes: a ticket would only make a handshake longer.
    context.set_options(SslOptions::NO_TICKET);
    if settings.cookie {
        context.set_options(SslOptions::COOKIE_EXCHANGE);
    }
    if !settings.extended_master_secret {
        context.set_options(SslOptions::from_bits_retain(NO_EXTENDED_MASTER_SECRET as _));
    }
    context.set_cookie_generate_cb(|_, cookie| put(cookie, COOKIE));
    context.set_cookie_verify_cb(|_, cookie| cookie == COOKIE);
    let (identity, key) = (CString::new(settings.identity.as_str())?, settings.key.clone());
    match side {
        Side::Client => context.set_psk_client_callback(move |_, _, name, secret| {
            put(name, identity.as_bytes_with_nul())?;
            put(secret, &key)
        }),
        Side::Server => {
            context.set_psk_server_callback(move |_: &mut SslRef, name, secret| {
                if name == Some(identity.as_bytes()) { put(secret, &key) } else { Ok(0) }
            });
            if let Some(hint) = &settings.hint {
                let hint = CString::new(hint.as_str())?;
                identity_hint::set(&mut context, &hint)
                    .context("OpenSSL does not take the hint")?;
            }
        }
    }
    Ok(context.build())
}

/// Puts `bytes` at the start of `buffer`; gives their length, or 0 if they don't fit.
fn put(buffer: &mut [u8], bytes: &[u8]) -> Result<usize, ErrorStack> {
    let Some(buffer) = buffer.get_mut(..bytes.len()) else { return Ok(0) };
    buffer.copy_from_slice(bytes);
    Ok(bytes.len())
}

/// A transport as the crate wants it.
struct Stream(Box<dyn Transport>);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.receive(buffer).ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Stream {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.0.send(datagram);
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct OpenSsl(SslStream<Stream>);

impl Session for OpenSsl {
    fn handshake(&mut self) -> Step<()> {
        step(self.0.do_handshake())
    }

    fn send(&mut self, payload: &[u8]) -> Step<()> {
        step(self.0.ssl_write(payload).map(drop))
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Step<usize> {
        step(self.0.ssl_read(buffer))
    }

    fn max_payload(&self) -> usize {
        MAX_PAYLOAD
    }

    fn close(&mut self) -> Step<()> {
        step(self.0.shutdown().map(drop))
    }
}

fn step<T>(result: Result<T, openssl::ssl::Error>) -> Step<T> {
    result.map_or_else(
        |error| match error.code() {
            ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Step::Waiting,
            ErrorCode::ZERO_RETURN => Step::Closed,
            _ => Step::Failed(error.to_string()),
        },
        Step::Done,
    )
}

/// The time before a flight is repeated, which the crate can't set.
#[allow(unsafe_code)]
mod quick_timer {
    use std::ffi::c_uint;

    use foreign_types::ForeignTypeRef as _;
    use openssl::ssl::Ssl;
    use openssl_sys::SSL;

    use crate::RETRANSMISSION;

    /// What the time grows to at most, in microseconds.
    const LIMIT: c_uint = 2_000_000;

    type Timer = extern "C" fn(*mut SSL, c_uint) -> c_uint;

    unsafe extern "C" {
        fn DTLS_set_timer_cb(ssl: *mut SSL, timer: Option<Timer>);
    }

    /// The wait, in microseconds, that follows `last`; 0 stands for no wait yet.
    extern "C" fn next(_: *mut SSL, last: c_uint) -> c_uint {
        match last {
            0 => RETRANSMISSION.as_micros() as c_uint,
            last => last.saturating_mul(2).min(LIMIT),
        }
    }

    pub(super) fn set(ssl: &mut Ssl) {
        // SAFETY: the pointer is that of a live `SSL`; the function takes it and the
        // callback, which is a plain function, and keeps nothing else.
        unsafe { DTLS_set_timer_cb(ssl.as_ptr(), Some(next)) }
    }
}

/// The identity hint, which the crate can't set.
#[allow(unsafe_code)]
mod identity_hint {
    use std::ffi::{CStr, c_char, c_int};

    use anyhow::ensure;
    use openssl::ssl::SslContextBuilder;
    use openssl_sys::SSL_CTX;

    unsafe extern "C" {
        fn SSL_CTX_use_psk_identity_hint(context: *mut SSL_CTX, hint: *const c_char) -> c_int;
    }

    pub(super) fn set(context: &mut SslContextBuilder, hint: &CStr) -> anyhow::Result<()> {
        // SAFETY: the pointer is that of a live `SSL_CTX`; the hint is a C string, and
        // is copied.
        let taken = unsafe { SSL_CTX_use_psk_identity_hint(context.as_ptr(), hint.as_ptr()) };
        ensure!(taken == 1, "OpenSSL said {taken}");
        Ok(())
    }
}
