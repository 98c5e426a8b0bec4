//! Amazon Cognito: a user pool, whose access tokens name a client and no audience.

use super::preset::{Preset, PresetClients, between};
use super::provider::{Provider, is_word};
use crate::error::ConfigError;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{IntendedFor, Issuer, RequiredClaim};

pub(super) const PRESET: Preset = Preset {
    name: "cognito",
    product: "Amazon Cognito",
    form: "https://cognito-idp.REGION.amazonaws.com/POOL",
    example: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf",
    clients: PresetClients::Callers,
    parse: |identifier, clients| {
        let rest = between(identifier, "https://cognito-idp.", "")?;
        let (region, user_pool) = rest.split_once(".amazonaws.com/")?;
        Some(Issuer::cognito(region, user_pool, clients))
    },
};

#[derive(Debug)]
struct Cognito {
    region: String,
    user_pool: String,
}

pub(crate) fn issuer(region: String, user_pool: String, clients: Vec<String>) -> Issuer {
    Issuer {
        grants: vec![
            ScopeSource::words_or_array("/scope"),
            ScopeSource::array("/cognito:groups").prefixed("group:"),
        ],
        intended_for: IntendedFor::Clients(clients),
        required_claims: vec![RequiredClaim { name: "token_use", values: &["access"] }],
        ..Issuer::discover(format!("https://cognito-idp.{region}.amazonaws.com/{user_pool}"))
    }
    .of_provider(Cognito { region, user_pool })
    .accept_token_type("")
    .accept_token_type("JWT")
}

impl Provider for Cognito {
    fn check(&self, _: &[String]) -> Result<(), ConfigError> {
        let Self { region, user_pool } = self;
        if is_word(region) && is_word(user_pool) && user_pool.starts_with(&**region) {
            return Ok(());
        }
        Err(ConfigError::setting(
            "Cognito",
            "user pool",
            "write the region and the pool's id, which begins with the region: `eu-central-1`, \
             `eu-central-1_AbCdEf`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_would_make_another_address_are_refused() {
        let check = |region, pool| Issuer::cognito(region, pool, ["app"]).check(&[]);
        assert!(check("eu-central-1", "eu-central-1_AbC").is_ok());
        for (region, pool) in
            [("eu-central-1", "us-east-1_AbC"), ("evil.com/", "evil.com/_"), ("", "")]
        {
            assert!(check(region, pool).is_err(), "{region} {pool}");
        }
    }
}
