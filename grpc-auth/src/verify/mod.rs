//! Believing a token: from the text in the metadata to a [`Principal`](crate::Principal), or to
//! the reason why not.

mod claims;
mod compact;
mod header;
mod json;
mod jwt;
mod rejection;

pub(crate) use jwt::{JwtVerifier, TrustedIssuer};
pub(crate) use rejection::{Refusal, escape};
