//! The verification of ECDSA signatures over P-256 (FIPS 186-5 section 6.4.2), of p256's
//! arithmetic.
//!
//! The crate has a verification of its own. On a Cortex-M3 that takes more of the stack
//! than all the rest that a device does, for tables and for inversions; this one has one
//! table of 16 points, and no inversion but by Fermat's little theorem. What it handles
//! is public, so it may take different times.

use p256::elliptic_curve::Curve as _;
use p256::elliptic_curve::bigint::const_monty_params;
use p256::elliptic_curve::bigint::modular::ConstMontyForm;
use p256::elliptic_curve::group::Group as _;
use p256::elliptic_curve::point::DecompressPoint as _;
use p256::{AffinePoint, NistP256, ProjectivePoint, U256};

use crate::crypto::{Invalid, P256PublicKey, Sha256Digest, Signature};

const_monty_params!(
    Order,
    U256,
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "The order of the curve."
);

/// A scalar, in Montgomery's form, as the crate keeps its field elements.
type Scalar = ConstMontyForm<Order, { U256::LIMBS }>;

/// The exponent that inverts a scalar: the order of the curve, which is prime, less two.
const INVERTING: U256 = NistP256::ORDER.as_ref().wrapping_sub(&U256::from_u8(2));

/// The greatest `s` that is valid (RFC 6979 has no such limit; with it, nobody can turn a
/// signature into another valid one).
const GREATEST_S: U256 = NistP256::ORDER.as_ref().shr_vartime(1);

/// Verifies the signature of what has this hash. The key must be compressed, and the
/// signature's `s` in the lower half of its range.
pub(super) fn verify(
    public: &P256PublicKey,
    hash: &Sha256Digest,
    signature: &Signature,
) -> Result<(), Invalid> {
    let [tag @ (0x02 | 0x03), x @ ..] = public.0 else { return Err(Invalid) };
    let key = point(x, tag & 1).ok_or(Invalid)?;
    let (r, s) = signature.0.split_at(signature.0.len() / 2);
    let [hash, r, s] = [hash, r, s].map(U256::from_be_slice);
    let zero = U256::ZERO;
    if r == zero || r >= *NistP256::ORDER || s == zero || s > GREATEST_S {
        return Err(Invalid);
    }
    let inverse = Scalar::new(&s).pow_vartime(&INVERTING);
    let [u, v] = [hash, r].map(|factor| Scalar::new(&factor).mul(&inverse).retrieve());
    if has_x(&sum(&u, &v, &key), r) { Ok(()) } else { Err(Invalid) }
}

/// The point with this x and a y of this parity, if there is one.
#[inline(never)] // What a root needs on the stack is needed for it alone.
fn point(x: [u8; 32], parity: u8) -> Option<ProjectivePoint> {
    let point = AffinePoint::decompress(&x.into(), parity.into());
    Option::<AffinePoint>::from(point).map(ProjectivePoint::from)
}

/// `u` times the generator and `v` times `key`, two bits of each at a time.
#[inline(never)] // The table is large, and nothing else is wanted beside it.
fn sum(u: &U256, v: &U256, key: &ProjectivePoint) -> ProjectivePoint {
    // At 4 i + j: i times the generator and j times the key.
    let mut table = [ProjectivePoint::IDENTITY; 16];
    for index in 1..table.len() {
        let (before, step) = if index % 4 == 0 {
            (index.saturating_sub(4), ProjectivePoint::GENERATOR)
        } else {
            (index.saturating_sub(1), *key)
        };
        let before = table.get(before).copied().unwrap_or_default();
        if let Some(place) = table.get_mut(index) {
            *place = before + step;
        }
    }
    let mut sum = ProjectivePoint::IDENTITY;
    let (u, v) = (u.to_be_bytes(), v.to_be_bytes());
    for (u, v) in u.as_ref().iter().zip(v.as_ref()) {
        for shift in [6, 4, 2, 0] {
            sum = sum.double().double();
            let index = (u >> shift & 3) << 2 | v >> shift & 3;
            if index != 0
                && let Some(point) = table.get(usize::from(index))
            {
                sum += point;
            }
        }
    }
    sum
}

/// Whether the x of `sum` is `r`, or `r` and the order of the curve: instead of dividing
/// to get the x, the points are looked at that have this one.
fn has_x(sum: &ProjectivePoint, r: U256) -> bool {
    let further = r.wrapping_add(&NistP256::ORDER);
    [Some(r), (further > r).then_some(further)].into_iter().flatten().any(|x| {
        let point = point(x.to_be_bytes().into(), 0);
        point.is_some_and(|point| *sum == point || *sum == -point)
    })
}
