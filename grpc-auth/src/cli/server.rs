//! Which authorization server is meant.

use clap::Args;

use crate::environment::variable;
use crate::failure::Failure;

#[derive(Debug, Args)]
#[command(next_help_heading = "Authorization server")]
pub(crate) struct ServerArgs {
    /// Its issuer identifier, as it spells it itself, with a slash at the end or without
    /// [env: GRPC_AUTH_ISSUER]
    #[arg(long, value_name = "URL", conflicts_with = "auth0_domain")]
    pub(crate) issuer: Option<String>,
    /// A tenant of Auth0, like tenant.eu.auth0.com, or its custom domain [env: AUTH0_DOMAIN]
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) auth0_domain: Option<String>,
}

/// An authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Issuer(String),
    Auth0(String),
    /// It has no metadata.
    TokenEndpoint(String),
}

impl ServerArgs {
    /// None if there is nothing to go by.
    pub(crate) fn server(&self) -> Option<Server> {
        let issuer = self.issuer.clone().map(Server::Issuer);
        issuer
            .or_else(|| self.auth0_domain.clone().map(Server::Auth0))
            .or_else(|| variable("GRPC_AUTH_ISSUER").map(Server::Issuer))
            .or_else(|| variable("AUTH0_DOMAIN").map(Server::Auth0))
    }

    pub(crate) fn required(&self) -> Result<Server, Failure> {
        self.server().ok_or_else(|| {
            Failure::usage("no authorization server is named").help(
                "write `--issuer https://issuer.example.com/` (GRPC_AUTH_ISSUER), or \
                 `--auth0-domain tenant.eu.auth0.com` (AUTH0_DOMAIN)",
            )
        })
    }
}

impl Server {
    /// The name in texts: the issuer, as in `iss`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Issuer(issuer) => issuer.clone(),
            Self::Auth0(domain) => format!("https://{domain}/"),
            Self::TokenEndpoint(endpoint) => endpoint.clone(),
        }
    }

    /// A setting of ours, or one of those that belong to a tenant of Auth0: its secret is sent
    /// nowhere else.
    pub(crate) fn setting(
        &self,
        option: Option<String>,
        ours: &str,
        auth0: &str,
    ) -> Option<String> {
        option
            .or_else(|| variable(ours))
            .or_else(|| matches!(self, Self::Auth0(_)).then(|| variable(auth0)).flatten())
    }
}
