//! Key sets: their life, keys that the issuer never published, and what a network or an issuer does to them.

mod compressed;
mod expired_tokens;
mod faults;
mod hostile_issuer;
mod life_cycle;
mod unknown_keys;
