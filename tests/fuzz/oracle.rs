//! jsonwebtoken as the other implementation: it accepts every token that grpc-auth accepts, with an
//! equal `Validation`. Used by the fuzz target and by the property test in `tests/suite`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grpc_auth::testing::fuzz::Signer;
use grpc_auth::{Algorithm, BearerToken, Issuer, ResourceServer, TokenCache};
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode};
use serde_json::Value;

use crate::at_once::at_once;

/// The issuer of the tokens.
pub(crate) const ISSUER: &str = "https://issuer.example";
/// The audience that both accept.
pub(crate) const AUDIENCE: &str = "fuzz";
/// The leeway of both.
pub(crate) const LEEWAY: Duration = Duration::from_secs(30);

/// The algorithms of [`Signer`].
pub(crate) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];

/// Two implementations with the same keys and settings.
pub(crate) struct Oracle {
    signer: Signer,
    /// Without a token cache. It accepts tokens without `kid`, and with `at+jwt`, `JWT` or no `typ`.
    ours: ResourceServer,
    theirs: Vec<(Algorithm, DecodingKey, Validation)>,
}

/// What both say of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Opinion {
    /// grpc-auth rejects it; jsonwebtoken is not asked.
    Rejected,
    /// Both accept it.
    Accepted,
    /// Only jsonwebtoken rejects it, and this is why it may.
    Explained(&'static str),
}

// Every difference that is expected, by the rule that grpc-auth follows.

pub(crate) const IGNORED_PARAMETER: &str =
    "RFC 7515 §4: header parameters that are not understood are ignored, whatever their type";
pub(crate) const FRACTION: &str =
    "RFC 7519 §2: NumericDate may have a fraction; jsonwebtoken rounds `nbf` up";
pub(crate) const NEGATIVE: &str =
    "RFC 7519 §2: NumericDate may be before 1970; jsonwebtoken reads `nbf` as u64";
pub(crate) const HUGE: &str =
    "RFC 7519 §2: NumericDate has no upper limit; jsonwebtoken reads `exp` as u64";

/// Parameters that jsonwebtoken reads into a type, and grpc-auth ignores.
const IGNORED: [&str; 9] = ["cty", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "enc", "url"];

impl Oracle {
    pub(crate) fn new() -> Self {
        // Another test may have installed it before.
        let _ = DEFAULT_PROVIDER.install_default();
        let signer = Signer::generate().unwrap();
        let issuer = Issuer::static_keys(ISSUER, signer.jwks())
            .accept_token_type("")
            .accept_token_type("JWT")
            .allow_missing_key_id();
        let ours = ResourceServer::builder()
            .issuer(issuer)
            .audience(AUDIENCE)
            .leeway(LEEWAY)
            .token_cache(TokenCache::off());
        let ours = at_once(ours.build()).unwrap();
        let keys: JwkSet = serde_json::from_str(&signer.jwks()).unwrap();
        let theirs = ALGORITHMS.map(|algorithm| {
            let name = algorithm.as_str();
            let kid = format!("{}-1", name.to_lowercase());
            let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
            let mut validation = Validation::new(name.parse().unwrap());
            validation.set_issuer(&[ISSUER]);
            validation.set_audience(&[AUDIENCE]);
            validation.set_required_spec_claims(&["exp", "iss", "aud"]);
            validation.leeway = LEEWAY.as_secs();
            validation.validate_nbf = true;
            (algorithm, key, validation)
        });
        Self { signer, ours, theirs: theirs.into() }
    }

    /// Signs a token with this header and these claims, and asks both implementations.
    ///
    /// # Panics
    /// When only grpc-auth accepts it, for no reason that is listed here.
    pub(crate) fn compare(&self, algorithm: Algorithm, header: &[u8], claims: &[u8]) -> Opinion {
        let token = self.signer.sign(algorithm, header, claims).unwrap();
        let (_, key, validation) = self.theirs.iter().find(|theirs| theirs.0 == algorithm).unwrap();
        loop {
            // jsonwebtoken reads the system's clock in whole seconds: both read the same second.
            let second = unix_seconds();
            let Some(bearer) = BearerToken::parse(&token) else { return Opinion::Rejected };
            if at_once(self.ours.verify(&bearer)).is_err() {
                return Opinion::Rejected;
            }
            let theirs = decode::<Value>(&token, key, validation);
            if unix_seconds() != second {
                continue;
            }
            return match theirs {
                Ok(_) => Opinion::Accepted,
                Err(error) => match explain(&error, header, claims) {
                    Some(reason) => Opinion::Explained(reason),
                    None => panic!(
                        "only grpc-auth accepts it: {error:?}\nheader {}\nclaims {}\ntoken {token}",
                        header.escape_ascii(),
                        claims.escape_ascii()
                    ),
                },
            };
        }
    }
}

fn explain(error: &Error, header: &[u8], claims: &[u8]) -> Option<&'static str> {
    let (header, claims): (Value, Value) =
        (serde_json::from_slice(header).ok()?, serde_json::from_slice(claims).ok()?);
    let number = |name: &str| claims.get(name).and_then(Value::as_f64);
    match error.kind() {
        ErrorKind::Json(_) if IGNORED.iter().any(|name| header.get(name).is_some()) => {
            Some(IGNORED_PARAMETER)
        }
        ErrorKind::Json(_) if header.get("nonce").is_some_and(|nonce| !nonce.is_string()) => {
            Some(IGNORED_PARAMETER)
        }
        ErrorKind::ImmatureSignature if number("nbf")?.fract() != 0.0 => Some(FRACTION),
        ErrorKind::InvalidClaimFormat(name) if name == "nbf" && number("nbf")? < 0.0 => {
            Some(NEGATIVE)
        }
        ErrorKind::InvalidClaimFormat(name) | ErrorKind::MissingRequiredClaim(name)
            if name == "exp" && number("exp")? >= u64::MAX as f64 =>
        {
            Some(HUGE)
        }
        _ => None,
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
