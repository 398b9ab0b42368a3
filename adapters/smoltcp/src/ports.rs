//! The UDP ports that client sockets are bound to.

/// The first dynamic port (RFC 6335 section 6), and how many there are.
const FIRST: u16 = 49_152;
const COUNT: u16 = u16::MAX - FIRST + 1;

/// Two different dynamic ports, none of `taken`, that nobody can foresee who doesn't
/// know `seed` (RFC 6056).
pub(crate) fn two_dynamic(seed: u64, taken: &[u16]) -> [u16; 2] {
    let [a, b, c, d, ..] = seed.to_be_bytes();
    let first = next_free(u16::from_be_bytes([a, b]), |port| taken.contains(&port));
    let second =
        next_free(u16::from_be_bytes([c, d]), |port| taken.contains(&port) || port == first);
    [first, second]
}

/// The port that `number` chooses, or the next one that is free. Of two services and
/// another client it meets three at most that are not.
fn next_free(number: u16, is_taken: impl Fn(u16) -> bool) -> u16 {
    let ports = (0..COUNT).map(|step| FIRST + (number % COUNT + step) % COUNT);
    ports.into_iter().find(|port| !is_taken(*port)).unwrap_or(FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_ports_are_dynamic_different_and_not_taken() {
        for seed in [0, u64::MAX, 1 << 63, 0x1234_5678_9abc_def0] {
            let [first, second] = two_dynamic(seed, &[]);
            assert!(first >= FIRST && second >= FIRST && first != second);
            let [other, another] = two_dynamic(seed, &[first, second]);
            assert!(
                ![first, second].contains(&other) && ![first, second, other].contains(&another)
            );
        }
        assert_eq!(two_dynamic(0, &[]), [49_152, 49_153]);
        assert_eq!(two_dynamic(u64::MAX, &[]), [65_535, 49_152]);
        assert_eq!(two_dynamic(0x0001_0002 << 32, &[]), [49_153, 49_154]);
    }
}
