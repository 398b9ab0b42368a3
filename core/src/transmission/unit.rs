//! Units of measurement, by the symbols of SenML.

use minicbor::encode::Write;
use minicbor::{Encode, Encoder};

use crate::wire::DecodeError;
use crate::wire::cbor::{Decode, Decoder};

/// A unit of measurement: its number in the registry of SPEC.md section 10.3.
///
/// The symbols are SenML's (RFC 8428 section 12.1, and RFC 8798 for `B`). The
/// registry is open: a number without a symbol is carried as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(
    /// The number in the registry.
    pub u8,
);

impl Unit {
    /// No unit: states, names.
    pub const NONE: Self = Self(0);
    /// Degrees Celsius.
    pub const CELSIUS: Self = Self(1);
    /// Relative humidity, in percent.
    pub const RELATIVE_HUMIDITY: Self = Self(2);
    /// Pascal.
    pub const PASCAL: Self = Self(3);
    /// Percent.
    pub const PERCENT: Self = Self(4);
    /// Bytes.
    pub const BYTE: Self = Self(5);
    /// Seconds.
    pub const SECOND: Self = Self(6);
    /// Volt.
    pub const VOLT: Self = Self(7);
    /// Ampere.
    pub const AMPERE: Self = Self(8);
    /// Watt.
    pub const WATT: Self = Self(9);
    /// Joule.
    pub const JOULE: Self = Self(10);
    /// Lux.
    pub const LUX: Self = Self(11);
    /// Metre.
    pub const METRE: Self = Self(12);
    /// Kilogram.
    pub const KILOGRAM: Self = Self(13);
    /// Hertz.
    pub const HERTZ: Self = Self(14);
    /// Metres a second.
    pub const METRE_PER_SECOND: Self = Self(15);
    /// A count of things or events.
    pub const COUNT: Self = Self(16);
    /// Events a second.
    pub const PER_SECOND: Self = Self(17);
    /// What is left of a battery, in percent.
    pub const BATTERY_PERCENT: Self = Self(18);
    /// Degrees of latitude (WGS 84).
    pub const LATITUDE: Self = Self(19);
    /// Degrees of longitude (WGS 84).
    pub const LONGITUDE: Self = Self(20);
    /// Kelvin.
    pub const KELVIN: Self = Self(21);

    /// The symbols, in the order of the numbers.
    const SYMBOLS: [&'static str; 22] = [
        "", "Cel", "%RH", "Pa", "%", "B", "s", "V", "A", "W", "J", "lx", "m", "kg", "Hz", "m/s",
        "count", "1/s", "%EL", "lat", "lon", "K",
    ];

    /// The symbol; empty for [`Unit::NONE`], `None` for a number without one.
    #[must_use]
    pub fn symbol(self) -> Option<&'static str> {
        Self::SYMBOLS.get(usize::from(self.0)).copied()
    }

    /// The unit that has this symbol.
    #[must_use]
    pub fn parse(symbol: &str) -> Option<Self> {
        (0_u8..)
            .map(Self)
            .zip(Self::SYMBOLS)
            .find(|(_, known)| *known == symbol)
            .map(|(unit, _)| unit)
    }
}

impl core::fmt::Display for Unit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.symbol() {
            Some(symbol) => f.pad(symbol),
            None => write!(f, "#{}", self.0),
        }
    }
}

impl<C> Encode<C> for Unit {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.u8(self.0)?.ok()
    }
}

impl<'b> Decode<'b> for Unit {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        decoder.unsigned().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_is_parsed_to_the_unit_that_it_stands_for() {
        for number in 0..=u8::MAX {
            if let Some(symbol) = Unit(number).symbol() {
                assert_eq!(Unit::parse(symbol), Some(Unit(number)));
            }
        }
        assert_eq!(Unit::KELVIN.symbol(), Some("K"));
        assert_eq!(Unit(22).symbol(), None);
        assert_eq!(Unit::parse("furlong"), None);
    }
}
