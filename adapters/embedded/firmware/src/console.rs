//! Lines of text for whoever watches, on the standard output of QEMU, by semihosting.
//!
//! Made without `core::fmt`, which would be a tenth of the program.

use heapless::String;
use semihosting::io::Write as _;

/// The longest line, in bytes; what is longer is cut off.
const LINE: usize = 120;

/// A piece of a line.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'a> {
    /// Text as it is.
    Text(&'a str),
    /// A number in decimal.
    Number(i64),
}

impl<'a> From<&'a str> for Piece<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl From<$type> for Piece<'_> {
            fn from(number: $type) -> Self {
                Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize, i32);

/// Writes a line out of `pieces`.
pub fn write_line(pieces: &[Piece<'_>]) {
    let mut line = String::<LINE>::new();
    let mut digits = itoa::Buffer::new();
    for piece in pieces {
        let text = match piece {
            Piece::Text(text) => text,
            Piece::Number(number) => digits.format(*number),
        };
        if line.push_str(text).is_err() {
            break;
        }
    }
    if line.push('\n').is_err() {
        line.pop();
        let _ = line.push('\n');
    }
    if let Ok(mut output) = semihosting::io::stdout() {
        let _ = output.write_all(line.as_bytes());
    }
}

/// Writes a line out of texts and numbers: `say!("temperature ", 35, " °C")`.
#[macro_export]
macro_rules! say {
    ($($piece:expr),* $(,)?) => {
        $crate::console::write_line(&[$($crate::console::Piece::from($piece)),*])
    };
}
