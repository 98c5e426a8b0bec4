//! Any authorization server with metadata.

use super::preset::{Preset, PresetClients};
use crate::issuer::Issuer;

pub(super) const PRESET: Preset = Preset {
    name: "oidc",
    product: "OpenID Connect",
    form: "any server that follows RFC 9068: `typ` is `at+jwt`",
    example: "https://issuer.example.com/",
    clients: PresetClients::Unused,
    parse: |identifier, _| Some(Issuer::discover(identifier)),
};
