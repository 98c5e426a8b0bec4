//! What is particular about each provider: what its settings must look like, and what its users run
//! into.

use crate::error::ConfigError;

/// Who made the authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    Generic,
    Auth0 { domain: String },
    Okta { domain: String, server: String },
    Entra { tenant: String },
    EntraV1 { tenant: String },
    EntraAnyTenant,
    Keycloak { base: String, realm: String, client: String },
    Cognito { region: String, user_pool: String },
}

/// What a refused token looked like, as far as that helps no attacker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen<'a> {
    /// It has other than three parts.
    pub(crate) is_no_jwt: bool,
    /// Its header has a `nonce`.
    pub(crate) has_nonce: bool,
    /// It has no `aud`.
    pub(crate) lacks_audience: bool,
    /// It came as far as the signature.
    pub(crate) reached_signature: bool,
    /// What it says of its issuer, if that is not a configured one.
    pub(crate) unknown_issuer: Option<&'a str>,
}

impl Provider {
    /// Says what an operator would otherwise look for on the web.
    pub(crate) fn hint(&self, seen: Seen<'_>) -> Option<&'static str> {
        match self {
            Self::Auth0 { .. } if seen.is_no_jwt => {
                Some("Auth0 issues such tokens when the request for the token names no `audience`")
            }
            Self::Okta { domain, .. }
                if seen.unknown_issuer.is_some_and(|iss| is_host(iss, domain)) =>
            {
                Some(
                    "it is of the organization's own server, whose access tokens Okta alone can \
                     verify: ask a custom authorization server, `/oauth2/default`, for tokens",
                )
            }
            Self::Entra { .. } | Self::EntraV1 { .. } | Self::EntraAnyTenant
                if seen.has_nonce && seen.reached_signature =>
            {
                Some(
                    "it is made for Microsoft Graph, which alone can verify it: ask for a scope of \
                     this API, `api://../.default`",
                )
            }
            Self::Entra { .. } | Self::EntraAnyTenant
                if seen
                    .unknown_issuer
                    .is_some_and(|iss| iss.starts_with("https://sts.windows.net/")) =>
            {
                Some(
                    "it is of version 1.0: write `requestedAccessTokenVersion: 2` into the \
                     application's manifest, or configure `Issuer::entra_v1`",
                )
            }
            Self::EntraV1 { .. }
                if seen
                    .unknown_issuer
                    .is_some_and(|iss| iss.starts_with("https://login.microsoftonline.com/")) =>
            {
                Some("it is of version 2.0: configure `Issuer::entra`")
            }
            Self::Keycloak { .. } if seen.lacks_audience => Some(
                "it has no `aud` at all: add an audience mapper to the caller's client; or it is a \
                 lightweight access token, which only introspection can complete",
            ),
            _ => None,
        }
    }

    /// Whether its settings can be what they are said to be.
    pub(crate) fn check(&self, audiences: &[String]) -> Result<(), ConfigError> {
        match self {
            Self::Generic | Self::EntraAnyTenant => Ok(()),
            Self::Auth0 { domain } => host_name("Auth0", domain, "tenant.eu.auth0.com"),
            Self::Okta { domain, server } => {
                host_name("Okta", domain, "example.okta.com")?;
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                if !server.is_empty() && server.bytes().all(fits) {
                    return Ok(());
                }
                Err(ConfigError::setting(
                    "Okta",
                    "authorization server",
                    "write its id alone, `default` or like `aus1a2b3c4`",
                ))
            }
            Self::Entra { tenant } | Self::EntraV1 { tenant } if !is_guid(tenant) => {
                Err(ConfigError::value(
                    "Entra tenant",
                    tenant,
                    "it is not a GUID: write the directory (tenant) id, like \
                     `6babcaad-604b-40ac-a9d7-9fd97c0b779f`; for any tenant, \
                     `Issuer::entra_any_tenant()`",
                ))
            }
            Self::Entra { .. } | Self::EntraV1 { .. } => Ok(()),
            // Every token of a realm can be for `account`: the audience would reject no token.
            Self::Keycloak { .. } if audiences.iter().any(|audience| audience == "account") => {
                Err(ConfigError::value(
                    "audience",
                    "account",
                    "nearly every token of a Keycloak realm has it: write one that is this \
                     service's own, and add an audience mapper for it",
                ))
            }
            Self::Keycloak { base, realm, client } => {
                let setting = match () {
                    () if base.ends_with('/') => "base",
                    () if realm.is_empty() || realm.contains(['/', '?', '#']) => "realm",
                    () if client.is_empty() => "client",
                    () => return Ok(()),
                };
                Err(ConfigError::setting(
                    "Keycloak",
                    setting,
                    "write the base address without a slash at its end, then the names of \
                           the realm and of the client",
                ))
            }
            Self::Cognito { region, user_pool } => {
                let is_word = |text: &str| {
                    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                    !text.is_empty() && text.bytes().all(word)
                };
                if is_word(region) && is_word(user_pool) && user_pool.starts_with(&**region) {
                    return Ok(());
                }
                Err(ConfigError::setting(
                    "Cognito",
                    "user pool",
                    "write the region and the pool's id, which begins with the region: \
                           `eu-central-1`, `eu-central-1_AbCdEf`",
                ))
            }
        }
    }
}

/// A host name, and nothing that would make `https://DOMAIN/` another address.
fn host_name(
    provider: &'static str,
    domain: &str,
    example: &'static str,
) -> Result<(), ConfigError> {
    // In `iss` it is in lower case.
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if domain.contains('.') && !domain.ends_with('.') && domain.bytes().all(fits) {
        return Ok(());
    }
    Err(ConfigError::value(
        format!("{provider} domain"),
        domain,
        format!(
            "it is not a host name: write it like `{example}`, without `https://` and without a slash"
        ),
    ))
}

fn is_host(issuer: &str, domain: &str) -> bool {
    issuer.strip_prefix("https://").is_some_and(|host| host.trim_end_matches('/') == domain)
}

/// The form of a tenant's id: a part of issuers.
pub(crate) fn is_guid(text: &str) -> bool {
    let mut groups = text.split('-');
    let lengths = [8, 4, 4, 4, 12];
    lengths.iter().all(|length| {
        groups.next().is_some_and(|group| {
            group.len() == *length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }) && groups.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_host_name() {
        let okta = |domain: &str, server: &str| {
            Provider::Okta { domain: domain.into(), server: server.into() }.check(&[])
        };
        for server in ["", "oauth2/default", "../x", "default/"] {
            assert!(okta("a.okta.com", server).is_err(), "{server}");
        }
        let check = |domain: &str| okta(domain, "default");
        assert!(check("tenant.eu.auth0.com").is_ok());
        for bad in [
            "",
            "tenant",
            "https://t.auth0.com",
            "t.auth0.com/",
            "t.auth0.com:1",
            "a@b.c",
            "T.auth0.com",
            "t.auth0.com.",
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.contains("write it like `example.okta.com`"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_tenant_is_a_guid() {
        assert!(is_guid("6babcaad-604b-40ac-a9d7-9fd97c0b779f"));
        for bad in [
            "",
            "contoso.com",
            "common",
            "6babcaad-604b-40ac-a9d7-9fd97c0b779",
            "6babcaad-604b-40ac-a9d7-9fd97c0b779f-",
            "6babcaad/604b-40ac-a9d7-9fd97c0b779f",
        ] {
            assert!(!is_guid(bad), "{bad}");
            assert!(Provider::Entra { tenant: bad.into() }.check(&[]).is_err());
        }
    }

    #[test]
    fn settings_that_would_make_another_address_are_refused() {
        let keycloak = |base: &str, realm: &str, client: &str| {
            let (base, realm, client) = (base.into(), realm.into(), client.into());
            Provider::Keycloak { base, realm, client }.check(&["api".into()])
        };
        assert!(keycloak("https://sso.example.com", "main", "echo").is_ok());
        assert!(keycloak("https://sso.example.com/auth", "main", "echo").is_ok());
        for (base, realm, client) in [
            ("https://sso.example.com/auth/", "main", "echo"),
            ("https://sso.example.com/", "main", "echo"),
            ("https://sso.example.com", "main/other", "echo"),
            ("https://sso.example.com", "", "echo"),
            ("https://sso.example.com", "main", ""),
        ] {
            assert!(keycloak(base, realm, client).is_err(), "{base} {realm} {client}");
        }
        let cognito = |region: &str, user_pool: &str| {
            Provider::Cognito { region: region.into(), user_pool: user_pool.into() }.check(&[])
        };
        assert!(cognito("eu-central-1", "eu-central-1_AbC").is_ok());
        for (region, pool) in
            [("eu-central-1", "us-east-1_AbC"), ("evil.com/", "evil.com/_"), ("", "")]
        {
            assert!(cognito(region, pool).is_err(), "{region} {pool}");
        }
    }
}
