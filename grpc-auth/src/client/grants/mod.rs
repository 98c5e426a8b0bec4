//! The ways to obtain tokens that this crate has.

pub(crate) mod file;
pub(crate) mod function;
pub(crate) mod oauth;
pub(crate) mod static_token;
