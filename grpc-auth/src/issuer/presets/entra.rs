//! Microsoft Entra ID: one tenant or any, version 2.0 or 1.0.

use super::provider::Provider;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{Issuer, Keys, RequiredClaim};

const LOGIN: &str = "https://login.microsoftonline.com";

/// The placeholder for the tenant in the issuer of tokens and keys for any tenant.
pub(crate) const TENANT_PLACE: &str = "{tenantid}";

pub(crate) fn v2(tenant: String) -> Issuer {
    of(format!("{LOGIN}/{tenant}/v2.0"), "azp", Provider::Entra { tenant })
}

pub(crate) fn v1(tenant: String) -> Issuer {
    // Its metadata is not where its issuer says.
    let keys = Keys::At(format!("{LOGIN}/{tenant}/discovery/keys"));
    let identifier = format!("https://sts.windows.net/{tenant}/");
    let issuer = of(identifier, "appid", Provider::EntraV1 { tenant });
    Issuer { keys, ..issuer }
}

pub(crate) fn any_tenant() -> Issuer {
    let keys = Keys::At(format!("{LOGIN}/common/discovery/v2.0/keys"));
    let issuer = of(format!("{LOGIN}/{TENANT_PLACE}/v2.0"), "azp", Provider::EntraAnyTenant);
    Issuer { keys, ..issuer }
}

/// An ID token of the application itself has the same type and audience; it names no client.
fn of(identifier: String, client: &'static str, provider: Provider) -> Issuer {
    let grants = vec![ScopeSource::words("/scp"), ScopeSource::array("/roles").prefixed("role:")];
    let required_claims = vec![RequiredClaim { name: client, values: &[] }];
    Issuer { grants, required_claims, ..Issuer::discover(identifier) }
        .of_provider(provider)
        .accept_token_type("JWT")
}
