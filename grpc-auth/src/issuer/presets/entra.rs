//! Microsoft Entra ID: one tenant or any, version 2.0 or 1.0.

use super::preset::{Preset, PresetClients, between};
use super::provider::{Provider, Seen};
use crate::error::ConfigError;
use crate::issuer::scope_sources::ScopeSource;
use crate::issuer::{Issuer, Keys, RequiredClaim};

const LOGIN: &str = "https://login.microsoftonline.com";

/// The placeholder for the tenant in the issuer of tokens and keys for any tenant.
pub(crate) const TENANT_PLACE: &str = "{tenantid}";
/// The claim that names those that did not fit into the token (OpenID Connect Core §5.6.2).
pub(crate) const GROUPS_ELSEWHERE: &str = "_claim_names";

pub(super) const PRESET: Preset = Preset {
    name: "entra",
    product: "Microsoft Entra ID",
    form: "https://login.microsoftonline.com/TENANT/v2.0",
    example: "https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0",
    clients: PresetClients::Unused,
    parse: |identifier, _| {
        between(identifier, "https://login.microsoftonline.com/", "/v2.0").map(Issuer::entra)
    },
};

pub(super) const PRESET_V1: Preset = Preset {
    name: "entra-v1",
    form: "https://sts.windows.net/TENANT/",
    example: "https://sts.windows.net/6babcaad-604b-40ac-a9d7-9fd97c0b779f/",
    parse: |identifier, _| {
        between(identifier, "https://sts.windows.net/", "/").map(Issuer::entra_v1)
    },
    ..PRESET
};

pub(super) const PRESET_ANY_TENANT: Preset = Preset {
    name: "entra-any-tenant",
    form: "https://login.microsoftonline.com/{tenantid}/v2.0",
    example: "https://login.microsoftonline.com/{tenantid}/v2.0",
    parse: |identifier, _| {
        let issuer = Issuer::entra_any_tenant();
        (issuer.identifier == identifier).then_some(issuer)
    },
    ..PRESET
};

#[derive(Debug)]
enum Entra {
    V2 { tenant: String },
    V1 { tenant: String },
    AnyTenant,
}

pub(crate) fn v2(tenant: String) -> Issuer {
    let issuer = of(format!("{LOGIN}/{tenant}/v2.0"), "azp", Entra::V2 { tenant });
    Issuer { keys_name_issuers: true, ..issuer }
}

pub(crate) fn v1(tenant: String) -> Issuer {
    // Its metadata is not where its issuer says.
    let keys = Keys::At(format!("{LOGIN}/{tenant}/discovery/keys"));
    let identifier = format!("https://sts.windows.net/{tenant}/");
    let issuer = of(identifier, "appid", Entra::V1 { tenant });
    Issuer { keys, ..issuer }
}

pub(crate) fn any_tenant() -> Issuer {
    let issuer = of(format!("{LOGIN}/{TENANT_PLACE}/v2.0"), "azp", Entra::AnyTenant);
    Issuer {
        keys: Keys::At(format!("{LOGIN}/common/discovery/v2.0/keys")),
        keys_name_issuers: true,
        for_any_tenant: true,
        also_reads: &["tid", GROUPS_ELSEWHERE],
        ..issuer
    }
}

/// An ID token of the application itself has the same type and audience; it names no client.
fn of(identifier: String, client: &'static str, provider: Entra) -> Issuer {
    Issuer {
        grants: vec![
            ScopeSource::words_or_array("/scp"),
            ScopeSource::array("/roles").prefixed("role:"),
        ],
        required_claims: vec![RequiredClaim { name: client, values: &[] }],
        also_reads: &[GROUPS_ELSEWHERE],
        ..Issuer::discover(identifier)
    }
    .of_provider(provider)
    .accept_token_type("JWT")
}

impl Provider for Entra {
    fn check(&self, _: &[String]) -> Result<(), ConfigError> {
        match self {
            Self::V2 { tenant } | Self::V1 { tenant } if !is_guid(tenant) => {
                Err(ConfigError::value(
                    "Entra tenant",
                    tenant,
                    "it is not a GUID: write the directory (tenant) id, like \
                     `6babcaad-604b-40ac-a9d7-9fd97c0b779f`; for any tenant, \
                     `Issuer::entra_any_tenant()`",
                ))
            }
            Self::V2 { .. } | Self::V1 { .. } | Self::AnyTenant => Ok(()),
        }
    }

    fn hint(&self, seen: Seen<'_>) -> Option<&'static str> {
        if seen.has_nonce && seen.reached_signature {
            return Some(
                "it is made for Microsoft Graph, which alone can verify it: ask for a scope of \
                 this API, `api://../.default`",
            );
        }
        let iss = seen.unknown_issuer?;
        match self {
            Self::V2 { .. } | Self::AnyTenant => {
                iss.starts_with("https://sts.windows.net/").then_some(
                    "it is of version 1.0: write `requestedAccessTokenVersion: 2` into the \
                     application's manifest, or configure `Issuer::entra_v1`",
                )
            }
            Self::V1 { .. } => iss
                .starts_with("https://login.microsoftonline.com/")
                .then_some("it is of version 2.0: configure `Issuer::entra`"),
        }
    }
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
            assert!(Issuer::entra(bad).check(&[]).is_err());
            assert!(Issuer::entra_v1(bad).check(&[]).is_err());
        }
    }
}
