//! One login by the browser: its authorization request, and the checks of the answer.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::callback::Callback;
use super::callback::filter::Answer;
use super::error::LoginError;
use super::exchange::Asked;
use super::logged_in::LoginOutcome;
use super::{Party, asks_who, pkce};
use crate::http::address::secure_url;
use crate::http::discovery::Endpoints;

const METHOD: &str = "S256";

/// A server that lists methods without S256 would bind the code by `plain`, or not at all.
pub(super) fn check_method(endpoints: &Endpoints) -> Result<(), LoginError> {
    match &endpoints.challenge_methods {
        Some(listed) if !listed.iter().any(|method| method == METHOD) => {
            Err(LoginError::ChallengeMethod)
        }
        _ => Ok(()),
    }
}

/// One login, with what binds its answer to it.
pub(super) struct Attempt<'a> {
    party: &'a Party,
    scope: String,
    state: SecretString,
    nonce: SecretString,
    verifier: SecretString,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(party: &'a Party, endpoints: &Endpoints) -> Result<Self, LoginError> {
        Ok(Self {
            party,
            scope: party.scope(endpoints),
            state: pkce::random()?,
            nonce: pkce::random()?,
            verifier: pkce::random()?,
        })
    }

    pub(super) fn state(&self) -> &SecretString {
        &self.state
    }

    /// RFC 6749 §4.1.1, RFC 7636 §4.3.
    pub(super) fn url(
        &self,
        endpoints: &Endpoints,
        redirect_uri: &str,
        prompt: Option<&str>,
    ) -> Result<Url, LoginError> {
        let endpoint = "authorization_endpoint";
        let missing = || crate::client::error::TokenError::EndpointMissing { endpoint };
        let mut url = endpoints.authorization.clone().ok_or_else(missing)?;
        // Whatever the system opens for `file:` or a name of its own, it is no browser.
        secure_url(endpoint, url.as_str())?;
        let parameters = &self.party.wanted.parameters;
        let others = parameters.pairs("").collect::<Vec<_>>();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", self.party.client_id())
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("state", self.state.expose_secret())
            .append_pair("code_challenge", &pkce::challenge(&self.verifier))
            .append_pair("code_challenge_method", METHOD);
        if !self.scope.is_empty() {
            query.append_pair("scope", &self.scope);
        }
        if asks_who(&self.scope) {
            query.append_pair("nonce", self.nonce.expose_secret());
        }
        if let Some(prompt) = prompt {
            query.append_pair("prompt", prompt);
        }
        query.extend_pairs(others);
        drop(query);
        Ok(url)
    }

    pub(super) async fn redeem(
        &self,
        endpoints: &Endpoints,
        answer: &Answer,
        callback: &Callback,
    ) -> Result<LoginOutcome, LoginError> {
        // RFC 9207 §2.4, before anything else in it is used.
        match &answer.issuer {
            Some(issuer) if *issuer != self.party.issuer => return Err(LoginError::IssuerOther),
            None if endpoints.names_itself => return Err(LoginError::IssuerMissing),
            _ => {}
        }
        let code = answer.result.as_ref().map_err(LoginError::refused)?;
        let asked_at = self.party.server.clock().now();
        let redirect_uri = callback.redirect_uri();
        let response = self.party.redeem(code, &self.verifier, redirect_uri).await?;
        let nonce = Some(&self.nonce).filter(|_| asks_who(&self.scope));
        let asked = Asked { scope: &self.scope, nonce };
        self.party.accept(response, asked, asked_at, || callback.settle()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::oauth_client::OAuthClient;
    use crate::client_authentication::ClientAuthentication;

    /// Where the browser would be sent.
    fn sent(endpoint: &str) -> Result<Url, LoginError> {
        let client = OAuthClient::oidc("https://a.example/", ClientAuthentication::none("cli"));
        let party = client.login().wanted.party()?;
        let authorization = Some(Url::parse(endpoint).unwrap());
        let endpoints = Endpoints { authorization, ..Endpoints::default() };
        Attempt::new(&party, &endpoints)?.url(&endpoints, "http://127.0.0.1:1/callback", None)
    }

    #[test]
    fn a_browser_is_sent_to_https_and_loopback_alone() {
        for endpoint in ["https://a.example/authorize", "http://127.0.0.1:1/", "http://[::1]/"] {
            assert!(sent(endpoint).is_ok(), "{endpoint}");
        }
        for endpoint in ["http://a.example/", "file:///bin/sh", "ms-settings:x", "ftp://127.0.0.1/"]
        {
            let refused = sent(endpoint).unwrap_err().to_string();
            assert!(refused.contains("is not https"), "{refused}");
        }
    }

    #[test]
    fn what_stands_in_the_endpoints_query_stays_there() {
        let url = sent("https://a.example/authorize?tenant=b+c").unwrap();
        assert!(url.query().unwrap().starts_with("tenant=b+c&response_type=code&client_id=cli&"));
    }
}
