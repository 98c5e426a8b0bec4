//! The compact serialization of RFC 7515 §7.1: three parts, strictly base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memchr;

use super::error::JoseError;

/// The parts of a token. None of them is verified yet.
pub(crate) struct Compact<'t> {
    pub(crate) header: Vec<u8>,
    pub(crate) claims: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// What was signed: the first two parts as they came.
    pub(crate) signed: &'t [u8],
}

impl<'t> Compact<'t> {
    pub(crate) fn parse(token: &'t [u8]) -> Result<Self, JoseError> {
        // Five parts are an encrypted token, which this crate does not decrypt.
        let wrong_count = || JoseError::Parts(token.split(|byte| *byte == b'.').count());
        let (header, rest) = split(token).ok_or_else(wrong_count)?;
        let (claims, signature) = split(rest).ok_or_else(wrong_count)?;
        let signed = token.get(..header.len() + 1 + claims.len()).unwrap_or_default();
        // This decoder rejects padding, white space, other alphabets and non-zero trailing bits.
        let decode = |part: &[u8], name| {
            URL_SAFE_NO_PAD.decode(part).map_err(|_| match memchr(b'.', signature) {
                Some(_) => wrong_count(),
                None => JoseError::Base64(name),
            })
        };
        Ok(Self {
            header: decode(header, "header")?,
            claims: decode(claims, "payload")?,
            signature: decode(signature, "signature")?,
            signed,
        })
    }
}

/// The claims of a token with three parts. Nothing is verified: the header and the signature are not
/// even decoded.
pub(crate) fn unverified_claims(token: &[u8]) -> Option<Vec<u8>> {
    let (_, rest) = split(token)?;
    let (claims, signature) = split(rest)?;
    if memchr(b'.', signature).is_some() {
        return None;
    }
    URL_SAFE_NO_PAD.decode(claims).ok()
}

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (part, rest) = text.split_at_checked(memchr(b'.', text)?)?;
    Some((part, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_of_strict_base64url() {
        let token = Compact::parse(b"YQ.YmI.Y2Nj").unwrap_or_else(|_| panic!("it parses"));
        assert_eq!(
            (&*token.header, &*token.claims, &*token.signature),
            (&b"a"[..], &b"bb"[..], &b"ccc"[..])
        );
        assert_eq!(token.signed, b"YQ.YmI");

        for (token, expected) in [
            ("", JoseError::Parts(1)),
            ("YQ", JoseError::Parts(1)),
            ("YQ.YQ", JoseError::Parts(2)),
            ("YQ.YQ.YQ.YQ", JoseError::Parts(4)),
            ("YQ.YQ.YQ.YQ.YQ", JoseError::Parts(5)),
            ("YQ==.YQ.YQ", JoseError::Base64("header")),
            ("YR.YQ.YQ", JoseError::Base64("header")),
            ("YQ.Y+.YQ", JoseError::Base64("payload")),
            ("YQ. YQ.YQ", JoseError::Base64("payload")),
            ("YQ.YQ.Y", JoseError::Base64("signature")),
        ] {
            assert_eq!(Compact::parse(token.as_bytes()).err(), Some(expected), "{token}");
        }
    }

    /// RFC 4648 §3.5: every pair of bytes at the end of a part, where trailing bits stand, and every
    /// byte at the start, in the middle and at the end of a part of each length.
    #[test]
    fn each_value_has_one_accepted_text() {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let values: [Option<usize>; 256] = std::array::from_fn(|byte| {
            ALPHABET.iter().position(|letter| usize::from(*letter) == byte)
        });
        let is_strict = |part: &[u8]| {
            let is_letter = |byte: &u8| values[usize::from(*byte)].is_some();
            let last = part.last().and_then(|byte| values[usize::from(*byte)]).unwrap_or(0);
            let has_zero_bits_left = match part.len() % 4 {
                0 => true,
                2 => last & 0b1111 == 0,
                3 => last & 0b11 == 0,
                _ => false,
            };
            has_zero_bits_left && part.iter().all(is_letter)
        };
        let compare = |part: &[u8]| {
            let decoded = URL_SAFE_NO_PAD.decode(part);
            assert_eq!(decoded.is_ok(), is_strict(part), "{part:?}");
            if let Ok(decoded) = decoded {
                assert_eq!(URL_SAFE_NO_PAD.encode(decoded).as_bytes(), part);
            }
        };
        let long = [b'Q'; 70];
        for length in 0..70_usize {
            for byte in 0..=u8::MAX {
                for place in [0, length / 2, length.saturating_sub(1)] {
                    let mut part = long[..length].to_vec();
                    if let Some(slot) = part.get_mut(place) {
                        *slot = byte;
                    }
                    compare(&part);
                }
            }
        }
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                compare(&[first, second]);
                compare(&[b'Q', first, second]);
            }
        }
    }
}
