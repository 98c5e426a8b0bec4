//! Okta: custom authorization servers, which say `scp` and no `typ`.

use super::preset::{Preset, PresetClients, between};
use super::provider::{Provider, Seen, check_host_name, is_word};
use crate::error::ConfigError;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{Issuer, RequiredClaim};

pub(super) const PRESET: Preset = Preset {
    name: "okta",
    product: "Okta",
    form: "https://DOMAIN/oauth2/ID",
    example: "https://example.okta.com/oauth2/default",
    clients: PresetClients::Unused,
    parse: |identifier, _| {
        let (domain, server) = between(identifier, "https://", "")?.split_once("/oauth2/")?;
        Some(Issuer::okta(domain, server))
    },
};

#[derive(Debug)]
struct Okta {
    domain: String,
    authorization_server: String,
}

pub(crate) fn issuer(domain: String, authorization_server: String) -> Issuer {
    Issuer {
        grants: vec![ScopeSource::words_or_array("/scp")],
        // ID tokens have no type either, and no client id.
        required_claims: vec![RequiredClaim { name: "cid", values: &[] }],
        ..Issuer::discover(format!("https://{domain}/oauth2/{authorization_server}"))
    }
    .of_provider(Okta { domain, authorization_server })
    .accept_token_type("")
    .accept_token_type("JWT")
}

impl Provider for Okta {
    fn check(&self, _: &[String]) -> Result<(), ConfigError> {
        check_host_name("Okta", &self.domain, "example.okta.com")?;
        if is_word(&self.authorization_server) {
            return Ok(());
        }
        Err(ConfigError::setting(
            "Okta",
            "authorization server",
            "write its id alone, `default` or like `aus1a2b3c4`",
        ))
    }

    fn hint(&self, seen: Seen<'_>) -> Option<&'static str> {
        let host = seen.unknown_issuer?.strip_prefix("https://")?.trim_end_matches('/');
        (host == self.domain).then_some(
            "it is of the organization's own server, whose access tokens Okta alone can verify: \
             ask a custom authorization server, `/oauth2/default`, for tokens",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authorization_server_is_named_by_its_id_alone() {
        assert!(Issuer::okta("a.okta.com", "default").check(&[]).is_ok());
        for server in ["", "oauth2/default", "../x", "default/"] {
            assert!(Issuer::okta("a.okta.com", server).check(&[]).is_err(), "{server}");
        }
        let error = Issuer::okta("https://a.okta.com", "default").check(&[]).unwrap_err();
        assert!(error.to_string().contains("write it like `example.okta.com`"), "{error}");
    }
}
