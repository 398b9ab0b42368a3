//! What the sessions of GnuTLS authenticate themselves with.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr;

use super::ffi::Datum;
use super::{check, context, ffi};
use crate::{Settings, Side};

/// The credentials of a client or server, freed when no session needs them any more.
pub(super) enum Credentials {
    Client(*mut c_void),
    Server { credentials: *mut c_void, identity: CString, key: Vec<u8> },
}

impl Credentials {
    pub(super) fn new(side: Side, settings: &Settings) -> anyhow::Result<Self> {
        match side {
            Side::Client => Self::client(settings),
            Side::Server => Self::server(settings),
        }
    }

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

    pub(super) fn pointer(&self) -> *mut c_void {
        let (Self::Client(credentials) | Self::Server { credentials, .. }) = self;
        *credentials
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        match self {
            // SAFETY: they were allocated as such, and no session uses them any more:
            // those keep them alive.
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

/// Gives the key that belongs to a name, in memory that GnuTLS frees.
unsafe extern "C" fn find_key(
    session: ffi::Session,
    name: *const c_char,
    key: *mut Datum,
) -> c_int {
    // SAFETY: the pointer of the session is the context; the name is a C string.
    let (context, name) =
        unsafe { (context(ffi::gnutls_session_get_ptr(session)), CStr::from_ptr(name)) };
    let Credentials::Server { identity, key: secret, .. } = &context.shared.credentials else {
        return -1;
    };
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
