//! Labels, values and readings that own their texts, for those with a heap.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Label, Reading, Unit, Value};
use crate::time::UnixTime;

/// A [`Label`] that owns its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnedLabel {
    /// As [`Label::Number`].
    Number(u16),
    /// As [`Label::Text`].
    Text(String),
}

impl OwnedLabel {
    /// Borrows it.
    #[must_use]
    pub fn borrow(&self) -> Label<'_> {
        match self {
            Self::Number(number) => Label::Number(*number),
            Self::Text(text) => Label::Text(text),
        }
    }
}

impl From<Label<'_>> for OwnedLabel {
    fn from(label: Label<'_>) -> Self {
        match label {
            Label::Number(number) => Self::Number(number),
            Label::Text(text) => Self::Text(text.to_owned()),
        }
    }
}

impl core::fmt::Display for OwnedLabel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.borrow().fmt(f)
    }
}

/// A [`Value`] that owns its text or bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedValue {
    /// As [`Value::Bool`].
    Bool(bool),
    /// As [`Value::Integer`].
    Integer(i64),
    /// As [`Value::Float`].
    Float(f64),
    /// As [`Value::Text`].
    Text(String),
    /// As [`Value::Bytes`].
    Bytes(Vec<u8>),
}

impl OwnedValue {
    /// Borrows it.
    #[must_use]
    pub fn borrow(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(value),
            Value::Integer(value) => Self::Integer(value),
            Value::Float(value) => Self::Float(value),
            Value::Text(text) => Self::Text(text.to_owned()),
            Value::Bytes(bytes) => Self::Bytes(bytes.to_owned()),
        }
    }
}

impl core::fmt::Display for OwnedValue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.borrow().fmt(f)
    }
}

/// A [`Reading`] that owns its texts.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedReading {
    /// What was measured.
    pub label: OwnedLabel,
    /// The value.
    pub value: OwnedValue,
    /// Its unit, if it is not the label's own.
    pub unit: Option<Unit>,
    /// When it was measured, if not just now.
    pub time: Option<UnixTime>,
}

impl OwnedReading {
    /// Borrows it.
    #[must_use]
    pub fn borrow(&self) -> Reading<'_> {
        Reading {
            label: self.label.borrow(),
            value: self.value.borrow(),
            unit: self.unit,
            time: self.time,
        }
    }
}

impl From<&Reading<'_>> for OwnedReading {
    fn from(reading: &Reading<'_>) -> Self {
        Self {
            label: reading.label.into(),
            value: reading.value.into(),
            unit: reading.unit,
            time: reading.time,
        }
    }
}

impl core::fmt::Display for OwnedReading {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.borrow().fmt(f)
    }
}
