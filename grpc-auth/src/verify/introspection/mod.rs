//! Asking the authorization server about a token (RFC 7662).

mod circuit;
mod introspector;
mod question;
mod remembered;
mod response;
mod settings;
#[cfg(feature = "redis")]
mod shared;

pub(crate) use introspector::Introspector;
#[cfg(feature = "testing")]
pub(crate) use response::read_answer;
pub use settings::{Introspection, IntrospectionCache};
