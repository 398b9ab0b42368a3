//! Branches of Thumb-2 code (ARMv7-M Architecture Reference Manual, DDI 0403E.e): calls,
//! and jumps, which also end a function by another; and loads of constants, among which
//! are the addresses of functions that are called several times.

/// A branch to an address that stands in the instruction, or in a constant that it loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Where the instruction is.
    pub at: u64,
    /// Where it leads.
    pub target: u64,
}

/// All branches in `code`, which lies at `address` and consists of nothing but
/// instructions.
pub fn branches(code: &[u8], address: u64) -> impl Iterator<Item = Branch> {
    instructions(code, address).filter_map(|(at, first, second)| {
        let offset = match second {
            Some(second) => long_offset(first, second),
            None => short_offset(first),
        };
        // The program counter reads as the instruction's address and four.
        let target = at.wrapping_add(4).wrapping_add_signed(offset?.into());
        Some(Branch { at, target })
    })
}

/// All loads of constants in such code: where each is, and where the constant.
pub fn loads(code: &[u8], address: u64) -> impl Iterator<Item = (u64, u64)> {
    instructions(code, address).filter_map(|(at, first, second)| {
        // What it is added to is the program counter, rounded down to a word.
        let base = at.wrapping_add(4) & !3;
        Some((at, base.wrapping_add_signed(literal_offset(first, second)?.into())))
    })
}

/// The instructions, each with its address and its one or two halfwords.
fn instructions(code: &[u8], address: u64) -> impl Iterator<Item = (u64, u16, Option<u16>)> {
    let (halfwords, _) = code.as_chunks::<2>();
    let mut halfwords = (address..).step_by(2).zip(halfwords.iter().copied());
    std::iter::from_fn(move || {
        let (at, first) = halfwords.next()?;
        let first = u16::from_le_bytes(first);
        if !is_long(first) {
            return Some((at, first, None));
        }
        let (_, second) = halfwords.next()?;
        Some((at, first, Some(u16::from_le_bytes(second))))
    })
}

/// Whether an instruction is one of 32 bits (A5.1).
const fn is_long(first: u16) -> bool {
    matches!(first >> 11, 0b11101..=0b11111)
}

/// `B`, encodings T1 and T2 (A7.7.12), and `CBZ`, `CBNZ` (A7.7.21).
const fn short_offset(halfword: u16) -> Option<i32> {
    let halfword = halfword as u32;
    match (halfword >> 11, halfword >> 8) {
        // The last two of the conditions are other instructions.
        (_, 0b1101_0000..=0b1101_1101) => Some(signed((halfword & 0xFF) << 1, 9)),
        (0b11100, _) => Some(signed((halfword & 0x7FF) << 1, 12)),
        (_, 0b1011_0001 | 0b1011_0011 | 0b1011_1001 | 0b1011_1011) => {
            Some(((halfword >> 9 & 1) << 6 | (halfword >> 3 & 0x1F) << 1) as i32)
        }
        _ => None,
    }
}

/// `B`, encodings T3 and T4 (A7.7.12), and `BL` (A7.7.18).
const fn long_offset(first: u16, second: u16) -> Option<i32> {
    let (first, second) = (first as u32, second as u32);
    if first >> 11 != 0b11110 || second >> 15 != 1 {
        return None;
    }
    let (sign, j1, j2) = (first >> 10 & 1, second >> 13 & 1, second >> 11 & 1);
    let low = (second & 0x7FF) << 1;
    match (second >> 14 & 1, second >> 12 & 1) {
        // BL, and B without a condition.
        (1, 1) | (0, 1) => {
            let (i1, i2) = (1 ^ j1 ^ sign, 1 ^ j2 ^ sign);
            let bits = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | low;
            Some(signed(bits, 25))
        }
        // B with a condition; what has one of the last two is another instruction.
        (0, 0) if first >> 7 & 0b111 != 0b111 => {
            let bits = sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3F) << 12 | low;
            Some(signed(bits, 21))
        }
        _ => None,
    }
}

/// `LDR` of a literal, encodings T1 and T2 (A7.7.43).
const fn literal_offset(first: u16, second: Option<u16>) -> Option<i32> {
    match (first, second) {
        (_, None) if first >> 11 == 0b01001 => Some((first as i32 & 0xFF) << 2),
        (0xF8DF, Some(second)) => Some(second as i32 & 0xFFF),
        (0xF85F, Some(second)) => Some(-(second as i32 & 0xFFF)),
        _ => None,
    }
}

