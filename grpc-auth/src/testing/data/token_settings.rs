//! How the token endpoint answers.

use std::sync::Mutex;
use std::time::Duration;

use crate::lock::locked;

/// How long access tokens are valid unless it is set otherwise.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);

/// How the endpoint answers.
#[derive(Debug)]
pub(crate) struct TokenSettings(Mutex<Answers>);

struct Answers {
    lifetime: Duration,
    omits_expires_in: bool,
    /// What is answered instead of the truth.
    other: Option<(u16, String)>,
}

impl TokenSettings {
    pub(crate) fn lifetime(&self) -> Duration {
        locked(&self.0).lifetime
    }

    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        locked(&self.0).lifetime = lifetime;
    }

    pub(crate) fn omits_expires_in(&self) -> bool {
        locked(&self.0).omits_expires_in
    }

    pub(crate) fn set_omits_expires_in(&self, omits: bool) {
        locked(&self.0).omits_expires_in = omits;
    }

    pub(crate) fn other(&self) -> Option<(u16, String)> {
        locked(&self.0).other.clone()
    }

    pub(crate) fn set_other(&self, other: Option<(u16, String)>) {
        locked(&self.0).other = other;
    }
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self(Mutex::new(Answers { lifetime: LIFETIME, omits_expires_in: false, other: None }))
    }
}

/// Without the other answer, which may hold a token.
impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}
