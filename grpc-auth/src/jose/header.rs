//! The JOSE header: which key and algorithm, and what kind of token.

use std::borrow::Cow;

use serde::de::MapAccess;

use super::algorithm::Algorithm;
use super::error::JoseError;
use super::jwk::MAX_KID_BYTES;
use crate::json::text::Text;
use crate::json::{Members, read_object};

/// What the header may decide. `jwk`, `jku`, `x5u`, `x5c` and `x5t` are never read: a token does
/// not choose its own key. Unknown parameters are ignored, whatever their type (RFC 7515 §4).
#[derive(Debug)]
pub(crate) struct Header<'t> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<Cow<'t, str>>,
    pub(crate) typ: Option<Cow<'t, str>>,
    /// Microsoft's own tokens have one.
    pub(crate) has_nonce: bool,
}

#[derive(Default)]
struct Parameters<'t> {
    alg: Option<Cow<'t, str>>,
    kid: Option<Cow<'t, str>>,
    typ: Option<Cow<'t, str>>,
    has_nonce: bool,
    /// A parameter that changes what the other bytes mean (RFC 7515 §4.1.11, RFC 7797, RFC 7516).
    changing: Option<&'static str>,
}

impl<'t> Members<'t> for Parameters<'t> {
    fn take<A: MapAccess<'t>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "alg" => self.alg = Some(map.next_value::<Text<'t>>()?.0),
            "kid" => self.kid = Some(map.next_value::<Text<'t>>()?.0),
            "typ" => self.typ = Some(map.next_value::<Text<'t>>()?.0),
            "crit" => self.changing = Some("crit"),
            "b64" => self.changing = Some("b64"),
            "zip" => self.changing = Some("zip"),
            "nonce" => self.has_nonce = true,
            _ => {}
        }
        Ok(matches!(name, "alg" | "kid" | "typ"))
    }
}

impl<'t> Header<'t> {
    pub(crate) fn parse(json: &'t [u8]) -> Result<Self, JoseError> {
        let mut parameters = Parameters::default();
        read_object(json, &mut parameters)
            .map_err(|error| JoseError::Json { part: "its header", error })?;
        if let Some(name) = parameters.changing {
            return Err(JoseError::HeaderParameter(name));
        }
        let algorithm = parameters.alg.as_deref().and_then(Algorithm::from_name);
        if parameters.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
            return Err(JoseError::KeyIdTooLong);
        }
        let unsupported = || match parameters.alg.as_deref() {
            Some("Ed448") => JoseError::Ed448,
            _ => JoseError::Algorithm,
        };
        Ok(Self {
            algorithm: algorithm.ok_or_else(unsupported)?,
            kid: parameters.kid,
            typ: parameters.typ,
            has_nonce: parameters.has_nonce,
        })
    }

    /// Whether `typ` is this media type; RFC 7515 §4.1.9 lets `application/` be left out.
    pub(crate) fn is_of_type(&self, accepted: &str) -> bool {
        let typ = self.typ.as_deref().unwrap_or_default();
        let prefix = "application/";
        let short = match typ.get(..prefix.len()) {
            Some(start) if start.eq_ignore_ascii_case(prefix) => typ.get(prefix.len()..),
            _ => None,
        };
        short.unwrap_or(typ).eq_ignore_ascii_case(accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Header<'_>, JoseError> {
        Header::parse(json.as_bytes())
    }

    #[test]
    fn parameters_that_decide_are_read_and_others_ignored() {
        let header = parse(
            r#"{"alg":"ES256","kid":"k","typ":"application/AT+jwt","jwk":{"kty":"oct"},"x":[1]}"#,
        )
        .unwrap();
        assert_eq!(header.algorithm, Algorithm::Es256);
        assert_eq!(header.kid.as_deref(), Some("k"));
        assert!(header.is_of_type("at+jwt"));
        assert!(!header.is_of_type("JWT"));
        assert!(!parse(r#"{"alg":"ES256"}"#).unwrap().is_of_type("at+jwt"));
    }

    #[test]
    fn every_other_header_is_refused_by_its_reason() {
        let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(257));
        for (json, expected) in [
            (r#"{}"#, JoseError::Algorithm),
            (r#"{"alg":"none"}"#, JoseError::Algorithm),
            (r#"{"alg":"HS256"}"#, JoseError::Algorithm),
            (r#"{"alg":"es256"}"#, JoseError::Algorithm),
            (r#"{"alg":"Ed448"}"#, JoseError::Ed448),
            (r#"{"alg":"ES256","crit":[]}"#, JoseError::HeaderParameter("crit")),
            (r#"{"alg":"ES256","b64":true}"#, JoseError::HeaderParameter("b64")),
            (r#"{"alg":"ES256","zip":"DEF"}"#, JoseError::HeaderParameter("zip")),
            (&long, JoseError::KeyIdTooLong),
        ] {
            assert_eq!(parse(json).unwrap_err(), expected, "{json}");
        }
    }

    #[test]
    fn parameters_of_another_type_are_rejected_by_their_name() {
        for (json, expected) in [
            (r#"{"alg":["ES256"]}"#, "`alg` is an array, expected a string"),
            (r#"{"alg":"ES256","kid":7}"#, "`kid` is a number, expected a string"),
            (r#"{"alg":"ES256","kid":null}"#, "`kid` is null, expected a string"),
            (r#"{"alg":"ES256","typ":{}}"#, "`typ` is an object, expected a string"),
            (r#"{"alg":null}"#, "`alg` is null, expected a string"),
            (r#"{"alg":"ES256","alg":"ES256"}"#, "the member `alg` occurs twice"),
            (r#"["ES256"]"#, "it is an array, expected an object"),
        ] {
            let found = parse(json).unwrap_err().to_string();
            assert_eq!(found, format!("its header cannot be read: {expected}"), "{json}");
        }
    }
}
