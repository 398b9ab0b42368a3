//! How wolfSSL asks for the key, and for its name.

use std::ffi::{CStr, c_char, c_uchar, c_uint};

use wolfssl_sys as ffi;

use super::{Psk, SUITE_OF_DTLS13, resources};

pub(super) unsafe extern "C" fn client(
    ssl: *mut ffi::WOLFSSL,
    _hint: *const c_char,
    name: *mut c_char,
    name_size: c_uint,
    key: *mut c_uchar,
    key_size: c_uint,
) -> c_uint {
    // SAFETY: wolfSSL gives the session, and room for a name and the zero byte at its
    // end, since it sizes them so; and for as long a key as it says.
    unsafe {
        let psk = &resources(ffi::wolfSSL_get_psk_callback_ctx(ssl)).psk;
        let identity = psk.identity.as_bytes_with_nul();
        if identity.len() > name_size as usize + 1 {
            return 0;
        }
        name.cast::<u8>().copy_from_nonoverlapping(identity.as_ptr(), identity.len());
        put_key(psk, key, key_size)
    }
}

pub(super) unsafe extern "C" fn server(
    ssl: *mut ffi::WOLFSSL,
    name: *const c_char,
    key: *mut c_uchar,
    key_size: c_uint,
) -> c_uint {
    // SAFETY: wolfSSL gives the session, a C string, and room for as long a key as it
    // says.
    unsafe {
        let psk = &resources(ffi::wolfSSL_get_psk_callback_ctx(ssl)).psk;
        if CStr::from_ptr(name) != psk.identity.as_c_str() {
            return 0;
        }
        put_key(psk, key, key_size)
    }
}

pub(super) unsafe extern "C" fn client_of_dtls13(
    ssl: *mut ffi::WOLFSSL,
    hint: *const c_char,
    name: *mut c_char,
    name_size: c_uint,
    key: *mut c_uchar,
    key_size: c_uint,
    suite: *mut *const c_char,
) -> c_uint {
    // SAFETY: as for `client`; the suite may be written, and its name is static.
    unsafe {
        *suite = SUITE_OF_DTLS13.as_ptr();
        client(ssl, hint, name, name_size, key, key_size)
    }
}

pub(super) unsafe extern "C" fn server_of_dtls13(
    ssl: *mut ffi::WOLFSSL,
    name: *const c_char,
    key: *mut c_uchar,
    key_size: c_uint,
    suite: *mut *const c_char,
) -> c_uint {
    // SAFETY: as for `server`; the suite may be written, and its name is static.
    unsafe {
        *suite = SUITE_OF_DTLS13.as_ptr();
        server(ssl, name, key, key_size)
    }
}

/// Puts the key to `key`; gives its length, or 0 if it does not fit.
///
/// # Safety
/// `key` has room for `key_size` bytes.
unsafe fn put_key(psk: &Psk, key: *mut c_uchar, key_size: c_uint) -> c_uint {
    let length = psk.key.len();
    if length > key_size as usize {
        return 0;
    }
    // SAFETY: it fits.
    unsafe { key.copy_from_nonoverlapping(psk.key.as_ptr(), length) };
    length as c_uint
}
