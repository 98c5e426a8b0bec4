//! Okta: custom authorization servers, which say `scp` and no `typ`.

use super::{GrantSource, Issuer, Provider};

pub(super) fn issuer(domain: String, authorization_server: &str) -> Issuer {
    Issuer {
        grants: vec![GrantSource::array("/scp")],
        ..Issuer::oidc(format!("https://{domain}/oauth2/{authorization_server}"))
    }
    .of_provider(Provider::Okta { domain })
    .accept_token_type("")
    .accept_token_type("JWT")
}
