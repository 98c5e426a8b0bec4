//! Who asks for tokens, and for what: the options that `token`, `login` and `logout` share.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use grpc_auth::client::{OAuthClient, TokenSourceBuilder};
use grpc_auth::login::Login;
use grpc_auth::{ClientAuthentication, ClientSecret};
use secrecy::ExposeSecret;

use crate::environment::{self, variable};
use crate::failure::Failure;
use crate::secret;
use crate::server::Server;

#[derive(Debug, Args)]
#[command(next_help_heading = "Client")]
pub(crate) struct ClientArgs {
    /// The id that the authorization server gave it [env: GRPC_AUTH_CLIENT_ID, AUTH0_CLIENT_ID]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The file with its secret; `-` for standard input
    ///
    /// Where standard input is a terminal the secret is asked for, and not shown. It may stand in the
    /// environment instead; an argument of its own it has not, for every process could read it.
    /// [env: GRPC_AUTH_CLIENT_SECRET_FILE; GRPC_AUTH_CLIENT_SECRET and AUTH0_CLIENT_SECRET hold the
    /// secret itself]
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// How it sends the secret; by default in the header, to Auth0 in the form
    #[arg(long, value_enum, value_name = "HOW")]
    client_auth: Option<SecretIn>,
    /// The file with its private key, to sign assertions with in the place of a secret
    /// (private_key_jwt): PEM of PKCS#8, RSA, P-256, P-384 or Ed25519
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret_file")]
    client_key_file: Option<PathBuf>,
    /// The `kid` of that key
    #[arg(long, value_name = "KID", requires = "client_key_file")]
    client_key_id: Option<String>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Token")]
pub(crate) struct TokenSettings {
    /// A scope to ask for; give it once for each, or several with spaces between
    /// [env: GRPC_AUTH_SCOPE]
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// The service that it is for, as the authorization server calls it: Auth0 needs it
    /// [env: GRPC_AUTH_AUDIENCE, AUTH0_AUDIENCE]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// The address of the service that it is for (RFC 8707); give it once for each
    #[arg(long, value_name = "URL")]
    resource: Vec<String>,
    /// The organization of Auth0's that it is for
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SecretIn {
    /// In the `authorization` header (client_secret_basic)
    Basic,
    /// In the form (client_secret_post)
    Post,
}

/// A client of an authorization server.
pub(crate) struct Client {
    pub(crate) server: Server,
    pub(crate) id: String,
    pub(crate) oauth: OAuthClient,
    /// It shows who it is, and so can have tokens of its own.
    pub(crate) is_confidential: bool,
}

impl ClientArgs {
    pub(crate) fn client(&self, server: Server) -> Result<Client, Failure> {
        let id = server.setting(self.client_id.clone(), "GRPC_AUTH_CLIENT_ID", "AUTH0_CLIENT_ID");
        let id = id.ok_or_else(|| {
            Failure::usage("no client is named").help(
                "write `--client-id` (GRPC_AUTH_CLIENT_ID) with the id that the authorization \
                 server gave this program",
            )
        })?;
        let secret = match &self.client_key_file {
            None => self.secret(&server)?,
            Some(_) => None,
        };
        let is_confidential = self.client_key_file.is_some() || secret.is_some();
        let is_post = self
            .client_auth
            .map_or(matches!(server, Server::Auth0(_)), |how| how == SecretIn::Post);
        let authentication = match (&self.client_key_file, secret) {
            (Some(path), _) => {
                let pem = secret::read("private key", path)?;
                let key = ClientAuthentication::private_key_jwt(&*id, pem.expose_secret())?;
                self.client_key_id.iter().fold(key, |key, kid| key.key_id(kid))
            }
            (None, None) => ClientAuthentication::none(&*id),
            (None, Some(secret)) if is_post => {
                ClientAuthentication::client_secret_post(&*id, secret)
            }
            (None, Some(secret)) => ClientAuthentication::client_secret_basic(&*id, secret),
        };
        let oauth = match &server {
            Server::Issuer(issuer) => OAuthClient::oidc(issuer, authentication),
            Server::Auth0(domain) => OAuthClient::auth0(domain, authentication),
            Server::TokenEndpoint(url) => OAuthClient::token_endpoint(url, authentication),
        };
        Ok(Client { server, id, oauth, is_confidential })
    }

    /// Of the file or the environment, ours before Auth0's.
    fn secret(&self, server: &Server) -> Result<Option<ClientSecret>, Failure> {
        let read = |path: &Path| secret::read("client secret", path).map(|text| Some(text.into()));
        if let Some(path) = &self.client_secret_file {
            return read(path);
        }
        if let Some(secret) = environment::secret("GRPC_AUTH_CLIENT_SECRET") {
            return Ok(Some(secret.into()));
        }
        if let Some(path) = variable("GRPC_AUTH_CLIENT_SECRET_FILE") {
            return read(Path::new(&path));
        }
        let is_auth0 = matches!(server, Server::Auth0(_));
        let secret = is_auth0.then(|| environment::secret("AUTH0_CLIENT_SECRET")).flatten();
        Ok(secret.map(Into::into))
    }
}

impl TokenSettings {
    /// With the environment's settings where no option says otherwise.
    pub(crate) fn wanted(mut self, server: &Server) -> Self {
        if self.scope.is_empty() {
            self.scope.extend(variable("GRPC_AUTH_SCOPE"));
        }
        let words = self.scope.iter().flat_map(|scopes| scopes.split_ascii_whitespace());
        self.scope = words.map(ToOwned::to_owned).collect();
        self.audience = server.setting(self.audience, "GRPC_AUTH_AUDIENCE", "AUTH0_AUDIENCE");
        self
    }

    /// Asks for it in a request.
    pub(crate) fn of_request(&self, request: TokenSourceBuilder) -> TokenSourceBuilder {
        let request = request.scopes(&self.scope);
        let request = self.audience.iter().fold(request, TokenSourceBuilder::audience);
        let request = self.resource.iter().fold(request, TokenSourceBuilder::resource);
        self.organization.iter().fold(request, TokenSourceBuilder::organization)
    }

    /// Asks for it by a login.
    pub(crate) fn of_login<Way>(&self, login: Login<Way>) -> Login<Way> {
        let login = login.scopes(&self.scope);
        let login = self.audience.iter().fold(login, Login::audience);
        let login = self.resource.iter().fold(login, Login::resource);
        self.organization.iter().fold(login, Login::organization)
    }
}
