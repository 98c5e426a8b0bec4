//! The compact serialization of RFC 7515 §7.1: three parts, strictly base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::rejection::Rejection;

/// A token taken apart. Nothing of it is believed yet.
pub(super) struct Compact<'t> {
    pub(super) header: Vec<u8>,
    pub(super) claims: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// What was signed: the first two parts as they came.
    pub(super) signed: &'t [u8],
}

impl<'t> Compact<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, Rejection> {
        // Five parts are an encrypted token, which nobody here can read.
        let wrong_count = || Rejection::Parts(token.split('.').count());
        let (signed, signature) = token.rsplit_once('.').ok_or_else(wrong_count)?;
        let (header, claims) = signed.split_once('.').ok_or_else(wrong_count)?;
        if claims.contains('.') {
            return Err(wrong_count());
        }
        // This engine refuses padding, white space, other alphabets and non-zero trailing bits.
        let decode = |part, name| URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Base64(name));
        Ok(Self {
            header: decode(header, "header")?,
            claims: decode(claims, "payload")?,
            signature: decode(signature, "signature")?,
            signed: signed.as_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_of_strict_base64url() {
        let token = Compact::parse("YQ.YmI.Y2Nj").unwrap_or_else(|_| panic!("it parses"));
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
            assert_eq!(Compact::parse(token).err(), Some(expected), "{token}");
        }
    }
}
