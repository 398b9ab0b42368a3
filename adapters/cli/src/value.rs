//! Values of sensors and commands, as people write them and as numbers.

pub use iot_crypto::transmission::{MAX_VALUE as MAX_LEN, OwnedValue as Value};

/// The value as a number, to compare it with the limits of an alert; true is 1,
/// false is 0, and a text or bytes are none.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "limits are not that exact")]
pub const fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(if *value { 1.0 } else { 0.0 }),
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Text(_) | Value::Bytes(_) => None,
    }
}

/// A count; the greatest integer if it is beyond that.
#[must_use]
pub fn count(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// What a person means by `text`: true or false, a number, or else the text
/// itself.
#[must_use]
pub fn parse(text: &str) -> Value {
    if let Ok(value) = text.parse() {
        Value::Bool(value)
    } else if let Ok(value) = text.parse() {
        Value::Integer(value)
    } else if let Some(value) = text.parse().ok().filter(|value: &f64| value.is_finite()) {
        Value::Float(value)
    } else {
        Value::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_writes_gets_the_type_that_it_looks_like() {
        assert_eq!(parse("true"), Value::Bool(true));
        assert_eq!(parse("-3"), Value::Integer(-3));
        assert_eq!(parse("21.5"), Value::Float(21.5));
        assert_eq!(parse("inf"), Value::Text("inf".to_owned()));
        assert_eq!(parse("on"), Value::Text("on".to_owned()));
        assert_eq!(count(u64::MAX), Value::Integer(i64::MAX));
    }
}
