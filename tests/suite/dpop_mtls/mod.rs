//! Tokens that are bound to a key (DPoP) or to a client certificate.

mod dpop;
mod mtls;
