//! From the Rust name of a method to the name of its RPC.
//!
//! tonic makes Rust names of RPC names: it inserts `_` and changes case, and nothing else. The way
//! back is a guess, so both are compared without `_` and case.

use heck::ToUpperCamelCase;
use syn::ext::IdentExt;
use syn::{Ident, LitStr};

/// The RPC's name as most `.proto` files spell it: `GetUrl` of `get_url`.
pub(crate) fn rpc_name(method: &Ident) -> LitStr {
    LitStr::new(&method.unraw().to_string().to_upper_camel_case(), method.span())
}

/// The name without what tonic adds to and changes in the RPC's name.
pub(crate) fn normalized(method: &Ident) -> String {
    method.unraw().to_string().replace('_', "").to_ascii_lowercase()
}
