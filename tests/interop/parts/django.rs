//! django-oauth-toolkit: an authorization server in Python, whose tokens are opaque.

use std::process::Command;

use reqwest::Client;
use serde_json::Value;

use super::fault::Control;
use super::{CLIENT, Credentials, Part, RESOURCE_SERVER, access_token, installed, post, source};

/// A running django-oauth-toolkit. It says nothing of issuers, audiences and subjects; its clients
/// are `svc` and `rs` with the secrets `CLIENT-secret`, and [`ODD`](Self::ODD).
#[derive(Debug)]
pub(crate) struct Django {
    part: Part,
    http: Client,
    /// Its endpoints are `introspection`, `revocation` and `token`.
    pub(crate) control: Control,
}

impl Django {
    /// A client whose id and secret no two encodings spell alike.
    pub(crate) const ODD: Credentials<'static> = ("svc:odd %41 ä", "pä ß+:%41&=\"\\Ω😀");

    /// Starts on a free port with an empty database.
    pub(crate) async fn start() -> Self {
        let mut command = Command::new(installed("python/bin/python"));
        command.arg(source("interop/servers/django_oauth.py")).arg(installed("logs"));
        let part = Part::start("django", command, "READY").await;
        let control = Control::of(part.said());
        Self { part, http: Client::new(), control }
    }

    /// Gets a token by the client credentials grant, for 300 s.
    pub(crate) async fn token(&self, client: Credentials<'_>, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        access_token(&post(&self.http, &self.token_endpoint(), client, &form).await)
    }

    /// Revokes a token of the client `svc` (RFC 7009).
    pub(crate) async fn revoke(&self, token: &str) {
        post(&self.http, &self.url("/o/revoke_token/"), CLIENT, &[("token", token)]).await;
    }

    /// Asks about a token as the client `rs` (RFC 7662).
    pub(crate) async fn introspect(&self, token: &str) -> Value {
        post(&self.http, &self.introspection(), RESOURCE_SERVER, &[("token", token)]).await
    }

    /// The token endpoint.
    pub(crate) fn token_endpoint(&self) -> String {
        self.url("/o/token/")
    }

    /// The introspection endpoint.
    pub(crate) fn introspection(&self) -> String {
        self.url("/o/introspect/")
    }

    /// The base of its endpoints.
    pub(crate) fn base(&self) -> &str {
        self.part.said()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }
}
