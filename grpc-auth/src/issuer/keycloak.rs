//! Keycloak: a realm, and the client that this service is in it.

use super::{GrantSource, Issuer, Provider, RequiredClaim};

pub(super) fn issuer(base: &str, realm: &str, client: String) -> Issuer {
    // A client's id may be a URL; RFC 6901 §3 escapes slashes.
    let escaped = client.replace('~', "~0").replace('/', "~1");
    let roles = format!("/resource_access/{escaped}/roles");
    Issuer {
        grants: vec![
            GrantSource::words("/scope"),
            GrantSource::array("/realm_access/roles").prefixed("role:"),
            GrantSource::array(roles).prefixed("role:"),
        ],
        // ID and refresh tokens have the same `typ` in their header, and another one here.
        required_claims: vec![RequiredClaim { name: "typ", value: Some("Bearer") }],
        ..Issuer::oidc(format!("{base}/realms/{realm}"))
    }
    .of_provider(Provider::Keycloak { base: base.into(), realm: realm.into(), client })
    .accept_token_type("JWT")
}
