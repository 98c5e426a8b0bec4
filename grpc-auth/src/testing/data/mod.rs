//! What the server knows: registrations, grants, keys, tokens. Nothing here answers a request.

pub(crate) mod bounded_cache;
pub(crate) mod client_file;
pub(crate) mod device;
pub(crate) mod dpop;
pub(crate) mod fault;
pub(crate) mod grants;
pub(crate) mod issued_tokens;
pub(crate) mod keys;
pub(crate) mod purpose;
pub(crate) mod registration;
pub(crate) mod registry;
pub(crate) mod secret_store;
pub(crate) mod settings;
pub(crate) mod signing_key;
pub(crate) mod state;
pub(crate) mod token;
