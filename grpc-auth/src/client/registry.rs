//! Who asks the same server for the same tokens shares them (X2).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use secrecy::ExposeSecret;

use super::digest::{Digest, Digester};
use super::dpop::DpopKey;
use super::grants::oauth::OAuthGrant;
use super::request::{GrantType, Parameters, TokenDemand};
use super::server::Server;
use super::settings::ClientSettings;
use super::source::shared::Shared;
use crate::error::ConfigError;
use crate::lock::locked;

/// The sources of one client at one server. It keeps none of them alive.
#[derive(Debug, Default)]
pub(super) struct Registry {
    known: Mutex<Known>,
    digester: OnceLock<Digester>,
}

#[derive(Debug, Default)]
struct Known {
    server: Weak<Server>,
    sources: HashMap<Key, Weak<Shared>>,
}

/// What else makes a difference: endpoint, client and its authentication are the same for all.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    grant: &'static str,
    parameters: Parameters,
    shown: Digest,
    /// The thumbprint of the key that tokens are bound to.
    dpop: Option<String>,
}

impl Registry {
    /// The connections to the server, and what its metadata said.
    pub(super) fn server(&self, client: &ClientSettings) -> Result<Arc<Server>, ConfigError> {
        let mut known = self.known();
        if let Some(server) = known.server.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Server::new(client)?);
        known.server = Arc::downgrade(&server);
        Ok(server)
    }

    /// The source of what is asked for.
    pub(super) fn source(
        &self,
        client: &ClientSettings,
        demand: TokenDemand,
    ) -> Result<Arc<Shared>, ConfigError> {
        let server = self.server(client)?;
        // A callback is for the refresh tokens of this request alone.
        let key = if demand.on_rotation.is_some() { None } else { Some(self.key(&demand)?) };
        let mut known = self.known();
        if let Some(shared) =
            key.as_ref().and_then(|key| known.sources.get(key)).and_then(Weak::upgrade)
        {
            return Ok(shared);
        }
        warn_without_audience(client, &demand);
        let clock = client.clock.clone();
        let shared = Arc::new(Shared::new(Arc::new(OAuthGrant::new(server, demand)), clock));
        if let Some(key) = key {
            known.sources.retain(|_, source| source.strong_count() > 0);
            known.sources.insert(key, Arc::downgrade(&shared));
        }
        Ok(shared)
    }

    fn key(&self, demand: &TokenDemand) -> Result<Key, ConfigError> {
        let digester = match self.digester.get() {
            Some(digester) => digester,
            None => {
                let made = Digester::new()?;
                self.digester.get_or_init(|| made)
            }
        };
        let shown = demand.grant.shown();
        let shown = shown.iter().flat_map(|(kind, token)| [*kind, token.expose_secret()]);
        Ok(Key {
            grant: demand.grant.name(),
            parameters: demand.parameters.clone(),
            shown: digester.of(shown),
            dpop: demand.dpop.as_ref().map(DpopKey::thumbprint),
        })
    }

    /// Never across an await.
    fn known(&self) -> MutexGuard<'_, Known> {
        locked(&self.known)
    }
}

/// Auth0 does not know for which API the token is to be then.
fn warn_without_audience(client: &ClientSettings, demand: &TokenDemand) {
    let TokenDemand { grant, parameters, .. } = demand;
    let is_opaque = matches!(grant, GrantType::ClientCredentials)
        && client.is_auth0()
        && parameters.audience.is_none()
        && parameters.resources.is_empty();
    if is_opaque {
        tracing::warn!(
            target: "grpc_auth",
            source = client.name(),
            "no audience is asked for: Auth0's tokens are opaque then, and no API takes them; write \
             `.audience(\"https://api.example.com\")` with the identifier of the API"
        );
    }
}
