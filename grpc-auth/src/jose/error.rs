//! Why a token is not a JWT that this crate reads.

use crate::json::error::JsonError;

/// Why a compact token, or its header, cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoseError {
    #[error("it is no signed JWT, which has three parts: it has {0}")]
    Parts(usize),
    #[error("its {0} is not base64url without padding")]
    Base64(&'static str),
    #[error("{part} cannot be read: {error}")]
    Json { part: &'static str, error: JsonError },
    #[error("`alg` is not an asymmetric signature algorithm of the registry")]
    Algorithm,
    #[error("`alg` is `Ed448`, which is not supported: on Ed25519, `EdDSA` and `Ed25519` are")]
    Ed448,
    #[error("its header has `{0}`, which changes what the token means")]
    HeaderParameter(&'static str),
    #[error("`kid` is longer than 256 bytes")]
    KeyIdTooLong,
}
