//! Keycloak: a realm, and the client that this service is in it.

use super::provider::Provider;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{Issuer, RequiredClaim};

/// The `typ` of tokens with a `jkt` in `cnf` (RFC 9449 §6.1).
pub(crate) const BOUND_TO_KEY: &str = "DPoP";

pub(crate) fn issuer(base: &str, realm: &str, client: String) -> Issuer {
    // A client's id may be a URL; RFC 6901 §3 escapes slashes.
    let escaped = client.replace('~', "~0").replace('/', "~1");
    let roles = format!("/resource_access/{escaped}/roles");
    Issuer {
        grants: vec![
            ScopeSource::words("/scope"),
            ScopeSource::array("/realm_access/roles").prefixed("role:"),
            ScopeSource::array(roles).prefixed("role:"),
        ],
        // ID and refresh tokens have the same `typ` in their header, and another one here; so have
        // access tokens that are bound to a key.
        required_claims: vec![RequiredClaim { name: "typ", values: &["Bearer", BOUND_TO_KEY] }],
        ..Issuer::discover(format!("{base}/realms/{realm}"))
    }
    .of_provider(Provider::Keycloak { base: base.into(), realm: realm.into(), client })
    .accept_token_type("JWT")
}
