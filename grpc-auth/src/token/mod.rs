//! What a token says: its text, its claims, its scopes and the principal that it stands for. Nothing
//! here knows how a token is verified.

pub(crate) mod bearer;
pub(crate) mod caller;
pub(crate) mod claims;
pub(crate) mod confirmation;
pub(crate) mod key_set_version;
pub(crate) mod principal;
pub(crate) mod scope;
