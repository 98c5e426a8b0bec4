//! One DPoP proof: a JWT that the sender of a call signed for it (RFC 9449 §4.2), and what it has
//! to say (§4.3).

use std::borrow::Cow;

use constant_time_eq::constant_time_eq;
use http::header::{HeaderMap, HeaderValue};
use serde::de::MapAccess;

use super::Unproved;
use super::origin::Origin;
use crate::jose::algorithm::Algorithm;
use crate::jose::compact::Compact;
use crate::jose::error::JoseError;
use crate::jose::jwk::Key;
use crate::json::raw::Raw;
use crate::json::text::Text;
use crate::json::{Members, read_object};
use crate::token::confirmation::Thumbprint;

/// The metadata that carries it.
const DPOP: &str = "dpop";

const MAX_PROOF_BYTES: usize = 8 * 1024;
const MAX_ID_BYTES: usize = 256;

/// What a proof is compared with.
pub(crate) struct Expected<'c> {
    pub(crate) method: &'static str,
    pub(crate) origins: &'c [Origin],
    pub(crate) path: &'c str,
    /// The access token it came with, and the key that this is bound to; none where a token is
    /// asked for.
    pub(crate) token: Option<(&'c [u8], &'c Thumbprint)>,
    /// Between these seconds since 1970 it was made.
    pub(crate) earliest: f64,
    pub(crate) latest: f64,
}

/// What is left to check of a proof that is right: that it is fresh.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) key: Thumbprint,
    pub(crate) id: String,
    pub(crate) issued_at: f64,
    pub(crate) nonce: Option<String>,
}

/// Takes the only proof out of the metadata.
pub(crate) fn only_proof(headers: &HeaderMap) -> Result<&[u8], Unproved> {
    let mut values = headers.get_all(DPOP).iter().map(HeaderValue::as_bytes);
    match (values.next(), values.next()) {
        (None, _) => Err(Unproved::ProofMissing),
        (Some(_), Some(_)) => Err(Unproved::ProofsSeveral),
        (Some(proof), None) if proof.len() > MAX_PROOF_BYTES => Err(Unproved::ProofTooLong),
        (Some(proof), None) => Ok(proof),
    }
}

/// Checks a proof, what is cheap first. Anyone can make one for a key of their own: only with the
/// key that the token is bound to is it worth a signature check.
pub(crate) fn check(proof: &[u8], expected: &Expected<'_>) -> Result<Proof, Unproved> {
    let compact = Compact::parse(proof).map_err(Unproved::ProofMalformed)?;
    let header = ProofHeader::parse(&compact.header)?;
    let claims = ProofClaims::parse(&compact.claims)?;
    let issued_at = claims.check(expected)?;
    let (key, form) = Key::of_proof(header.jwk, header.algorithm).map_err(Unproved::ProofKey)?;
    let own = Thumbprint::of(form.as_bytes());
    if expected.token.is_some_and(|(_, bound)| !own.is(bound)) {
        return Err(Unproved::ProofKeyOther);
    }
    if !key.verifies(header.algorithm, compact.signed, &compact.signature) {
        return Err(Unproved::ProofSignature);
    }
    let id = claims.jti.filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()));
    let id = id.ok_or(Unproved::ProofId)?.into_owned();
    Ok(Proof { key: own, id, issued_at, nonce: claims.nonce.map(Cow::into_owned) })
}

/// Checks a proof for any key and of any time, for fuzzers.
pub(crate) fn check_any(proof: &[u8], origin: &str, path: &str) -> Result<(), String> {
    let origins = [Origin::configured(origin).map_err(|error| error.to_string())?];
    let (earliest, latest) = (f64::NEG_INFINITY, f64::INFINITY);
    let expected =
        Expected { method: "POST", origins: &origins, path, token: None, earliest, latest };
    check(proof, &expected).map(drop).map_err(|error| error.to_string())
}

struct ProofHeader<'t> {
    algorithm: Algorithm,
    jwk: &'t [u8],
}

#[derive(Default)]
struct Parameters<'t> {
    alg: Option<Cow<'t, str>>,
    typ: Option<Cow<'t, str>>,
    jwk: Option<Raw<'t>>,
    /// A parameter that changes what the other bytes mean (RFC 7515 §4.1.11, RFC 7797, RFC 7516).
    changing: Option<&'static str>,
}

