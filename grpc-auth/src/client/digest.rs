//! Names for secrets: what is shown to a server is known by its keyed hash, and compared by that.

use aws_lc_rs::{hmac, rand};

use crate::error::ConfigError;

pub(super) type Digest = [u8; 32];

/// Makes names under a key of its own.
#[derive(Debug)]
pub(super) struct Digester(hmac::Key);

impl Digester {
    pub(super) fn new() -> Result<Self, ConfigError> {
        let mut key = [0; 32];
        rand::fill(&mut key).map_err(|_| ConfigError::no_random_numbers())?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The name of these parts, none of which has a byte 0 in it.
    pub(super) fn of<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}
