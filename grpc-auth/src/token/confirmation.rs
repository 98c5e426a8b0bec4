//! Whom a token is bound to: its claim `cnf` (RFC 7800 §3.1).

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use constant_time_eq::constant_time_eq_32;

use crate::json::node::Node;

/// What the sender of a token has to hold; all of it, if there is more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// Of the client's certificate: `x5t#S256` (RFC 8705 §3.1).
    pub(crate) certificate: Option<Thumbprint>,
    /// Of the key that signs DPoP proofs: `jkt` (RFC 9449 §6.1).
    pub(crate) key: Option<Thumbprint>,
}

/// A SHA-256 digest that names a certificate or a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thumbprint([u8; 32]);

impl Confirmation {
    /// Reads the claim; none if it asks for anything that is not checked here. RFC 7800 §3.1 would
    /// ignore members that are not understood, but each of them may be a binding.
    pub(crate) fn read(cnf: &Node<'_>) -> Option<Self> {
        let Node::Object(members) = cnf else { return None };
        let mut confirmation = Self { certificate: None, key: None };
        for (name, value) in members {
            let thumbprint = Thumbprint::parse(value.as_text()?)?;
            match &**name {
                "x5t#S256" => confirmation.certificate = Some(thumbprint),
                "jkt" => confirmation.key = Some(thumbprint),
                _ => return None,
            }
        }
        (!members.is_empty()).then_some(confirmation)
    }
}

impl Thumbprint {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(thumbprint)
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// In base64url, as in claims.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Compares in constant time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        constant_time_eq_32(&self.0, &other.0)
    }
}

/// It is a claim's value.
impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thumbprint([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Node<'_> {
        Node::Text(text.into())
    }

    fn cnf<'t>(members: &[(&'t str, Node<'t>)]) -> Option<Confirmation> {
        let members = members.iter().map(|(name, node)| ((*name).into(), node.clone())).collect();
        Confirmation::read(&Node::Object(members))
    }

    /// The thumbprints of RFC 8705 §3.1 and RFC 9449 §6.1.
    const CERTIFICATE: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
    const KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    #[test]
    fn a_token_can_be_bound_to_a_certificate_to_a_key_or_to_both() {
        // The RFC's example has bits behind its end, which no encoder writes.
        let certificate = CERTIFICATE.replace("dg2", "dg0");
        let read = |text: &str| Thumbprint::parse(text).unwrap();
        let both = cnf(&[("x5t#S256", text(&certificate)), ("jkt", text(KEY))]).unwrap();
        assert_eq!(both.certificate, Some(read(&certificate)));
        assert_eq!(both.key, Some(read(KEY)));
        assert_eq!(both.key.unwrap().encode(), KEY);
        let one = cnf(&[("jkt", text(KEY))]).unwrap();
        assert_eq!((one.certificate, one.key), (None, Some(read(KEY))));
        assert!(!format!("{both:?}").contains("0Z"));
    }

    #[test]
    fn any_other_binding_cannot_be_checked() {
        let longer = format!("{KEY}A");
        let padded = format!("{KEY}=");
        for members in [
            &[][..],
            &[("jwk", text(KEY))],
            &[("jkt", text(KEY)), ("jwk", Node::Object(Vec::new()))],
            &[("jkt", text(KEY)), ("kid", text(KEY))],
            &[("x5t#S256", text(CERTIFICATE))],
            &[("jkt", text(""))],
            &[("jkt", text(&longer))],
            &[("jkt", text(&padded))],
            &[("jkt", text(&KEY[1..]))],
            &[("jkt", Node::Null)],
            &[("jkt", Node::List(vec![text(KEY)]))],
            &[("JKT", text(KEY))],
            &[("x5t#s256", text(KEY))],
        ] {
            assert_eq!(cnf(members), None, "{members:?}");
        }
        for node in [Node::Null, text(KEY), Node::List(vec![text(KEY)])] {
            assert_eq!(Confirmation::read(&node), None, "{node:?}");
        }
    }
}
