//! A login of an earlier run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::LoginError;
use super::session::Session;
use super::store::Entry;
use super::{Login, Party};
use crate::client::source::TokenSource;
use crate::error::ConfigError;

/// A person has logged in before.
#[derive(Clone)]
pub struct StoredLogin {
    tokens: TokenSource,
    path: PathBuf,
    subject: Option<String>,
    expires_at: SystemTime,
    can_renew: bool,
}

impl<Way> Login<Way> {
    /// The login that the [store](Self::store) holds for the same server, client, audience and
    /// scopes; `None` if no person has logged in. Nothing is asked of the server as long as the stored access
    /// token lives.
    ///
    /// # Errors
    /// [`LoginError::Store`] when it cannot be used, [`LoginError::Config`] without a store.
    pub async fn load(&self) -> Result<Option<StoredLogin>, LoginError> {
        let party = self.wanted.party()?;
        let entry = party.required_entry()?;
        let Some(stored) = entry.read().await? else { return Ok(None) };
        Ok(Some(StoredLogin {
            path: entry.path().into(),
            expires_at: stored.tokens.expires_at,
            can_renew: stored.tokens.refresh.is_some(),
            tokens: Session::source(&party, Some(entry), stored.tokens, stored.subject.as_deref()),
            subject: stored.subject,
        }))
    }
}

impl Party {
    pub(crate) fn required_entry(&self) -> Result<Entry, ConfigError> {
        let help = "say where logins are kept: `.store(TokenStore::open()?)`";
        self.entry().ok_or(ConfigError::setting("client", "store", help))
    }
}

impl StoredLogin {
    /// Their tokens: the stored one as long as it lives, then others by the refresh token. Those
    /// are stored in turn.
    #[must_use]
    pub fn tokens(&self) -> TokenSource {
        self.tokens.clone()
    }

    /// Who logged in: `sub` of the identity token.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// When the stored access token ends, or ended.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// Whether it can be renewed then.
    #[must_use]
    pub fn can_renew(&self) -> bool {
        self.can_renew
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for StoredLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredLogin")
            .field("path", &self.path)
            .field("expires_at", &self.expires_at)
            .field("can_renew", &self.can_renew)
            .finish_non_exhaustive()
    }
}
