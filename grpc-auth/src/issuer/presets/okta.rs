//! Okta: custom authorization servers, which say `scp` and no `typ`.

use super::provider::Provider;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{Issuer, RequiredClaim};

pub(crate) fn issuer(domain: String, authorization_server: &str) -> Issuer {
    Issuer {
        grants: vec![ScopeSource::array("/scp")],
        // ID tokens have no type either, and no client id.
        required_claims: vec![RequiredClaim { name: "cid", values: &[] }],
        ..Issuer::discover(format!("https://{domain}/oauth2/{authorization_server}"))
    }
    .of_provider(Provider::Okta { domain, server: authorization_server.into() })
    .accept_token_type("")
    .accept_token_type("JWT")
}
