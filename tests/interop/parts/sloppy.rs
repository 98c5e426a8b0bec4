//! oauth2-mock-server: an authorization server with little discipline.

use grpc_auth::ResourceServer;
use grpc_auth::server::ResourceServerBuilder;
use reqwest::Client;

use super::{AUDIENCE, CLIENT, Part, access_token, node, post};

/// A running oauth2-mock-server. Its tokens name no audience and no type; everyone gets any scope.
#[derive(Debug)]
pub(crate) struct Sloppy {
    part: Part,
    http: Client,
}

impl Sloppy {
    /// Starts on a free port.
    pub(crate) async fn start() -> Self {
        let part = Part::start("sloppy", node("sloppy.mjs"), "READY").await;
        Self { part, http: Client::new() }
    }

    /// Its identifier, and the base of its endpoints.
    pub(crate) fn issuer(&self) -> &str {
        self.part.said()
    }

    /// The configuration of a resource server that trusts it.
    pub(crate) fn resource_server(&self) -> ResourceServerBuilder {
        ResourceServer::oidc(self.issuer()).audience(AUDIENCE)
    }

    /// Gets a token.
    pub(crate) async fn token(&self, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        access_token(&post(&self.http, &format!("{}/token", self.issuer()), CLIENT, &form).await)
    }
}
