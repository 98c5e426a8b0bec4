//! What kind of authorization server an issuer is.

use clap::ValueEnum;
use grpc_auth::Issuer;

use crate::failure::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// Any server that follows RFC 9068: `typ` is `at+jwt`
    Oidc,
    /// https://DOMAIN/
    Auth0,
    /// https://DOMAIN/oauth2/ID
    Okta,
    /// https://login.microsoftonline.com/TENANT/v2.0
    Entra,
    /// https://sts.windows.net/TENANT/
    EntraV1,
    /// BASE/realms/REALM, with the service's own `--client`
    Keycloak,
    /// https://cognito-idp.REGION.amazonaws.com/POOL, with each `--client` whose tokens count
    Cognito,
}

impl Provider {
    /// The issuer with this identifier.
    pub(super) fn issuer(self, identifier: &str, clients: &[String]) -> Result<Issuer, Failure> {
        let issuer = match self {
            Self::Oidc => Some(Issuer::discover(identifier)),
            Self::Auth0 => between(identifier, "https://", "/").map(Issuer::auth0),
            Self::Okta => between(identifier, "https://", "")
                .and_then(|rest| rest.split_once("/oauth2/"))
                .map(|(domain, id)| Issuer::okta(domain, id)),
            Self::Entra => between(identifier, "https://login.microsoftonline.com/", "/v2.0")
                .map(Issuer::entra),
            Self::EntraV1 => {
                between(identifier, "https://sts.windows.net/", "/").map(Issuer::entra_v1)
            }
            Self::Keycloak => {
                let client = one(clients)?;
                let parts = identifier.rsplit_once("/realms/");
                parts.map(|(base, realm)| Issuer::keycloak(base, realm, client))
            }
            Self::Cognito => between(identifier, "https://cognito-idp.", "")
                .and_then(|rest| rest.split_once(".amazonaws.com/"))
                .map(|(region, pool)| Issuer::cognito(region, pool, clients)),
        };
        issuer.ok_or_else(|| {
            Failure::usage(format!("the issuer `{identifier}` is not of this provider"))
                .help(format!("write it like `{}`", self.form()))
        })
    }

    /// Its tokens have an audience.
    pub(super) fn has_audience(self) -> bool {
        self != Self::Cognito
    }

    fn form(self) -> &'static str {
        match self {
            Self::Oidc => "https://issuer.example.com/",
            Self::Auth0 => "https://tenant.eu.auth0.com/",
            Self::Okta => "https://example.okta.com/oauth2/default",
            Self::Entra => {
                "https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0"
            }
            Self::EntraV1 => "https://sts.windows.net/6babcaad-604b-40ac-a9d7-9fd97c0b779f/",
            Self::Keycloak => "https://sso.example.com/realms/main",
            Self::Cognito => "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf",
        }
    }
}

fn one(clients: &[String]) -> Result<&str, Failure> {
    match clients {
        [client] => Ok(client),
        _ => Err(Failure::usage("which client of the realm the service is, is not said")
            .help("write `--client ID` once: its roles count, and those of no other client")),
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn each_provider_takes_its_own_form_of_issuer_and_no_other() {
        let client = ["echo".to_owned()];
        for provider in Provider::value_variants() {
            assert!(provider.issuer(provider.form(), &client).is_ok(), "{provider:?}");
            if *provider != Provider::Oidc {
                let failure = provider.issuer("http://localhost:1", &client).unwrap_err();
                assert!(failure.advice().unwrap().contains(provider.form()));
            }
        }
        assert!(Provider::Keycloak.issuer("https://sso.example.com/realms/main", &[]).is_err());
    }
}
