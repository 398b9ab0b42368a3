//! Which implementations there are.

use anyhow::{bail, ensure};

use crate::{Endpoint, Settings, Side, Suite, Version};

/// An implementation of DTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Library {
    /// OpenSSL, as the system has it.
    OpenSsl,
    /// GnuTLS, as the system has it.
    GnuTls,
    /// Mbed TLS, built by the crate `mbedtls-rs-sys`.
    MbedTls,
    /// wolfSSL, built by the crate `wolfssl-sys`.
    WolfSsl,
    /// dimpl, a crate, with AWS-LC.
    Dimpl,
    /// tinydtls, built by the crate `tinydtls-sys`.
    TinyDtls,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::OpenSsl, Self::GnuTls, Self::MbedTls, Self::WolfSsl, Self::Dimpl, Self::TinyDtls];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "OpenSSL",
            Self::GnuTls => "GnuTLS",
            Self::MbedTls => "Mbed TLS",
            Self::WolfSsl => "wolfSSL",
            Self::Dimpl => "dimpl",
            Self::TinyDtls => "tinydtls",
        }
    }

    /// The Cargo feature that links it.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::GnuTls => "gnutls",
            Self::MbedTls => "mbedtls",
            Self::WolfSsl => "wolfssl",
            Self::Dimpl => "dimpl",
            Self::TinyDtls => "tinydtls",
        }
    }

    /// The Debian packages that its feature needs.
    #[must_use]
    pub const fn packages(self) -> &'static str {
        match self {
            Self::OpenSsl => "gcc libssl-dev pkg-config",
            Self::GnuTls => "gcc libgnutls28-dev",
            Self::MbedTls => "gcc cmake clang libclang-dev",
            Self::WolfSsl => "gcc autoconf automake libtool make patch clang libclang-dev",
            Self::Dimpl => "gcc cmake",
            Self::TinyDtls => "gcc autoconf automake make clang libclang-dev",
        }
    }

    /// The suite that it is tried and measured with: ours, if it has that.
    #[must_use]
    pub const fn suite(self) -> Suite {
        match self {
            Self::OpenSsl | Self::GnuTls | Self::MbedTls | Self::WolfSsl => Suite::ChaCha20Poly1305,
            Self::Dimpl | Self::TinyDtls => Suite::Aes128Ccm8,
        }
    }

    /// Whether it speaks that version, with pre-shared keys.
    #[must_use]
    pub const fn speaks(self, version: Version) -> bool {
        match version {
            Version::Dtls12 => true,
            Version::Dtls13 => matches!(self, Self::WolfSsl),
        }
    }

    /// Whether its server demands a cookie even if it is told not to.
    #[must_use]
    pub const fn always_demands_cookie(self, version: Version) -> bool {
        match self {
            Self::TinyDtls => true,
            Self::WolfSsl => matches!(version, Version::Dtls12),
            Self::OpenSsl | Self::GnuTls | Self::MbedTls | Self::Dimpl => false,
        }
    }

    /// The version that is linked; `None` if none is.
    #[must_use]
    pub fn version(self) -> Option<String> {
        match self {
            #[cfg(feature = "openssl")]
            Self::OpenSsl => Some(crate::openssl::version()),
            #[cfg(feature = "gnutls")]
            Self::GnuTls => Some(crate::gnutls::version()),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls => Some(crate::mbedtls::version()),
            #[cfg(feature = "wolfssl")]
            Self::WolfSsl => Some(crate::wolfssl::version()),
            #[cfg(feature = "dimpl")]
            Self::Dimpl => Some(crate::dimpl::version()),
            #[cfg(feature = "tinydtls")]
            Self::TinyDtls => Some(crate::tinydtls::version()),
            #[allow(unreachable_patterns, reason = "with all features there is no other")]
            _ => None,
        }
    }

    /// What is to be done about a library that is not linked.
    #[must_use]
    pub fn how_to_link(self) -> String {
        let (name, feature, packages) = (self.name(), self.feature(), self.packages());
        format!(
            "{name} is not linked: install {packages}, and build with `--features {feature}` \
             (all peers: `--features peers`)"
        )
    }

    /// An endpoint for `side`.
    ///
    /// # Errors
    /// If the library is not linked, or does not take the settings.
    pub fn endpoint(self, side: Side, settings: &Settings) -> anyhow::Result<Box<dyn Endpoint>> {
        let (name, version) = (self.name(), settings.version);
        ensure!(self.speaks(version), "{name} does not speak {version:?} with pre-shared keys");
        match self {
            #[cfg(feature = "openssl")]
            Self::OpenSsl => crate::openssl::endpoint(side, settings),
            #[cfg(feature = "gnutls")]
            Self::GnuTls => crate::gnutls::endpoint(side, settings),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls => crate::mbedtls::endpoint(side, settings),
            #[cfg(feature = "wolfssl")]
            Self::WolfSsl => crate::wolfssl::endpoint(side, settings),
            #[cfg(feature = "dimpl")]
            Self::Dimpl => crate::dimpl::endpoint(side, settings),
            #[cfg(feature = "tinydtls")]
            Self::TinyDtls => crate::tinydtls::endpoint(side, settings),
            #[allow(unreachable_patterns, reason = "with all features there is no other")]
            _ => {
                let _ = side;
                bail!(self.how_to_link())
            }
        }
    }
}
