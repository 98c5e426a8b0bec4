//! Amazon Cognito: a user pool, whose access tokens name a client and no audience.

use super::provider::Provider;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{IntendedFor, Issuer, RequiredClaim};

pub(crate) fn issuer(region: &str, user_pool: &str, clients: Vec<String>) -> Issuer {
    Issuer {
        grants: vec![
            ScopeSource::words("/scope"),
            ScopeSource::array("/cognito:groups").prefixed("group:"),
        ],
        intended_for: IntendedFor::Clients(clients),
        required_claims: vec![RequiredClaim { name: "token_use", values: &["access"] }],
        ..Issuer::discover(format!("https://cognito-idp.{region}.amazonaws.com/{user_pool}"))
    }
    .of_provider(Provider::Cognito { region: region.into(), user_pool: user_pool.into() })
    .accept_token_type("")
    .accept_token_type("JWT")
}
