//! Fields that occur in more than one configuration, and their mistakes.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use iot_crypto::transmission::{Label, MAX_LABEL};
use toml::Spanned;

use crate::document::Review;
use crate::time::parse_duration;

/// A whole number in `range`; `default` if the field is not there.
pub(super) fn number<T>(
    review: &mut Review<'_>,
    field: Option<&Spanned<i64>>,
    what: &str,
    range: RangeInclusive<T>,
    default: T,
) -> T
where
    T: TryFrom<i64> + PartialOrd + Display + Copy,
{
    let Some(field) = field else { return default };
    match T::try_from(*field.get_ref()) {
        Ok(number) if range.contains(&number) => number,
        _ => {
            let (least, most) = range.into_inner();
            let number = field.get_ref();
            let problem =
                format!("{what} can't be {number}; write a number from {least} to {most}");
            review.note(field.span(), problem);
            default
        }
    }
}

/// A UDP port.
pub(super) fn port(
    review: &mut Review<'_>,
    field: Option<&Spanned<i64>>,
    what: &str,
    default: u16,
) -> u16 {
    number(review, field, what, 1..=u16::MAX, default)
}

/// The greatest length of an IP packet, in bytes.
pub(super) fn path_mtu(review: &mut Review<'_>, field: Option<&Spanned<i64>>) -> u16 {
    number(review, field, "path_mtu", 256..=u16::MAX, super::PATH_MTU)
}

/// A duration longer than zero; `default` if the field is not there.
pub(super) fn duration(
    review: &mut Review<'_>,
    field: Option<&Spanned<String>>,
    what: &str,
    default: Duration,
) -> Duration {
    let Some(field) = field else { return default };
    match parse_duration(field.get_ref()) {
        Ok(Duration::ZERO) => {
            let problem = format!("{what} can't be zero; write a duration such as 5s");
            review.note(field.span(), problem);
            default
        }
        Ok(duration) => duration,
        Err(problem) => {
            review.note(field.span(), format!("{what}: {problem}"));
            default
        }
    }
}

/// The pause after the first attempt that failed, and the longest; 2 s and 5
/// minutes if nothing else is said.
pub(super) fn retry(
    review: &mut Review<'_>,
    retry: Option<&Spanned<String>>,
    limit: Option<&Spanned<String>>,
) -> (Duration, Duration) {
    let (first, longest) = (Duration::from_secs(2), Duration::from_secs(300));
    let retry = duration(review, retry, "retry", first);
    let retry_limit = duration(review, limit, "retry_limit", longest.max(retry));
    if retry_limit < retry
        && let Some(limit) = limit
    {
        review.note(limit.span(), "retry_limit can't be shorter than retry; lengthen it");
    }
    (retry, retry_limit)
}

/// An IP address with a port.
pub(super) fn address(review: &mut Review<'_>, field: &Spanned<String>) -> Option<SocketAddr> {
    let text = field.get_ref();
    let address = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    if address.is_none() {
        let problem = format!(
            "'{text}' is not an IP address with a port; write it as 192.0.2.7:4441 or \
             [2001:db8::7]:4441"
        );
        review.note(field.span(), problem);
    }
    address
}

/// Addresses of this computer to listen on and send from.
pub(super) fn bind(review: &mut Review<'_>, field: &Spanned<Vec<Spanned<String>>>) -> Vec<IpAddr> {
    if field.get_ref().is_empty() {
        review.note(field.span(), "there is no address to listen on; write at least one");
    }
    let mut addresses: Vec<IpAddr> = Vec::new();
    for field in field.get_ref() {
        let text = field.get_ref();
        match text.parse::<IpAddr>() {
            Ok(address) if addresses.contains(&address) => {
                review.note(field.span(), format!("{address} is there twice; take one out"));
            }
            Ok(address) => addresses.push(address),
            Err(_) => review.note(
                field.span(),
                format!("'{text}' is not an IP address; write it without a port, as 0.0.0.0"),
            ),
        }
    }
    addresses
}

/// A label of 1 to 16 bytes.
pub(super) fn label(review: &mut Review<'_>, field: &Spanned<String>) -> Option<String> {
    let label = field.get_ref();
    let problem = if label.is_empty() {
        "a label can't be empty; name what is measured or switched".to_owned()
    } else if label.len() > MAX_LABEL {
        format!("the label '{label}' has {} bytes; shorten it to {MAX_LABEL}", label.len())
    } else if label.chars().any(char::is_control) {
        "a label can't have control characters; take them out".to_owned()
    } else if Label::parse(label).is_none() {
        format!("'{label}' is not the number of a label; write #1 to #65535, or a name")
    } else {
        return Some(label.clone());
    };
    review.note(field.span(), problem);
    None
}

/// Notes what is not a finite number.
pub(super) fn finite(
    review: &mut Review<'_>,
    field: Option<&Spanned<f64>>,
    what: &str,
) -> Option<f64> {
    let field = field?;
    let number = *field.get_ref();
    if !number.is_finite() {
        review.note(field.span(), format!("{what} can't be {number}; write a number"));
        return None;
    }
    Some(number)
}
