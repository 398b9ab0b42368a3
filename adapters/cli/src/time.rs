//! Wall time and durations as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use iot_crypto::time::UnixTime;
use serde::{Serialize, Serializer};

/// The last second that has a date in four digits: 9999-12-31T23:59:59Z.
const LAST_DATE: u64 = 253_402_300_799;

/// A time that is written and read as RFC 3339 has it, in UTC:
/// `2027-03-01T12:00:00Z`. A date alone means its first second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub UnixTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if seconds > LAST_DATE {
            return f.write_str("after the year 9999");
        }
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        write!(f, "{}", humantime::format_rfc3339_seconds(time))
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_time = format!("{text}T00:00:00Z");
        humantime::parse_rfc3339_weak(text)
            .or_else(|_| humantime::parse_rfc3339(&with_time))
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map(|since| Self(UnixTime::from_secs(since.as_secs())))
            .ok_or_else(|| "write a time such as 2027-03-01T12:00:00Z or 2027-03-01".to_owned())
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a duration such as `365d`, `12h` or `1h 30m`.
///
/// # Errors
/// A text that says what to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; write a duration such as 365d, 12h or 90s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_they_are_written() {
        let date: Date = "2027-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(date.to_string(), "2027-03-01T12:00:00Z");
        assert_eq!("2027-03-01".parse::<Date>().unwrap().to_string(), "2027-03-01T00:00:00Z");
        assert!("tomorrow".parse::<Date>().is_err());
        assert!("1960-01-01".parse::<Date>().is_err());
    }

    #[test]
    fn a_time_that_has_no_date_can_be_shown() {
        assert_eq!(Date(UnixTime::from_secs(LAST_DATE)).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Date(UnixTime::from_secs(u64::MAX)).to_string(), "after the year 9999");
    }

    #[test]
    fn a_duration_needs_a_unit() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("90").unwrap_err().contains("365d"));
    }
}
