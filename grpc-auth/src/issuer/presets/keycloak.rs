//! Keycloak: a realm, and the client that this service is in it.

use super::preset::{Preset, PresetClients};
use super::provider::{Provider, Seen};
use crate::error::ConfigError;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{Issuer, RequiredClaim};

/// The `typ` of tokens with a `jkt` in `cnf` (RFC 9449 §6.1).
pub(crate) const BOUND_TO_KEY: &str = "DPoP";

pub(super) const PRESET: Preset = Preset {
    name: "keycloak",
    product: "Keycloak",
    form: "BASE/realms/REALM",
    example: "https://sso.example.com/realms/main",
    clients: PresetClients::Service,
    parse: |identifier, clients| {
        let (base, realm) = identifier.rsplit_once("/realms/")?;
        Some(Issuer::keycloak(base, realm, clients.first()?))
    },
};

#[derive(Debug)]
struct Keycloak {
    base: String,
    realm: String,
    client: String,
}

pub(crate) fn issuer(base: String, realm: String, client: String) -> Issuer {
    // A client's id may be a URL; RFC 6901 §3 escapes slashes.
    let escaped = client.replace('~', "~0").replace('/', "~1");
    let roles = format!("/resource_access/{escaped}/roles");
    Issuer {
        grants: vec![
            ScopeSource::words_or_array("/scope"),
            ScopeSource::array("/realm_access/roles").prefixed("role:"),
            ScopeSource::array(roles).prefixed("role:"),
        ],
        // ID and refresh tokens have the same `typ` in their header, and another one here; so have
        // access tokens that are bound to a key.
        required_claims: vec![RequiredClaim { name: "typ", values: &["Bearer", BOUND_TO_KEY] }],
        ..Issuer::discover(format!("{base}/realms/{realm}"))
    }
    .of_provider(Keycloak { base, realm, client })
    .accept_token_type("JWT")
}

impl Provider for Keycloak {
    fn check(&self, audiences: &[String]) -> Result<(), ConfigError> {
        // Every token of a realm can be for `account`: the audience would reject no token.
        if audiences.iter().any(|audience| audience == "account") {
            return Err(ConfigError::value(
                "audience",
                "account",
                "nearly every token of a Keycloak realm has it: write one that is this service's \
                 own, and add an audience mapper for it",
            ));
        }
        let setting = match self {
            Self { base, .. } if base.ends_with('/') => "base",
            Self { realm, .. } if realm.is_empty() || realm.contains(['/', '?', '#']) => "realm",
            Self { client, .. } if client.is_empty() => "client",
            _ => return Ok(()),
        };
        Err(ConfigError::setting(
            "Keycloak",
            setting,
            "write the base address without a slash at its end, then the names of the realm and of \
             the client",
        ))
    }

    fn hint(&self, seen: Seen<'_>) -> Option<&'static str> {
        seen.lacks_audience.then_some(
            "it has no `aud` at all: add an audience mapper to the caller's client; or it is a \
             lightweight access token, which only introspection can complete",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_make_another_address_are_refused() {
        let check =
            |base, realm, client| Issuer::keycloak(base, realm, client).check(&["api".to_owned()]);
        assert!(check("https://sso.example.com", "main", "echo").is_ok());
        assert!(check("https://sso.example.com/auth", "main", "echo").is_ok());
        for (base, realm, client) in [
            ("https://sso.example.com/auth/", "main", "echo"),
            ("https://sso.example.com/", "main", "echo"),
            ("https://sso.example.com", "main/other", "echo"),
            ("https://sso.example.com", "", "echo"),
            ("https://sso.example.com", "main", ""),
        ] {
            assert!(check(base, realm, client).is_err(), "{base} {realm} {client}");
        }
    }
}
