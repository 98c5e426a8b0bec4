//! JSON Object Signing and Encryption: algorithms, compact tokens and their headers, public keys, and
//! the private keys that this program signs with.

pub(crate) mod algorithm;
pub(crate) mod compact;
pub(crate) mod error;
pub(crate) mod header;
pub(crate) mod jwk;
pub(crate) mod signing_key;
pub(crate) mod thumbprint;
mod weak_keys;
