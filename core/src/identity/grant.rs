//! What an endorsement grants: the roles that its subject may play, and its
//! rights in them.

use core::ops::BitOr;
use core::str::FromStr;

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use crate::wire::DecodeError;
use crate::wire::cbor::{Decode, Decoder};

/// What a party is in the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A constrained device; its only peer is a gateway.
    Device,
    /// A gateway between devices and a cloud.
    Gateway,
    /// A cloud.
    Cloud,
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u8);

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

/// What an endorsement grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The roles that the subject may play.
    pub roles: Roles,
    /// What it may do in them.
    pub rights: Rights,
}

/// A word is not the name of a role or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownWord;

impl core::fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a word is not the name of a role or right")
    }
}

impl core::error::Error for UnknownWord {}

impl Role {
    const ALL: [Self; 3] = [Self::Device, Self::Gateway, Self::Cloud];

    const fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Gateway => "gateway",
            Self::Cloud => "cloud",
        }
    }
}

impl core::fmt::Display for Role {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Role {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|role| role.word() == text).ok_or(UnknownWord)
    }
}

impl Roles {
    /// No role.
    pub const NONE: Self = Self(0);
    /// [`Role::Device`].
    pub const DEVICE: Self = Self(1);
    /// [`Role::Gateway`].
    pub const GATEWAY: Self = Self(2);
    /// [`Role::Cloud`].
    pub const CLOUD: Self = Self(4);
    /// Every role.
    pub const ALL: Self = Self(7);

    const WORDS: &[(u8, &str)] = &[
        (Self::DEVICE.0, Role::Device.word()),
        (Self::GATEWAY.0, Role::Gateway.word()),
        (Self::CLOUD.0, Role::Cloud.word()),
    ];

    /// Whether `role` is in the set.
    #[must_use]
    pub fn contains(self, role: Role) -> bool {
        self.0 & Self::from(role).0 != 0
    }

    /// The only role in the set, if there is exactly one.
    #[must_use]
    pub fn single(self) -> Option<Role> {
        Role::ALL.into_iter().find(|role| Self::from(*role) == self)
    }
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        match role {
            Role::Device => Self::DEVICE,
            Role::Gateway => Self::GATEWAY,
            Role::Cloud => Self::CLOUD,
        }
    }
}

impl Rights {
    /// No right.
    pub const NONE: Self = Self(0);
    /// To request and to deliver readings.
    pub const DATA: Self = Self(1);
    /// To issue commands.
    pub const COMMAND: Self = Self(2);
    /// To raise alerts.
    pub const ALERT: Self = Self(4);
    /// To pass on revocations.
    pub const REVOKE: Self = Self(8);
    /// To hand out network keys.
    pub const KEYS: Self = Self(16);
    /// Every right.
    pub const ALL: Self = Self(31);

    const WORDS: &[(u8, &str)] = &[
        (Self::DATA.0, "data"),
        (Self::COMMAND.0, "command"),
        (Self::ALERT.0, "alert"),
        (Self::REVOKE.0, "revoke"),
        (Self::KEYS.0, "keys"),
    ];

    /// Whether all of `rights` are in the set.
    #[must_use]
    pub fn contains(self, rights: Self) -> bool {
        self.0 & rights.0 == rights.0
    }
}

/// What the two sets have in common. They differ in their words and in the bits
/// that they know.
macro_rules! set {
    ($set:ident) => {
        impl BitOr for $set {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        /// The words, with a comma and a space between them; `none` for no word.
        impl core::fmt::Display for $set {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                if *self == Self::NONE {
                    return f.write_str("none");
                }
                let words = Self::WORDS.iter().filter(|(bit, _)| self.0 & bit != 0);
                for (index, (_, word)) in words.enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{word}")?;
                }
                Ok(())
            }
        }

        /// Words in lower case with commas between them, or `all`, or `none`.
        impl FromStr for $set {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text.trim() {
                    "all" => Ok(Self::ALL),
                    "none" => Ok(Self::NONE),
                    words => words.split(',').try_fold(Self::NONE, |set, word| {
                        let known = Self::WORDS.iter().find(|(_, known)| *known == word.trim());
                        known.map(|(bit, _)| set | Self(*bit)).ok_or(UnknownWord)
                    }),
                }
            }
        }

        impl<C> Encode<C> for $set {
            fn encode<W: Write>(
                &self,
                encoder: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), encode::Error<W::Error>> {
                encoder.u8(self.0)?.ok()
            }
        }

        impl<'b> Decode<'b> for $set {
            fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
                let bits = decoder.unsigned()?;
                if bits & !Self::ALL.0 == 0 { Ok(Self(bits)) } else { Err(DecodeError::Malformed) }
            }
        }
    };
}

set!(Roles);
set!(Rights);

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;
    use crate::wire::cbor;

    #[test]
    fn sets_are_read_as_they_are_written() {
        for bits in 0..=Rights::ALL.0 {
            let rights = Rights(bits);
            assert_eq!(rights.to_string().parse(), Ok(rights));
            assert_eq!(cbor::decode(cbor::Encoded::<2>::of(&rights).as_bytes()), Ok(rights));
        }
        assert_eq!((Roles::DEVICE | Roles::GATEWAY).to_string(), "device, gateway");
        assert_eq!("all".parse(), Ok(Roles::ALL));
        assert_eq!("device,driver".parse::<Roles>(), Err(UnknownWord));
        assert_eq!("cloud".parse(), Ok(Role::Cloud));
    }

    #[test]
    fn unknown_bits_are_refused() {
        assert_eq!(cbor::decode::<Roles>(&[8]), Err(DecodeError::Malformed));
        assert_eq!(cbor::decode::<Rights>(&[0x18, 32]), Err(DecodeError::Malformed));
        assert_eq!(cbor::decode::<Rights>(&[0x19, 1, 1]), Err(DecodeError::Malformed));
    }
}
