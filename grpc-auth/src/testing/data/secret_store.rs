//! Random secrets that stand for something: codes, refresh tokens, device codes, forms.

use std::collections::HashMap;
use std::sync::Mutex;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::lock::locked;
use crate::token::confirmation::Thumbprint;

/// What secrets stand for. They are known by their hashes: how long a look-up takes tells nothing of
/// how much of a guess was right.
pub(crate) struct Vault<T>(Mutex<HashMap<[u8; 32], T>>);

impl<T> Vault<T> {
    /// Makes a secret that stands for this.
    pub(crate) fn store(&self, value: T) -> String {
        let secret = random();
        locked(&self.0).insert(hash(&secret), value);
        secret
    }

    /// Looks at what a secret stands for, and changes it, in one step.
    pub(crate) fn with<R>(&self, secret: &str, act: impl FnOnce(&mut T) -> R) -> Option<R> {
        locked(&self.0).get_mut(&hash(secret)).map(act)
    }

    /// Looks at the first that fits.
    pub(crate) fn find<R>(
        &self,
        fits: impl Fn(&T) -> bool,
        act: impl FnOnce(&mut T) -> R,
    ) -> Option<R> {
        locked(&self.0).values_mut().find(|value| fits(value)).map(act)
    }

    /// Takes what a secret stands for, which from now on stands for nothing.
    pub(crate) fn take(&self, secret: &str) -> Option<T> {
        locked(&self.0).remove(&hash(secret))
    }

    /// Forgets what does not fit.
    pub(crate) fn retain(&self, keep: impl Fn(&T) -> bool) {
        locked(&self.0).retain(|_, value| keep(value));
    }

    pub(crate) fn len(&self) -> usize {
        locked(&self.0).len()
    }
}

impl<T> Default for Vault<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Random bytes.
///
/// # Panics
/// When the operating system has no random numbers.
#[expect(clippy::expect_used, reason = "only a broken machine has no random numbers")]
pub(crate) fn random_bytes<const COUNT: usize>() -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    rand::fill(&mut bytes).expect("there are random numbers");
    bytes
}

/// 256 random bits, in base64url.
pub(crate) fn random() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

pub(crate) fn hash(secret: &str) -> [u8; 32] {
    *Thumbprint::of(secret.as_bytes()).as_bytes()
}
