//! RSA keys that can be factored in spite of their length: ROCA, CVE-2017-15361.

/// The construction of every such key of 2048 bits or more contains the odd primes up to this one.
const LARGEST_PRIME: u32 = 701;

/// Infineon's library made primes that are powers of 65537 modulo each small prime, and so is
/// their product: the fingerprint by which its keys are found. Another key has it with a chance
/// below 2⁻¹⁰⁰.
pub(super) fn has_fingerprint(n: &[u8]) -> bool {
    let is_prime = |number: &u32| (2..*number).all(|divisor| number % divisor != 0);
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(has_fingerprint(&n));
        // Leading zeros are no part of a number.
        assert!(has_fingerprint(&[&[0; 7][..], &n].concat()));
        for last in [3, 5, 0xff] {
            *n.last_mut().unwrap() = last;
            assert!(!has_fingerprint(&n));
        }
        assert!(!has_fingerprint(&[0xff; 256]));
        assert!(!has_fingerprint(&[]));
    }
}
