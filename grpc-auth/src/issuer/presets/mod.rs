//! Presets: one file a product, with its constructor, its checks, its hints and its row.

pub(crate) mod auth0;
pub(crate) mod cognito;
pub(crate) mod entra;
pub(crate) mod keycloak;
mod oidc;
pub(crate) mod okta;
pub(crate) mod preset;
pub(crate) mod provider;

use preset::Preset;

pub(crate) const ALL: &[Preset] = &[
    oidc::PRESET,
    auth0::PRESET,
    okta::PRESET,
    entra::PRESET,
    entra::PRESET_V1,
    entra::PRESET_ANY_TENANT,
    keycloak::PRESET,
    cognito::PRESET,
];
