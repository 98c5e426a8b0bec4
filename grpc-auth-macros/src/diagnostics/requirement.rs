//! Messages about `#[require(..)]`.

use quote::ToTokens;
use syn::Error;

use super::with_help;

pub(crate) fn no_predicate(attribute: impl ToTokens) -> Error {
    with_help(
        attribute,
        "`require` does not say what is required",
        "name a function, or write it here: \
         `#[require(|claims: &Claims<Tenant>, message| message.tenant == claims.tenant)]`",
    )
}

const NOT_A_PREDICATE: &str = "a requirement is a closure, or the path of a function";

pub(crate) fn not_a_predicate(expression: impl ToTokens) -> Error {
    with_help(
        expression,
        NOT_A_PREDICATE,
        "write `|claims: &Claims<Tenant>, message| message.tenant == claims.tenant`, or name a \
         function of these parameters",
    )
}

pub(crate) fn claims_and_message(parameters: impl ToTokens) -> Error {
    with_help(
        parameters,
        "a requirement is a function of the caller's claims and the message",
        "write `|claims: &Claims<..>, message| ..`, with `_` for what it does not look at; it has \
         one parameter where the method's is written `Request<Streaming<..>>`",
    )
}

pub(crate) fn no_message_yet(parameters: impl ToTokens) -> Error {
    with_help(
        parameters,
        "a method with a stream of messages is entered before the first of them has come",
        "write `|claims: &Claims<..>| ..` here, and look at each message in the method",
    )
}

pub(crate) fn scope_as_predicate(literal: impl ToTokens) -> Error {
    let text = literal.to_token_stream().to_string();
    with_help(
        &literal,
        NOT_A_PREDICATE,
        format_args!("to require a scope, write `#[require_scopes({text})]`"),
    )
}

pub(crate) fn second_predicate(expression: impl ToTokens) -> Error {
    with_help(
        expression,
        "`require` takes one function",
        "write `#[require(..)]` once for each: all of them must hold",
    )
}

pub(crate) fn async_predicate(asyncness: impl ToTokens) -> Error {
    with_help(
        asyncness,
        "a requirement cannot wait",
        "decide by what is in the claims and the message; a remote decision point is asked by an \
         `Authorizer`",
    )
}

pub(crate) fn predicate_of_self(own: impl ToTokens) -> Error {
    with_help(
        own,
        "a requirement sees claims and message, not the service",
        "what the service knows is compared in the method: take `Claims<..>` as a parameter there",
    )
}

pub(crate) fn require_of_anyone(attribute: impl ToTokens) -> Error {
    with_help(
        attribute,
        "a requirement is about the caller's claims, but this method lets anyone in",
        "replace `#[allow_unauthenticated]` with `#[authenticated]`; what anonymous callers may do \
         is decided in the method, by `Option<Claims<..>>`",
    )
}

pub(crate) fn require_on_impl(attribute: impl ToTokens) -> Error {
    with_help(
        attribute,
        "a requirement is about one method's message, so the impl cannot have it",
        "write it on each method that has this requirement",
    )
}
