//! What an attacker does to the bytes of others.

use crate::input::Input;

/// `bytes`, changed as `input` says: not at all, some bytes exchanged, cut short,
/// or with others behind.
pub(crate) fn mutate(input: &mut Input<'_>, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match input.below(5) {
        1 => {
            for _ in 0..=input.below(4) {
                let (at, value) = (usize::from(input.u16()), input.u8());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
        }
        2 => {
            let (at, value) = (usize::from(input.u16()), input.u8());
            if !bytes.is_empty() {
                let at = at % bytes.len();
                bytes[at] ^= value;
            }
        }
        3 => bytes.truncate(usize::from(input.u16())),
        4 => bytes.extend(input.bytes()),
        _ => {}
    }
    bytes
}
