//! Whether bytes are one CBOR item in its deterministic form (RFC 8949 section
//! 4.2.1), by a reading of the RFC that shares nothing with the core's.

/// Whether `bytes` are one item, definite and shortest throughout.
pub(crate) fn is_deterministic(bytes: &[u8]) -> bool {
    item(bytes, 8) == Some(bytes.len())
}

/// The length of the item at the start of `bytes`, if it is deterministic and
/// nested at most `depth` deep.
fn item(bytes: &[u8], depth: usize) -> Option<usize> {
    let first = *bytes.first()?;
    let (major, low) = (first >> 5, first & 31);
    let wide = match low {
        0..=23 => 0,
        24..=27 => 1_usize << (low - 24),
        _ => return None,
    };
    let argument = bytes.get(1..=wide)?;
    let head = 1 + wide;
    let value = match wide {
        0 => u64::from(low),
        _ => argument.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
    };
    if major == 7 {
        return (is_simple(low, value)).then_some(head);
    }
    let least = [0, 24, 1 << 8, 0, 1 << 16, 0, 0, 0, 1 << 32][wide];
    if value < least {
        return None;
    }
    match major {
        0 | 1 => Some(head),
        2 | 3 => {
            let content = bytes.get(head..head.checked_add(usize::try_from(value).ok()?)?)?;
            let is_text = major == 2 || std::str::from_utf8(content).is_ok();
            is_text.then_some(head + content.len())
        }
        4 => {
            (0..value).try_fold(head, |at, _| Some(at + item(&bytes[at..], depth.checked_sub(1)?)?))
        }
        _ => None,
    }
}

/// False, true and null, and floating-point numbers in their shortest form.
fn is_simple(low: u8, value: u64) -> bool {
    match low {
        20..=22 => true,
        25 => value & 0x7c00 != 0x7c00 || matches!(value & 0x7fff, 0x7c00) || value == 0x7e00,
        26 => {
            let single = f32::from_bits(value as u32);
            !single.is_nan() && !fits_half(f64::from(single))
        }
        27 => {
            let double = f64::from_bits(value);
            !double.is_nan() && f64::from(double as f32) != double
        }
        _ => false,
    }
}

/// Whether half precision has this number: an 11-bit significand, down to 2^-24.
fn fits_half(value: f64) -> bool {
    if value == 0.0 || value.is_infinite() {
        return true;
    }
    let exponent = (value.abs().log2().floor() as i32).max(-14);
    let units = value.abs() / 2_f64.powi(exponent - 10);
    exponent <= 15 && units.fract() == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shortest_definite_form_is_deterministic() {
        for good in [
            &[0x17][..],
            &[0x18, 24],
            &[0x82, 0xf9, 0x3c, 0x00, 0xf5],
            &[0xfa, 0x47, 0xc3, 0x50, 0x00],
            &[0xf9, 0x7e, 0x00],
            &[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a],
        ] {
            assert!(is_deterministic(good), "{good:02x?}");
        }
        for bad in [
            &[][..],
            &[0x18, 23],
            &[0x19, 0, 24],
            &[0x17, 0],
            &[0x82, 1],
            &[0x9f, 1, 0xff],
            &[0xfa, 0x3f, 0x80, 0x00, 0x00],
            &[0xf9, 0x7e, 0x01],
            &[0x61, 0xff],
        ] {
            assert!(!is_deterministic(bad), "{bad:02x?}");
        }
    }
}
