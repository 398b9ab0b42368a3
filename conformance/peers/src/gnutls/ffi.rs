//! What is used of `gnutls/gnutls.h` and `gnutls/dtls.h`, GnuTLS 3.7.

use std::ffi::{c_char, c_int, c_uint, c_void};

pub(super) const SERVER: c_uint = 1;
pub(super) const CLIENT: c_uint = 1 << 1;
pub(super) const DATAGRAM: c_uint = 1 << 2;
pub(super) const NONBLOCK: c_uint = 1 << 3;
pub(super) const CREDENTIALS_PSK: c_int = 4;
pub(super) const PSK_KEY_RAW: c_int = 0;
pub(super) const NAME_DNS: c_int = 1;
pub(super) const SHUT_WR: c_int = 1;
pub(super) const FATAL_ALERT_RECEIVED: c_int = -12;
pub(super) const WARNING_ALERT_RECEIVED: c_int = -16;
pub(super) const AGAIN: c_int = -28;
pub(super) const INTERRUPTED: c_int = -52;

/// `gnutls_session_t`.
pub(super) type Session = *mut c_void;

/// `gnutls_priority_t`.
pub(super) type Priority = *mut c_void;

/// `gnutls_datum_t`: bytes, which it does not own.
#[repr(C)]
pub(super) struct Datum {
    pub(super) data: *mut u8,
    pub(super) size: c_uint,
}

impl Datum {
    /// The bytes of `of`, to be read only, and only as long as it lives.
    pub(super) fn of(of: &[u8]) -> Self {
        Self { data: of.as_ptr().cast_mut(), size: of.len() as c_uint }
    }
}

/// `gnutls_dtls_prestate_st`.
#[repr(C)]
#[derive(Default)]
pub(super) struct Prestate {
    record_seq: c_uint,
    hsk_read_seq: c_uint,
    hsk_write_seq: c_uint,
}

pub(super) type Push = unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> isize;
pub(super) type Pull = unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> isize;
pub(super) type PullTimeout = unsafe extern "C" fn(*mut c_void, c_uint) -> c_int;
pub(super) type FindKey = unsafe extern "C" fn(Session, *const c_char, *mut Datum) -> c_int;

#[link(name = "gnutls")]
unsafe extern "C" {
    pub(super) static gnutls_malloc: unsafe extern "C" fn(usize) -> *mut c_void;

    pub(super) fn gnutls_check_version(required: *const c_char) -> *const c_char;
    pub(super) fn gnutls_strerror(error: c_int) -> *const c_char;
    pub(super) fn gnutls_error_is_fatal(error: c_int) -> c_int;

    pub(super) fn gnutls_init(session: *mut Session, flags: c_uint) -> c_int;
    pub(super) fn gnutls_deinit(session: Session);
    pub(super) fn gnutls_session_set_ptr(session: Session, pointer: *mut c_void);
    pub(super) fn gnutls_session_get_ptr(session: Session) -> *mut c_void;
    pub(super) fn gnutls_priority_init(
        priority: *mut Priority,
        text: *const c_char,
        error_position: *mut *const c_char,
    ) -> c_int;
    pub(super) fn gnutls_priority_set(session: Session, priority: Priority) -> c_int;
    pub(super) fn gnutls_priority_deinit(priority: Priority);
    pub(super) fn gnutls_credentials_set(
        session: Session,
        kind: c_int,
        credentials: *mut c_void,
    ) -> c_int;
    pub(super) fn gnutls_server_name_set(
        session: Session,
        kind: c_int,
        name: *const c_void,
        length: usize,
    ) -> c_int;

    pub(super) fn gnutls_psk_allocate_client_credentials(credentials: *mut *mut c_void) -> c_int;
    pub(super) fn gnutls_psk_free_client_credentials(credentials: *mut c_void);
    pub(super) fn gnutls_psk_set_client_credentials(
        credentials: *mut c_void,
        name: *const c_char,
        key: *const Datum,
        format: c_int,
    ) -> c_int;
    pub(super) fn gnutls_psk_allocate_server_credentials(credentials: *mut *mut c_void) -> c_int;
    pub(super) fn gnutls_psk_free_server_credentials(credentials: *mut c_void);
    pub(super) fn gnutls_psk_set_server_credentials_function(
        credentials: *mut c_void,
        function: FindKey,
    );
    pub(super) fn gnutls_psk_set_server_credentials_hint(
        credentials: *mut c_void,
        hint: *const c_char,
    ) -> c_int;

    pub(super) fn gnutls_transport_set_ptr(session: Session, pointer: *mut c_void);
    pub(super) fn gnutls_transport_set_push_function(session: Session, function: Push);
    pub(super) fn gnutls_transport_set_pull_function(session: Session, function: Pull);
    pub(super) fn gnutls_transport_set_pull_timeout_function(
        session: Session,
        function: PullTimeout,
    );
    pub(super) fn gnutls_transport_set_errno(session: Session, error: c_int);

    pub(super) fn gnutls_dtls_set_timeouts(session: Session, repetition: c_uint, total: c_uint);
    pub(super) fn gnutls_dtls_set_mtu(session: Session, mtu: c_uint);
    pub(super) fn gnutls_dtls_get_data_mtu(session: Session) -> c_uint;
    pub(super) fn gnutls_dtls_cookie_send(
        key: *const Datum,
        client: *const c_void,
        client_length: usize,
        state: *mut Prestate,
        pointer: *mut c_void,
        function: Push,
    ) -> c_int;
    pub(super) fn gnutls_dtls_cookie_verify(
        key: *const Datum,
        client: *const c_void,
        client_length: usize,
        message: *const c_void,
        message_length: usize,
        state: *mut Prestate,
    ) -> c_int;
    pub(super) fn gnutls_dtls_prestate_set(session: Session, state: *const Prestate);

    pub(super) fn gnutls_handshake(session: Session) -> c_int;
    pub(super) fn gnutls_record_send(
        session: Session,
        payload: *const c_void,
        length: usize,
    ) -> isize;
    pub(super) fn gnutls_record_recv(session: Session, buffer: *mut c_void, length: usize)
    -> isize;
    pub(super) fn gnutls_bye(session: Session, how: c_int) -> c_int;
    pub(super) fn gnutls_alert_get(session: Session) -> c_int;
    pub(super) fn gnutls_alert_send_appropriate(session: Session, error: c_int) -> c_int;
}
