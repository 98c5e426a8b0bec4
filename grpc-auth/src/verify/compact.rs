//! The compact serialization of RFC 7515 §7.1: three parts, strictly base64url.

use base64_simd::URL_SAFE_NO_PAD;
use memchr::memchr;

use super::rejection::Rejection;

/// A token taken apart. Nothing of it is believed yet.
pub(crate) struct Compact<'t> {
    pub(crate) header: Vec<u8>,
    pub(crate) claims: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// What was signed: the first two parts as they came.
    pub(crate) signed: &'t [u8],
}

impl<'t> Compact<'t> {
    pub(crate) fn parse(token: &'t [u8]) -> Result<Self, Rejection> {
        // Five parts are an encrypted token, which nobody here can read.
        let wrong_count = || Rejection::Parts(token.split(|byte| *byte == b'.').count());
        let (header, rest) = split(token).ok_or_else(wrong_count)?;
        let (claims, signature) = split(rest).ok_or_else(wrong_count)?;
        let signed = token.get(..header.len() + 1 + claims.len()).unwrap_or_default();
        // This decoder refuses padding, white space, other alphabets and non-zero trailing bits.
        let decode = |part: &[u8], name| {
            URL_SAFE_NO_PAD.decode_to_vec(part).map_err(|_| match memchr(b'.', signature) {
                Some(_) => wrong_count(),
                None => Rejection::Base64(name),
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
            ("", Rejection::Parts(1)),
            ("YQ", Rejection::Parts(1)),
            ("YQ.YQ", Rejection::Parts(2)),
            ("YQ.YQ.YQ.YQ", Rejection::Parts(4)),
            ("YQ.YQ.YQ.YQ.YQ", Rejection::Parts(5)),
            ("YQ==.YQ.YQ", Rejection::Base64("header")),
            ("YR.YQ.YQ", Rejection::Base64("header")),
            ("YQ.Y+.YQ", Rejection::Base64("payload")),
            ("YQ. YQ.YQ", Rejection::Base64("payload")),
            ("YQ.YQ.Y", Rejection::Base64("signature")),
        ] {
            assert_eq!(Compact::parse(token.as_bytes()).err(), Some(expected), "{token}");
        }
    }

    /// Two decoders agree on what is strict: every pair of bytes at the end of a part, where
    /// trailing bits stand, and every byte anywhere.
    #[test]
    fn the_decoder_is_as_strict_as_another_one() {
        use base64::Engine;
        use base64::engine::general_purpose;

        let compare = |part: &[u8]| {
            let theirs = general_purpose::URL_SAFE_NO_PAD.decode(part).ok();
            assert_eq!(URL_SAFE_NO_PAD.decode_to_vec(part).ok(), theirs, "{part:?}");
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
