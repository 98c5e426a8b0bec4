//! Auth0: a tenant by its domain, and the configuration of both sides of a call.

use std::env;

use secrecy::SecretString;
use serde::Deserialize;

use super::preset::{Preset, PresetClients, between};
use super::provider::{Provider, Seen, check_host_name};
use crate::error::ConfigError;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{Issuer, Keys};

/// The settings of an Auth0 tenant: one configuration for servers and clients.
///
/// From code, from any serde format, or from the environment: `AUTH0_DOMAIN`, `AUTH0_AUDIENCE`
/// and, for callers, `AUTH0_CLIENT_ID` and `AUTH0_CLIENT_SECRET`.
///
/// ```
/// use grpc_auth::{Auth0Config, ResourceServer};
///
/// let config = Auth0Config::new("tenant.eu.auth0.com", "https://echo.example.com");
/// let builder = ResourceServer::from_config(&config);
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Auth0Config {
    /// The tenant's domain, or its custom domain: `tenant.eu.auth0.com`.
    pub domain: String,
    /// The identifier of the API at Auth0: what tokens must be made for.
    pub audience: String,
    /// The application's client id; callers need it.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The application's client secret; callers need it. Redacted in `Debug`, wiped when dropped.
    #[serde(default)]
    pub client_secret: Option<SecretString>,
}

impl Auth0Config {
    /// The configuration of a server.
    #[must_use]
    pub fn new(domain: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            audience: audience.into(),
            client_id: None,
            client_secret: None,
        }
    }

    /// Reads the environment.
    ///
    /// # Errors
    /// [`ConfigError::VariableMissing`] names the variable that is missing or empty.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let optional = |name| get(name).filter(|value| !value.is_empty());
        let required =
            |name, help| optional(name).ok_or(ConfigError::VariableMissing { name, help });
        Ok(Self {
            domain: required(
                "AUTH0_DOMAIN",
                "write the tenant's domain, for example `tenant.eu.auth0.com`",
            )?,
            audience: required(
                "AUTH0_AUDIENCE",
                "write the API's identifier, for example `https://echo.example.com`",
            )?,
            client_id: optional("AUTH0_CLIENT_ID"),
            client_secret: optional("AUTH0_CLIENT_SECRET").map(SecretString::from),
        })
    }
}

pub(super) const PRESET: Preset = Preset {
    name: "auth0",
    product: "Auth0",
    form: "https://DOMAIN/",
    example: "https://tenant.eu.auth0.com/",
    clients: PresetClients::Unused,
    parse: |identifier, _| between(identifier, "https://", "/").map(Issuer::auth0),
};

#[derive(Debug)]
struct Auth0 {
    domain: String,
}

pub(crate) fn issuer(domain: String) -> Issuer {
    let identifier = format!("https://{domain}/");
    Issuer {
        keys: Keys::At(format!("{identifier}.well-known/jwks.json")),
        grants: vec![ScopeSource::words_or_array("/scope"), ScopeSource::array("/permissions")],
        ..Issuer::discover(identifier)
    }
    .of_provider(Auth0 { domain })
    .accept_token_type("JWT")
}

pub(crate) fn check_domain(domain: &str) -> Result<(), ConfigError> {
    check_host_name("Auth0", domain, "tenant.eu.auth0.com")
}

impl Provider for Auth0 {
    fn check(&self, _: &[String]) -> Result<(), ConfigError> {
        check_domain(&self.domain)
    }

    fn hint(&self, seen: Seen<'_>) -> Option<&'static str> {
        seen.is_no_jwt.then_some(
            "Auth0 issues such tokens when the request for the token names no `audience`",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_variable_is_named() {
        let all = [
            ("AUTH0_DOMAIN", "tenant.eu.auth0.com"),
            ("AUTH0_AUDIENCE", "https://echo.example.com"),
            ("AUTH0_CLIENT_SECRET", "s3cret"),
        ];
        let get = |missing: &'static str| {
            move |name: &str| {
                let value = all.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
                if name == missing { Some(String::new()) } else { value.map(Into::into) }
            }
        };
        let config = Auth0Config::from_variables(get("")).unwrap();
        assert_eq!(config.client_id, None);
        assert!(!format!("{config:?}").contains("s3cret"));

        for missing in ["AUTH0_DOMAIN", "AUTH0_AUDIENCE"] {
            let error = Auth0Config::from_variables(get(missing)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{missing}` is not set: write ")), "{error}");
        }
    }

    #[test]
    fn configuration_is_read_from_serde_and_a_typing_error_is_seen() {
        let json = r#"{"domain":"t.auth0.com","audience":"api","client_secret":"s3cret"}"#;
        let config: Auth0Config = serde_json::from_str(json).unwrap();
        assert_eq!(config.domain, "t.auth0.com");
        let typo = r#"{"domain":"t.auth0.com","audiense":"api"}"#;
        assert!(serde_json::from_str::<Auth0Config>(typo).is_err());
    }
}
