//! Sender-constrained tokens: whether the caller is the one that a token was issued to, by its
//! client certificate (RFC 8705) or by a proof that it signed for the call (RFC 9449).
//!
//! The token comes first, then what proves its sender. A proof is signed with a key of its
//! sender's own, so that anyone could have signatures of proofs checked; only who holds a token of
//! the issuer's, bound to that key, gets as far. What is wrong with a proof is said only to such a
//! caller, and nothing is learnt about a token by sending proofs along.

#[cfg(feature = "tls")]
pub(crate) mod certificate;
pub(crate) mod dpop;
pub(crate) mod nonce;
pub(crate) mod origin;
pub(crate) mod proof;
#[cfg(feature = "redis")]
pub(crate) mod redis;
pub(crate) mod replay;
mod start;

use std::pin::Pin;

use http::{Extensions, Request};

use crate::jose::error::JoseError;
use crate::jose::jwk::Skipped;
use crate::policy::denial::DenialReason;
use crate::token::bearer::Scheme;
use crate::token::caller::AuthenticatedCaller;
use crate::token::confirmation::Thumbprint;
use dpop::DpopVerifier;

/// What a resource server asks of the senders of bound tokens.
#[derive(Debug, Default)]
pub(crate) struct SenderChecks {
    /// Finds the client certificate of a call's connection; `None` if certificates are not checked.
    pub(crate) certificate: Option<CertificateOf>,
    pub(crate) dpop: Option<DpopVerifier>,
}

pub(crate) type CertificateOf = fn(&Extensions) -> Option<Thumbprint>;

/// Whether a proof was used before; everything else is right.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Result<(), Unproved>> + Send>>;

impl SenderChecks {
    /// Checks everything that the token is bound to; nothing of it is remembered from one call to
    /// the next. If all of it is right, what is left may be to wait for the replay store.
    pub(crate) fn check<B>(
        &self,
        request: &Request<B>,
        scheme: Scheme,
        caller: &AuthenticatedCaller,
    ) -> Result<Option<Pending>, Unproved> {
        let bound = caller.principal().confirmation();
        if let Some(certificate) = bound.and_then(|bound| bound.certificate.as_ref()) {
            let certificate_of = self.certificate.ok_or(Unproved::MutualTlsOff)?;
            let own = certificate_of(request.extensions()).ok_or(Unproved::CertificateMissing)?;
            if !own.is(certificate) {
                return Err(Unproved::CertificateOther);
            }
        }
        match (scheme, bound.and_then(|bound| bound.key.as_ref()), &self.dpop) {
            (Scheme::Bearer, None, _) => Ok(None),
            (Scheme::Bearer, Some(_), Some(_)) => Err(Unproved::SentAsBearer),
            (_, Some(_), None) => Err(Unproved::DpopOff),
            (Scheme::Dpop, None, _) => Err(Unproved::NotBound),
            (Scheme::Dpop, Some(key), Some(dpop)) => {
                // Without its token a caller has nothing to prove.
                let token = caller.token().ok_or(Unproved::NotBound)?;
                dpop.check(request, token, key).map(Some)
            }
        }
    }
}