/// The number that the lowest `count` bits are in two's complement.
const fn signed(bits: u32, count: u32) -> i32 {
    (bits << (32 - count)) as i32 >> (32 - count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instructions, their bytes, and how far they lead from the program counter, which
    /// reads as the instruction's address and four. As LLVM's assembler makes them
    /// (`llvm-mc --triple=thumbv7m --show-encoding`).
    const VECTORS: &[(&str, &[u8], Option<i64>)] = &[
        ("bl #0x4ffc", &[0x04, 0xf0, 0xfe, 0xff], Some(0x4ffc)),
        ("bl #-0xf04", &[0xff, 0xf7, 0x7e, 0xf8], Some(-0xf04)),
        ("b.w #0x123456", &[0x23, 0xf1, 0x2b, 0xba], Some(0x12_3456)),
        ("b.w #-0x804", &[0xff, 0xf7, 0xfe, 0xbb], Some(-0x804)),
        ("bne.w #0x122c", &[0x41, 0xf0, 0x16, 0x81], Some(0x122c)),
        ("bgt.w #-0xabc", &[0x3f, 0xf7, 0xa2, 0xaa], Some(-0xabc)),
        ("bne.w #0x40000", &[0x40, 0xf0, 0x00, 0xa0], Some(0x4_0000)),
        ("blt.w #0x80000", &[0xc0, 0xf2, 0x00, 0x88], Some(0x8_0000)),
        ("beq.w #-0xc1236", &[0x3e, 0xf4, 0xe5, 0x86], Some(-0xc_1236)),
        ("b.n #-4", &[0xfe, 0xe7], Some(-4)),
        ("b.n #0x7ec", &[0xf6, 0xe3], Some(0x7ec)),
        ("beq.n #0x3c", &[0x1e, 0xd0], Some(0x3c)),
        ("bhi.n #-0x24", &[0xee, 0xd8], Some(-0x24)),
        ("cbz r3, #0x40", &[0x03, 0xb3], Some(0x40)),
        ("cbnz r7, #0x4", &[0x17, 0xb9], Some(0x4)),
        ("bl #0xc00000", &[0x00, 0xf0, 0x00, 0xd0], Some(0xc0_0000)),
        ("b.w #-0xc00000", &[0x00, 0xf4, 0x00, 0x98], Some(-0xc0_0000)),
        ("blx r3", &[0x98, 0x47], None),
        ("bx lr", &[0x70, 0x47], None),
        ("svc #3", &[0x03, 0xdf], None),
        ("udf #0", &[0x00, 0xde], None),
        ("dsb sy", &[0xbf, 0xf3, 0x4f, 0x8f], None),
        ("msr primask, r0", &[0x80, 0xf3, 0x10, 0x88], None),
        ("movw r0, #0xe0fe", &[0x4e, 0xf2, 0xfe, 0x00], None),
        ("pop {r4, pc}", &[0x10, 0xbd], None),
        ("udf.w #0x123", &[0xf0, 0xf7, 0x23, 0xa1], None),
        ("rev r0, r1", &[0x08, 0xba], None),
        ("ldrd lr, r1, [r0]", &[0xd0, 0xe9, 0x00, 0xe1], None),
        ("tbb [pc, r0]", &[0xdf, 0xe8, 0x00, 0xf0], None),
    ];

    #[test]
    fn every_kind_of_branch_is_read_and_nothing_else() {
        let at = 0x0800_0000;
        for (instruction, code, offset) in VECTORS {
            let target = offset.map(|offset| (at + 4_u64).wrapping_add_signed(offset));
            let found = branches(code, at).map(|branch| (branch.at, branch.target));
            assert!(found.eq(target.map(|target| (at, target))), "{instruction}");
        }
    }

    #[test]
    fn every_kind_of_load_of_a_constant_is_read_and_nothing_else() {
        let loads_of = |code: &[u8], at| loads(code, at).collect::<Vec<_>>();
        // ldr r1, [pc, #0x40], at an address that is no word's, and at one that is.
        assert_eq!(loads_of(&[0x10, 0x49], 0x102), [(0x102, 0x144)]);
        assert_eq!(loads_of(&[0x10, 0x49], 0x104), [(0x104, 0x148)]);
        // ldr.w r9, [pc, #0x123] and ldr.w r9, [pc, #-0x123].
        assert_eq!(loads_of(&[0xdf, 0xf8, 0x23, 0x91], 0x202), [(0x202, 0x327)]);
        assert_eq!(loads_of(&[0x5f, 0xf8, 0x23, 0x91], 0x202), [(0x202, 0xe1)]);
        // ldrb.w r9, [pc, #0x123]; ldr.w r9, [r0, #0x123]; and all that are branches.
        assert_eq!(loads_of(&[0x9f, 0xf8, 0x23, 0x91], 0x202), []);
        assert_eq!(loads_of(&[0xd0, 0xf8, 0x23, 0x91], 0x202), []);
        for (instruction, code, _) in VECTORS {
            assert_eq!(loads_of(code, 0x200), [], "{instruction}");
        }
    }

    #[test]
    fn the_second_half_of_an_instruction_is_no_instruction() {
        // movw r0, #0xe0fe is no branch, though its second half alone could be one.
        let code = [0x4e, 0xf2, 0xfe, 0x00, 0xfe, 0xe7];
        assert!(branches(&code, 0x100).eq([Branch { at: 0x104, target: 0x104 }]));
        // Half of a long instruction at the end.
        assert!(branches(&[0x00, 0xf0], 0x100).next().is_none());
    }
}
