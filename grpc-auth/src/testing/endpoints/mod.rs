//! What the server answers, one file an endpoint.

pub(crate) mod authorize;
pub(crate) mod client_authentication;
pub(crate) mod consent;
pub(crate) mod device;
pub(crate) mod documents;
pub(crate) mod forms;
pub(crate) mod introspection;
pub(crate) mod json;
pub(crate) mod oauth_error;
pub(crate) mod parameters;
pub(crate) mod revocation;
pub(crate) mod token;
