//! What the sides are configured with.

use std::time::Duration;

use iot_crypto::dtls::{Config, CookiePolicy, ExtendedMasterSecret, ServerConfig};

use crate::input::Input;

/// Small tables, and times that are usual or extreme.
pub(super) fn config(input: &mut Input<'_>) -> ServerConfig {
    let seconds = Duration::from_secs;
    let dtls = Config {
        max_datagram: input.pick(&[1200, 128, 129, 160, 200, 300]),
        retransmission: input.pick(&[seconds(1), Duration::ZERO, seconds(10)]),
        retransmission_limit: input.pick(&[seconds(60), seconds(2)]),
        handshake_timeout: input.pick(&[seconds(30), seconds(5), Duration::ZERO]),
        extended_master_secret: input
            .pick(&[ExtendedMasterSecret::Required, ExtendedMasterSecret::Preferred]),
    };
    ServerConfig {
        dtls,
        cookies: input.pick(&[
            CookiePolicy::UnderLoad { half_open: 1 },
            CookiePolicy::Always,
            CookiePolicy::Never,
        ]),
        max_sessions: 1 + input.below(4),
        max_half_open: input.below(4),
        psk_timeout: input.pick(&[seconds(10), Duration::ZERO]),
    }
}
