//! What is measured or commanded: a number for what is common, a text for the
//! rest.

use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Encode, Encoder};

use super::Unit;
use crate::wire::DecodeError;
use crate::wire::cbor::{Decode, Decoder};

/// The longest text of a label, in bytes.
pub const MAX_LABEL: usize = 16;

/// What a reading measures, or what a command acts on.
///
/// Like the labels of COSE (RFC 9052 section 1.5) it is a number, for what the
/// registry of SPEC.md section 10.3 lists, or a text. The registry is open: a
/// number that it does not list is carried as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label<'a> {
    /// A number of the registry.
    Number(u16),
    /// A text of 1 to [`MAX_LABEL`] bytes.
    Text(&'a str),
}

/// The registry: name and usual unit of the labels 1, 2, 3 and so on.
const REGISTRY: [(&str, Unit); 24] = [
    ("temperature", Unit::CELSIUS),
    ("humidity", Unit::RELATIVE_HUMIDITY),
    ("pressure", Unit::PASCAL),
    ("processor-load", Unit::PERCENT),
    ("memory-used", Unit::BYTE),
    ("battery", Unit::BATTERY_PERCENT),
    ("bytes-received", Unit::BYTE),
    ("bytes-sent", Unit::BYTE),
    ("uptime", Unit::SECOND),
    ("switch", Unit::NONE),
    ("illuminance", Unit::LUX),
    ("voltage", Unit::VOLT),
    ("current", Unit::AMPERE),
    ("power", Unit::WATT),
    ("energy", Unit::JOULE),
    ("distance", Unit::METRE),
    ("mass", Unit::KILOGRAM),
    ("frequency", Unit::HERTZ),
    ("count", Unit::COUNT),
    ("velocity", Unit::METRE_PER_SECOND),
    ("latitude", Unit::LATITUDE),
    ("longitude", Unit::LONGITUDE),
    ("motion", Unit::NONE),
    ("interval", Unit::SECOND),
];

impl<'a> Label<'a> {
    /// The numbers that the registry lists, each with its name and usual unit.
    pub fn registry() -> impl Iterator<Item = (u16, &'static str, Unit)> {
        (1..).zip(REGISTRY).map(|(number, (name, unit))| (number, name, unit))
    }

    /// The label that `name` means: the number that the registry lists under
    /// it, the number itself if it is written `#300`, or else the text.
    ///
    /// `None` if it is empty, too long, or no number after `#`.
    #[must_use]
    pub fn parse(name: &'a str) -> Option<Self> {
        if let Some((number, ..)) = Label::registry().find(|(_, known, _)| *known == name) {
            return Some(Self::Number(number));
        }
        match name.strip_prefix('#') {
            Some(digits) => digits.parse().ok().map(Self::Number),
            None => Some(Self::Text(name)).filter(Self::is_within_limits),
        }
    }

    /// The unit of a reading that names none.
    #[must_use]
    pub fn default_unit(&self) -> Unit {
        self.entry().map_or(Unit::NONE, |(_, unit)| unit)
    }

    pub(super) fn is_within_limits(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Text(text) => !text.is_empty() && text.len() <= MAX_LABEL,
        }
    }

    fn entry(&self) -> Option<(&'static str, Unit)> {
        match self {
            Self::Number(number) => REGISTRY.get(usize::from(*number).checked_sub(1)?).copied(),
            Self::Text(_) => None,
        }
    }
}

impl core::fmt::Display for Label<'_> {
    /// Writes what [`Label::parse`] reads.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match (self, self.entry()) {
            (_, Some((name, _))) => f.pad(name),
            (Self::Text(text), None) => f.pad(text),
            (Self::Number(number), None) => write!(f, "#{number}"),
        }
    }
}

impl<C> Encode<C> for Label<'_> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Number(number) => encoder.u16(*number)?.ok(),
            Self::Text(text) => encoder.str(text)?.ok(),
        }
    }
}

impl<'b> Decode<'b> for Label<'b> {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        match decoder.datatype()? {
            Type::String => decoder.str().map(Self::Text),
            _ => decoder.unsigned().map(Self::Number),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn what_is_displayed_is_parsed_to_the_same_label() {
        for number in 0..=300 {
            let name = Label::Number(number).to_string();
            assert_eq!(Label::parse(&name), Some(Label::Number(number)));
        }
        assert_eq!(Label::parse("temperature"), Some(Label::Number(1)));
        assert_eq!(Label::parse("valve 3"), Some(Label::Text("valve 3")));
    }

    #[test]
    fn a_name_that_can_be_no_label_is_refused() {
        assert_eq!(Label::parse(""), None);
        assert_eq!(Label::parse("seventeen bytes !"), None);
        assert_eq!(Label::parse("#65536"), None);
        assert_eq!(Label::parse("#"), None);
    }

    #[test]
    fn every_name_of_the_registry_could_be_a_text() {
        for (number, name, unit) in Label::registry() {
            assert!(Label::Text(name).is_within_limits());
            assert_eq!(Label::Number(number).default_unit(), unit);
        }
        assert_eq!(Label::Number(0).default_unit(), Unit::NONE);
        assert_eq!(Label::Number(25).default_unit(), Unit::NONE);
    }
}
