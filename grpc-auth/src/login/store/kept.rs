//! Tokens that programs got for themselves, kept between two runs.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;

use super::document::Key;
use super::error::StoreError;
use super::{Entry, TokenStore, file};
use crate::client::access_token::AccessToken;
use crate::client::builder::TokenSourceBuilder;
use crate::client::request::GrantType;
use crate::login::tokens::Tokens;

/// A parameter that no login has, so that none of them is found here.
const GRANT_TYPE: &str = "grant_type";
/// The client's secret, as [`fingerprint`] knows it.
const CLIENT_SECRET: &str = "client_secret";
/// About 30 ms: a secret that a person thought up is not guessed at once by a reader of the file.
/// Most are made by the server, and not guessed at all.
const FINGERPRINT_ROUNDS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();
const FINGERPRINT_BYTES: usize = 16;

impl TokenStore {
    /// The token that was [kept](Self::keep) for the same server, client, secret or private key,
    /// scopes, audience and parameters, if there is one. Whether it lives is for its user to look at.
    ///
    /// Nothing is asked of the server: it may have revoked the token, or not know the client any
    /// more. A file that cannot be read as what was written there is no token; the next one takes
    /// its place.
    ///
    /// # Errors
    /// [`StoreError`] when others can get at the file, or the file system says no.
    pub async fn access_token(
        &self,
        request: &TokenSourceBuilder,
    ) -> Result<Option<AccessToken>, StoreError> {
        let Some(entry) = self.entry_of(request).await else { return Ok(None) };
        let stored = match entry.read().await {
            Ok(stored) => stored,
            Err(StoreError::Corrupt { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(stored.map(|stored| {
            let end = stored.tokens.expires_at;
            AccessToken::granted(stored.tokens.as_response(end), end)
        }))
    }

    /// Keeps a token of client credentials for the next time that the program runs: for programs
    /// that are run often, and for a moment. Tokens of other grants belong to a person, and tokens
    /// without an end are not to be relied on: neither is kept, nor is one that is bound to a key, or of a client without a secret or a key.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = std::env::temp_dir().join(format!("grpc-auth-kept-{}", std::process::id()));
    /// use grpc_auth::ClientAuthentication;
    /// use grpc_auth::client::OAuthClient;
    /// use grpc_auth::login::TokenStore;
    /// use grpc_auth::testing::TestAuthorizationServer;
    ///
    /// let server = TestAuthorizationServer::start().await?;
    /// server.add_client("orders", "s3cret", ["read:echo"]);
    /// let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
    /// let client = OAuthClient::oidc(server.url(), orders).clock(server.clock().clone());
    /// let request = client.client_credentials();
    ///
    /// let store = TokenStore::at(&folder);
    /// let token = request.clone().build()?.token().await?;
    /// store.keep(&request, &token).await?;
    ///
    /// let kept = store.access_token(&request).await?.unwrap();
    /// assert_eq!(kept.token().expose_secret(), token.token().expose_secret());
    /// let other = client.client_credentials().audience("https://other.example.com");
    /// assert!(store.access_token(&other).await?.is_none());
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written where only this user reads it.
    pub async fn keep(
        &self,
        request: &TokenSourceBuilder,
        token: &AccessToken,
    ) -> Result<(), StoreError> {
        let Some(expires_at) = token.expires_at else { return Ok(()) };
        let Some(entry) = self.entry_of(request).await else { return Ok(()) };
        entry.blocking(|entry| file::prepare(&entry.directory)).await?;
        let lock = entry.lock(&request.client.settings.clock).await?;
        let tokens = Tokens {
            access: token.token.clone(),
            token_type: token.token_type,
            expires_at,
            scope: token.scope.as_deref().map(Into::into),
            refresh: None,
        };
        entry.write(&tokens, None, &lock).await
    }

    async fn entry_of(&self, request: &TokenSourceBuilder) -> Option<Entry> {
        // The next run may have another key, and none of its calls would be taken.
        if !matches!(request.demand.grant, GrantType::ClientCredentials)
            || request.demand.dpop.is_some()
        {
            return None;
        }
        let mut parameters = request.demand.parameters.clone();
        parameters.more.push((GRANT_TYPE.into(), "client_credentials".into()));
        let issuer = request.client.settings.address.identifier();
        let authentication = &request.client.settings.authentication;
        // A client that shows a certificate, or nothing, has nothing here that a token could be bound
        // to: none of its tokens is kept.
        let secret = authentication.secret().or_else(|| authentication.public_key())?;
        let salt = format!("grpc-auth kept token\0{issuer}\0{}", authentication.client_id());
        let fingerprint = move || fingerprint(&salt, secret.expose_secret());
        parameters
            .more
            .push((CLIENT_SECRET.into(), tokio::task::spawn_blocking(fingerprint).await.ok()?));
        let client_id = authentication.client_id().into();
        Some(self.entry(Key { issuer, client_id, has_defaults: false, parameters }))
    }
}

/// A name for a secret. Without the right one a token that was kept is not found.
fn fingerprint(salt: &str, secret: &str) -> String {
    let mut bytes = [0; FINGERPRINT_BYTES];
    let (salt, secret) = (salt.as_bytes(), secret.as_bytes());
    pbkdf2::derive(PBKDF2_HMAC_SHA256, FINGERPRINT_ROUNDS, salt, secret, &mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::client::oauth_client::OAuthClient;
    use crate::client_authentication::ClientAuthentication;

    fn key() -> String {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let text = STANDARD.encode(pkcs8.as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    }

    async fn path(authentication: ClientAuthentication) -> Option<std::path::PathBuf> {
        let client = OAuthClient::oidc("https://issuer.example/", authentication);
        let store = TokenStore::at("logins");
        store.entry_of(&client.client_credentials()).await.map(|entry| entry.path)
    }

    #[tokio::test]
    async fn a_token_is_found_with_the_right_secret_or_key_alone() {
        let with_key = |pem: &str| ClientAuthentication::private_key_jwt("a", pem).unwrap();
        let with_secret = |secret| ClientAuthentication::client_secret_basic("a", secret);
        let (one, other) = (key(), key());
        let paths = [
            path(with_key(&one)).await.unwrap(),
            path(with_key(&other)).await.unwrap(),
            path(with_secret("s3cret")).await.unwrap(),
            path(with_secret("s3cret2")).await.unwrap(),
        ];
        for (place, path) in paths.iter().enumerate() {
            assert_eq!(paths.iter().position(|other| other == path), Some(place));
        }
        assert_eq!(path(with_key(&one)).await.unwrap(), paths[0]);
        assert_eq!(path(ClientAuthentication::tls_client_auth("a")).await, None);
    }
}