/// Why the sender of a valid token is not accepted as its holder: for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unproved {
    #[error(
        "it is bound to a client certificate (`cnf`, `x5t#S256`), which is not checked here: \
         configure `.mutual_tls()` (feature `tls`)"
    )]
    MutualTlsOff,
    #[error(
        "it is bound to a client certificate (`cnf`, `x5t#S256`), and the sender showed none on \
         this connection: ask for one with the server's TLS settings; headers of a proxy are not \
         read"
    )]
    CertificateMissing,
    #[error("it is bound to another client certificate than this connection's")]
    CertificateOther,
    #[error(
        "it is bound to a key of its holder (`cnf`, `jkt`), which is not checked here: configure \
         `.dpop(Dpop::for_origins(..))`"
    )]
    DpopOff,
    #[error(
        "it is bound to a key of its holder (`cnf`, `jkt`) and came as `Bearer`: the client has to \
         send it as `DPoP`, with a proof"
    )]
    SentAsBearer,
    #[error(
        "it came as `DPoP` and is not bound to a key (`cnf`, `jkt`): the client has to send a \
         proof to the authorization server too, or the token as `Bearer`"
    )]
    NotBound,
    #[error("it came as `DPoP` without a proof in `dpop`")]
    ProofMissing,
    #[error("several `dpop` values")]
    ProofsSeveral,
    #[error("the DPoP proof is longer than 8 KiB")]
    ProofTooLong,
    #[error("of the DPoP proof: {0}")]
    ProofMalformed(JoseError),
    #[error("the header of the DPoP proof has `{0}`, which changes what it means")]
    ProofParameter(&'static str),
    #[error("the DPoP proof's `typ` is not `dpop+jwt`")]
    ProofType,
    #[error("the DPoP proof's `alg` is not an asymmetric signature algorithm of the registry")]
    ProofAlgorithm,
    #[error("the DPoP proof has no `jwk`")]
    ProofKeyMissing,
    #[error("the DPoP proof's `jwk` is not admitted for its `alg`: {0}")]
    ProofKey(Skipped),
    #[error("the DPoP proof's key is another than the token is bound to")]
    ProofKeyOther,
    #[error("the signature of the DPoP proof is not its key's")]
    ProofSignature,
    #[error(
        "the DPoP proof's `htm` is not `POST`, which every gRPC call is, or the call is not gRPC"
    )]
    ProofMethod,
    #[error(
        "the DPoP proof's `htu` is not this method at a configured origin; if clients know the \
         server by another address, add it to `Dpop::for_origins`"
    )]
    ProofTarget,
    #[error("the DPoP proof's `ath` is not the hash of this token")]
    ProofToken,
    #[error("the DPoP proof has no `iat`")]
    ProofTimeMissing,
    #[error("the DPoP proof is too old; how long it may be on its way is `Dpop::proof_lifetime`")]
    ProofOld,
    #[error(
        "the DPoP proof's `iat` is in the future; by how much clocks may differ is \
         `Dpop::clock_skew`"
    )]
    ProofInFuture,
    #[error("the DPoP proof's `jti` is not a string of 1 to 256 bytes")]
    ProofId,
    #[error("the DPoP proof has no nonce, or an old one: the answer has the present one")]
    ProofNonce,
    #[error("the DPoP proof was used before")]
    ProofReplayed,
    #[error(
        "the DPoP proof was made before this server, or the store in `Dpop::replay_store`, began \
         to remember used proofs: it may have been used; the client has to make a new one"
    )]
    ProofBeforeStart,
    #[error(
        "the DPoP proof may have been used before this server, or the store in \
         `Dpop::replay_store`, began to remember used proofs; that was less than \
         `Dpop::clock_skew` before its `iat`, or in the same second: the client is given a nonce \
         to make a new one with"
    )]
    ProofAtStart,
    #[error(
        "there is no room to remember another DPoP proof, and none that counts is forgotten: raise \
         `Dpop::replay_entries`, or lower `Dpop::proof_lifetime`"
    )]
    ReplayFull,
    #[error(
        "the key has used its share of the DPoP proofs that are remembered: raise \
         `Dpop::replay_entries_per_key`, or lower `Dpop::proof_lifetime`"
    )]
    ReplayKeyFull,
    #[error("the store of used DPoP proofs does not answer: {0}")]
    ReplayUnavailable(&'static str),
    #[error("the store of used DPoP proofs panicked")]
    ReplayPanicked,
}

impl Unproved {
    /// What the caller sees.
    pub(crate) fn denied(&self) -> DenialReason {
        match self {
            Self::MutualTlsOff
            | Self::CertificateMissing
            | Self::CertificateOther
            | Self::DpopOff
            | Self::SentAsBearer
            | Self::NotBound => DenialReason::TokenInvalid,
            Self::ProofMissing
            | Self::ProofsSeveral
            | Self::ProofTooLong
            | Self::ProofMalformed(_) => DenialReason::ProofMalformed,
            Self::ProofParameter(_)
            | Self::ProofType
            | Self::ProofAlgorithm
            | Self::ProofKeyMissing
            | Self::ProofKey(_)
            | Self::ProofKeyOther
            | Self::ProofSignature
            | Self::ProofMethod
            | Self::ProofTarget
            | Self::ProofToken
            | Self::ProofTimeMissing
            | Self::ProofOld
            | Self::ProofInFuture
            | Self::ProofId
            | Self::ProofReplayed
            | Self::ProofBeforeStart => DenialReason::ProofInvalid,
            Self::ReplayPanicked => DenialReason::PolicyPanicked,
            Self::ProofNonce | Self::ProofAtStart => DenialReason::ProofNonceRequired,
            Self::ReplayFull | Self::ReplayKeyFull | Self::ReplayUnavailable(_) => {
                DenialReason::BackendUnavailable
            }
        }
    }
}
