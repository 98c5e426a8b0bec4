//! Keys that are valid by their form and prove nothing.

/// The construction of every such key of 2048 bits or more contains the odd primes up to this one.
const LARGEST_PRIME: u32 = 701;

/// Fewer than 2048 bits can be factored; a small exponent invites forgeries where padding is
/// checked loosely.
pub(crate) fn is_weak_rsa(n: &[u8], e: &[u8]) -> bool {
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    let exponent = e
        .iter()
        .try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)));
    !(2048..=8192).contains(&bits)
        || exponent.is_none_or(|e| e < 65537 || e % 2 == 0)
        || has_roca_fingerprint(n)
}

/// Keys that can be factored in spite of their length (ROCA, CVE-2017-15361). Infineon's library
/// made primes that are powers of 65537 modulo each small prime, and so is their product: the
/// fingerprint by which its keys are found. Another key has it with a chance below 2⁻¹⁰⁰.
fn has_roca_fingerprint(n: &[u8]) -> bool {
    let is_prime = |number: &u32| (2..*number).all(|divisor| !number.is_multiple_of(divisor));
    // Nearly every other key differs at one of the first few.
    (3..=LARGEST_PRIME).filter(is_prime).all(|prime| {
        let residue = n.iter().fold(0, |residue, byte| (residue * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        // The powers come around after fewer than `prime` steps.
        (1..prime).any(|_| {
            power = power * (65537 % prime) % prime;
            power == residue
        })
    })
}

/// A key of small order verifies one signature for many messages, and an R of small order is met by
/// no honest signer. The y-coordinates of the eight torsion points, canonical or not; the sign bit
/// does not matter.
pub(crate) fn has_small_order(point: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let Some((last, rest)) = point.split_last() else { return true };
    let last = last & 0x7f;
    let Some((first, middle)) = rest.split_first() else { return true };
    let near_zero = last == 0 && middle.iter().all(|byte| *byte == 0) && *first <= 1;
    let near_p = last == 0x7f && middle.iter().all(|byte| *byte == 0xff) && *first >= 0xec;
    let order_8 = ORDER_8
        .iter()
        .any(|point| point.split_last().is_some_and(|(end, start)| *end == last && start == rest));
    near_zero || near_p || order_8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_of_small_order_is_known_in_every_encoding() {
        let bytes = |low: u8, middle: u8, high: u8| {
            let mut y = [middle; 32];
            (y[0], y[31]) = (low, high);
            y
        };
        let hex = |hex: &str| -> [u8; 32] {
            std::array::from_fn(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap())
        };
        for mut y in [
            bytes(0, 0, 0),
            bytes(1, 0, 0),
            bytes(0xec, 0xff, 0x7f),
            bytes(0xed, 0xff, 0x7f),
            bytes(0xee, 0xff, 0x7f),
            hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
        ] {
            assert!(has_small_order(&y), "{y:02x?}");
            y[31] |= 0x80;
            assert!(has_small_order(&y), "{y:02x?}");
            y[15] ^= 1;
            assert!(!has_small_order(&y), "{y:02x?}");
        }
        assert!(!has_small_order(&bytes(2, 0, 0)));
        assert!(!has_small_order(&bytes(0xeb, 0xff, 0x7f)));
    }

    /// 65537 to this power, which bears the fingerprint as the product of two such primes does.
    fn power(exponent: usize) -> Vec<u8> {
        let mut number = vec![1_u8];
        for _ in 0..exponent {
            // Times 2^16, plus once.
            let (mut carry, mut sum) = (0_u16, vec![0; number.len() + 2]);
            let shifted = number.iter().copied().chain([0, 0]).rev();
            let once = number.iter().rev().copied().chain(std::iter::repeat(0));
            for ((a, b), place) in shifted.zip(once).zip((0..sum.len()).rev()) {
                let digit = u16::from(a) + u16::from(b) + carry;
                sum[place] = (digit & 0xff) as u8;
                carry = digit >> 8;
            }
            number = sum;
        }
        number
    }

    #[test]
    fn keys_of_the_broken_generator_are_told_from_others() {
        assert_eq!(power(2), [1, 0, 2, 0, 1]);
        let mut n = power(128);
        assert!(has_roca_fingerprint(&n));
        // Leading zeros are no part of a number.
        assert!(has_roca_fingerprint(&[&[0; 7][..], &n].concat()));
        for last in [3, 5, 0xff] {
            *n.last_mut().unwrap() = last;
            assert!(!has_roca_fingerprint(&n));
        }
        assert!(!has_roca_fingerprint(&[0xff; 256]));
        assert!(!has_roca_fingerprint(&[]));
    }
}
