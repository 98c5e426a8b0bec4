//! What is particular about a product: what its settings must look like, and what its users run
//! into.

use std::fmt;

use crate::error::ConfigError;

/// The settings of a preset. They are checked when the server is built.
pub(crate) trait Provider: fmt::Debug + Send + Sync {
    /// Whether its settings can be what they are said to be.
    fn check(&self, audiences: &[String]) -> Result<(), ConfigError>;

    /// Says what an operator would otherwise look for on the web.
    fn hint(&self, _: Seen<'_>) -> Option<&'static str> {
        None
    }
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

/// A host name, and nothing that would make `https://DOMAIN/` another address.
pub(super) fn check_host_name(
    product: &'static str,
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
        format!("{product} domain"),
        domain,
        format!(
            "it is not a host name: write it like `{example}`, without `https://` and without a slash"
        ),
    ))
}

/// A part of an address that adds no other part to it.
pub(super) fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_host_name() {
        let check = |domain: &str| check_host_name("Okta", domain, "example.okta.com");
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
}
