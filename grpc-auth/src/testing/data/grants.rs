//! What was granted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::issued_tokens::Family;
use crate::token::confirmation::Thumbprint;

/// What a client asks for and may have.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    /// Without one, access tokens are opaque.
    pub(crate) audience: Option<String>,
}

/// What a user, or a client for itself, allowed.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) access: Access,
    pub(crate) subject: String,
    pub(crate) nonce: Option<String>,
    pub(crate) authenticated_at: SystemTime,
    pub(crate) family: Arc<Family>,
}

impl Grant {
    /// A grant that nothing came of yet.
    pub(crate) fn new(access: Access, subject: &str, now: SystemTime) -> Self {
        let family = Arc::default();
        Self { access, subject: subject.into(), nonce: None, authenticated_at: now, family }
    }
}

/// An authorization code (RFC 6749 §4.1.2). It is kept when it was used: the next use is a theft.
pub(crate) struct Code {
    pub(crate) grant: Grant,
    /// As the request had it.
    pub(crate) redirect_uri: String,
    /// Of RFC 7636 §4.2, by S256.
    pub(crate) challenge: String,
    /// The key that has to redeem it (RFC 9449 §10).
    pub(crate) key: Option<String>,
    pub(crate) expires_at: SystemTime,
    pub(crate) is_used: bool,
}

impl Code {
    /// RFC 6749 §4.1.2 recommends at most ten minutes; a program redeems it at once.
    pub(crate) const LIFETIME: Duration = Duration::from_secs(60);
}

/// A refresh token. It is kept when it was used, as a code is.
pub(crate) struct RefreshToken {
    pub(crate) grant: Grant,
    /// A public client has nothing but its key to show whose the token is (RFC 9449 §5).
    pub(crate) key: Option<Thumbprint>,
    pub(crate) expires_at: SystemTime,
    pub(crate) is_used: bool,
}

impl RefreshToken {
    pub(crate) const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
}
