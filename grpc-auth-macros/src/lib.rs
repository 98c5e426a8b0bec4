//! The attributes of [`grpc-auth`](https://docs.rs/grpc-auth), which re-exports and documents
//! them.
//!
//! The way of an impl through this crate: `parse` reads it (method bodies stay tokens), `attr`
//! reads the rules and `requirement` what stands beside them, `model` keeps what is valid, `expand` writes the code, and `diagnostics`
//! holds every message.

mod attr;
mod diagnostics;
mod expand;
mod kind;
mod model;
mod names;
mod parse;
mod requirement;
mod rule;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use quote::ToTokens;

/// See the documentation of `grpc_auth::protect`.
#[proc_macro_attribute]
pub fn protect(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::protect(options.into(), item.into()).into()
}

/// See the documentation of `grpc_auth::require_scopes`.
#[proc_macro_attribute]
pub fn require_scopes(_: TokenStream, item: TokenStream) -> TokenStream {
    orphaned("require_scopes", item)
}

/// See the documentation of `grpc_auth::authenticated`.
#[proc_macro_attribute]
pub fn authenticated(_: TokenStream, item: TokenStream) -> TokenStream {
    orphaned("authenticated", item)
}

/// See the documentation of `grpc_auth::allow_unauthenticated`.
#[proc_macro_attribute]
pub fn allow_unauthenticated(_: TokenStream, item: TokenStream) -> TokenStream {
    orphaned("allow_unauthenticated", item)
}

/// See the documentation of `grpc_auth::require`.
#[proc_macro_attribute]
pub fn require(_: TokenStream, item: TokenStream) -> TokenStream {
    orphaned("require", item)
}

/// `#[protect]` takes its rules away before they are expanded: one that is expanded has no effect.
fn orphaned(name: &str, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    let mut output = diagnostics::orphaned(name).to_compile_error();
    item.to_tokens(&mut output);
    output.into()
}
