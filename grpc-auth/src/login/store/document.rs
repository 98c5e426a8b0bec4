//! The contents of a file.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use secrecy::ExposeSecret;
use secrecy::zeroize::{Zeroize, Zeroizing};
use serde::{Deserialize, Serialize};

use super::Stored;
use super::error::StoreError;
use crate::client::request::Parameters;
use crate::client::response::TokenType;
use crate::json;
use crate::login::tokens::Tokens;
use crate::token::bearer::BearerToken;

const VERSION: u32 = 1;
/// The year 9999: times must stay within what a clock shows.
const LAST_SECOND: u64 = 253_402_300_799;

/// What a login is for: an equal login finds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    /// And the scopes that come by themselves.
    pub(crate) has_defaults: bool,
    #[serde(flatten)]
    pub(crate) parameters: Parameters,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    #[serde(flatten)]
    key: Key,
    subject: Option<String>,
    access_token: String,
    token_type: String,
    /// Seconds since 1970.
    expires_at: u64,
    granted_scope: Option<String>,
    refresh_token: Option<String>,
}

impl Drop for Document {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

pub(crate) fn write(tokens: &Tokens, subject: Option<&str>, key: &Key) -> Zeroizing<Vec<u8>> {
    let expires_at = tokens.expires_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let document = Document {
        version: VERSION,
        key: key.clone(),
        subject: subject.map(Into::into),
        access_token: tokens.access.expose_secret().into(),
        token_type: match tokens.token_type {
            TokenType::Bearer => "Bearer".into(),
            TokenType::Dpop => "DPoP".into(),
        },
        expires_at: expires_at.as_secs(),
        granted_scope: tokens.scope.clone(),
        refresh_token: tokens.refresh.as_ref().map(|token| token.expose_secret().into()),
    };
    // Strings and numbers alone: there is nothing that JSON could not hold.
    Zeroizing::new(serde_json::to_vec_pretty(&document).unwrap_or_default())
}

pub(crate) fn read(bytes: &[u8], key: &Key, path: &Path) -> Result<Stored, StoreError> {
    let corrupt =
        |problem: &'static str| StoreError::Corrupt { path: path.into(), problem: problem.into() };
    let document: Document = json::read(bytes).map_err(|error| {
        let problem = error.to_string().into();
        StoreError::Corrupt { path: path.into(), problem }
    })?;
    if document.version != VERSION {
        return Err(corrupt("another version of grpc-auth wrote it"));
    }
    // Copied from another name, or made by another user: its tokens would go to another server.
    if document.key != *key {
        return Err(corrupt("it is the login of another client, server or audience"));
    }
    let access = BearerToken::parse(&document.access_token);
    let tokens = Tokens {
        access: access.ok_or_else(|| corrupt("its access token is invalid"))?,
        token_type: match &*document.token_type {
            "Bearer" => TokenType::Bearer,
            "DPoP" => TokenType::Dpop,
            _ => return Err(corrupt("its token type is unknown")),
        },
        expires_at: UNIX_EPOCH + Duration::from_secs(document.expires_at.min(LAST_SECOND)),
        scope: document.granted_scope.clone(),
        refresh: document.refresh_token.as_deref().map(Into::into),
    };
    Ok(Stored { tokens, subject: document.subject.clone() })
}
