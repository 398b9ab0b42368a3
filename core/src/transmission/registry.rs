//! Numbered values: how the closed registries of SPEC.md section 10.4 are written.

/// Declares an enum whose variants have the numbers that stand for them on the
/// wire, and the words that stand for them in print.
macro_rules! registry {
    (
        $(#[$outer:meta])*
        pub enum $name:ident { $($(#[$inner:meta])* $variant:ident = $number:literal, $words:literal;)+ }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$inner])* $variant = $number,)+ }

        impl $name {
            /// Every value, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The number that stands for it on the wire.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The value that has this number.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(match self { $(Self::$variant => $words,)+ })
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.u8(self.number())?.ok()
            }
        }

        impl<'b> $crate::wire::cbor::Decode<'b> for $name {
            fn decode(
                decoder: &mut $crate::wire::cbor::Decoder<'b>,
            ) -> Result<Self, $crate::wire::DecodeError> {
                Self::from_number(decoder.unsigned()?).ok_or($crate::wire::DecodeError::Malformed)
            }
        }
    };
}
