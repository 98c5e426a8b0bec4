//! What is particular about each provider.

pub(crate) mod auth0;
pub(crate) mod cognito;
pub(crate) mod entra;
pub(crate) mod keycloak;
pub(crate) mod okta;
pub(crate) mod provider;