impl<'t> Members<'t> for Parameters<'t> {
    fn take<A: MapAccess<'t>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "alg" => self.alg = Some(map.next_value::<Text<'t>>()?.0),
            "typ" => self.typ = Some(map.next_value::<Text<'t>>()?.0),
            "jwk" => self.jwk = Some(map.next_value()?),
            "crit" => self.changing = Some("crit"),
            "b64" => self.changing = Some("b64"),
            "zip" => self.changing = Some("zip"),
            _ => {}
        }
        Ok(matches!(name, "alg" | "typ" | "jwk"))
    }
}

impl<'t> ProofHeader<'t> {
    fn parse(json: &'t [u8]) -> Result<Self, Unproved> {
        let mut parameters = Parameters::default();
        read_object(json, &mut parameters).map_err(|error| {
            Unproved::ProofMalformed(JoseError::Json { part: "its header", error })
        })?;
        if let Some(name) = parameters.changing {
            return Err(Unproved::ProofParameter(name));
        }
        // A token that the same key signed for another purpose is not a proof.
        if parameters.typ.as_deref() != Some("dpop+jwt") {
            return Err(Unproved::ProofType);
        }
        let algorithm = parameters.alg.as_deref().and_then(Algorithm::from_name);
        Ok(Self {
            algorithm: algorithm.ok_or(Unproved::ProofAlgorithm)?,
            jwk: parameters.jwk.ok_or(Unproved::ProofKeyMissing)?.as_bytes(),
        })
    }
}

#[derive(Default)]
struct ProofClaims<'t> {
    jti: Option<Cow<'t, str>>,
    htm: Option<Cow<'t, str>>,
    htu: Option<Cow<'t, str>>,
    ath: Option<Cow<'t, str>>,
    nonce: Option<Cow<'t, str>>,
    iat: Option<f64>,
}

impl<'t> Members<'t> for ProofClaims<'t> {
    fn take<A: MapAccess<'t>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        let slot = match name {
            "jti" => &mut self.jti,
            "htm" => &mut self.htm,
            "htu" => &mut self.htu,
            "ath" => &mut self.ath,
            "nonce" => &mut self.nonce,
            "iat" => {
                self.iat = Some(map.next_value()?);
                return Ok(true);
            }
            _ => return Ok(false),
        };
        *slot = Some(map.next_value::<Text<'t>>()?.0);
        Ok(true)
    }
}

impl<'t> ProofClaims<'t> {
    fn parse(json: &'t [u8]) -> Result<Self, Unproved> {
        let mut claims = Self::default();
        read_object(json, &mut claims).map_err(|error| {
            Unproved::ProofMalformed(JoseError::Json { part: "its payload", error })
        })?;
        Ok(claims)
    }

    /// Whether it was made for this call, and lately: when.
    fn check(&self, expected: &Expected<'_>) -> Result<f64, Unproved> {
        if self.htm.as_deref() != Some(expected.method) {
            return Err(Unproved::ProofMethod);
        }
        let htu = self.htu.as_deref().unwrap_or_default();
        if !expected.origins.iter().any(|origin| origin.is_target(htu, expected.path)) {
            return Err(Unproved::ProofTarget);
        }
        if let Some((token, _)) = expected.token {
            let hash = Thumbprint::of(token).encode();
            let own = self.ath.as_deref().unwrap_or_default();
            if !constant_time_eq(own.as_bytes(), hash.as_bytes()) {
                return Err(Unproved::ProofToken);
            }
        }
        match self.iat {
            None => Err(Unproved::ProofTimeMissing),
            Some(iat) if iat < expected.earliest => Err(Unproved::ProofOld),
            Some(iat) if iat > expected.latest => Err(Unproved::ProofInFuture),
            Some(iat) => Ok(iat),
        }
    }
}

/// Marks the proofs as sensitive, so that printed metadata does not show them.
pub(crate) fn hide(headers: &mut HeaderMap) {
    // `entry` would reserve a place, and a map can be full.
    if headers.contains_key(DPOP) {
        let proofs = headers.iter_mut().filter(|(name, _)| *name == DPOP);
        proofs.for_each(|(_, proof)| proof.set_sensitive(true));
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
