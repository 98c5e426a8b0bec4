//! Every message of the macros: what is wrong in the user's words, then what to type.

pub(crate) mod requirement;

use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Attribute, Error, Ident, LitStr};

/// Errors found so far; all of them are reported at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Keeps the value, or the error.
    pub(crate) fn take<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn to_compile_error(&self) -> proc_macro2::TokenStream {
        self.0.as_ref().map(Error::to_compile_error).unwrap_or_default()
    }
}

fn with_help(span: impl ToTokens, message: impl Display, help: impl Display) -> Error {
    Error::new_spanned(span, format_args!("{message}\n\nhelp: {help}"))
}

fn at(span: Span, message: impl Display, help: impl Display) -> Error {
    Error::new(span, format_args!("{message}\n\nhelp: {help}"))
}

pub(crate) fn not_a_trait_impl(span: impl ToTokens) -> Error {
    with_help(
        span,
        "`#[grpc_auth::protect]` belongs on the impl of a tonic service trait",
        "write it above `impl Echo for EchoService { .. }`",
    )
}

pub(crate) fn inherent_impl(span: impl ToTokens) -> Error {
    with_help(
        span,
        "this impl is not of a tonic service trait, so no call arrives here",
        "write `#[grpc_auth::protect]` above `impl Echo for EchoService { .. }`",
    )
}

pub(crate) fn negative_impl(span: impl ToTokens) -> Error {
    with_help(
        span,
        "a negative impl has no methods to protect",
        "remove `#[grpc_auth::protect]`, or the `!`",
    )
}

pub(crate) fn unknown_option(name: &Ident) -> Error {
    with_help(
        name,
        format_args!("`protect` has no option `{name}`"),
        "the options are `server = path::EchoServer`, `crate = path::grpc_auth` and \
         `descriptor = path::FILE_DESCRIPTOR_SET`",
    )
}

pub(crate) fn twice(name: &Ident) -> Error {
    with_help(name, format_args!("`{name}` is given twice"), "remove one of them")
}

pub(crate) fn no_rule(method: &Ident) -> Error {
    with_help(
        method,
        format_args!("method `{method}` does not say who may call it"),
        "add `#[require_scopes(\"..\")]`, `#[authenticated]` for any valid token, or \
         `#[allow_unauthenticated]` to let anyone in",
    )
}

pub(crate) fn foreign_rule(attribute: &Attribute, method: &Ident) -> Error {
    let name = attribute.path().to_token_stream().to_string();
    let help = match name.as_str() {
        "require_scope" => "write `#[require_scopes(\"..\")]`",
        "require_authentication" => "write `#[authenticated]`",
        "allow_anonymous" => "write `#[allow_unauthenticated]`",
        _ => {
            "write `#[require_scopes(\"..\")]`; if the issuer puts roles or permissions into another \
             claim, `Issuer::scopes_from` makes scopes of them"
        }
    };
    with_help(
        attribute,
        format_args!(
            "`#[{name}]` is no access rule, so method `{method}` does not say who may call it"
        ),
        help,
    )
}

pub(crate) fn second_rule(attribute: impl ToTokens, owner: impl Display) -> Error {
    with_help(
        attribute,
        format_args!("{owner} has two access rules"),
        "keep one; to require several scopes, list them: \
         `#[require_scopes(\"read:echo\", \"write:echo\")]`",
    )
}

pub(crate) fn rule_on_other_item(attribute: impl ToTokens) -> Error {
    with_help(
        attribute,
        "an access rule has no effect on anything but a method",
        "move it to a method, or remove it",
    )
}

pub(crate) fn hidden_rule(attribute: impl ToTokens) -> Error {
    with_help(
        attribute,
        "`#[grpc_auth::protect]` cannot see through `cfg_attr`, so this rule would have no effect",
        "write the method twice, with its rules, under `#[cfg(..)]` and `#[cfg(not(..))]`",
    )
}

pub(crate) fn macro_item(item: impl ToTokens) -> Error {
    with_help(
        item,
        "`#[grpc_auth::protect]` cannot see the methods that a macro makes",
        "write the methods out, or put `#[grpc_auth::protect]` on the impl inside the macro",
    )
}

pub(crate) fn unknown_item(item: impl ToTokens) -> Error {
    with_help(
        item,
        "`#[grpc_auth::protect]` cannot read this item, which may be a method",
        "write methods plainly, without `default`",
    )
}

pub(crate) fn unfinished_item(error: &Error) -> Error {
    at(
        error.span(),
        format_args!("`#[grpc_auth::protect]` cannot read this item: {error}"),
        "finish it or remove it; the other methods keep their guards",
    )
}

pub(crate) fn no_body(method: &Ident) -> Error {
    with_help(
        method,
        format_args!("method `{method}` has no body"),
        "write its body in braces after the return type",
    )
}

pub(crate) fn hidden_cfg(attribute: impl ToTokens) -> Error {
    with_help(
        attribute,
        "`#[grpc_auth::protect]` cannot see through `cfg_attr` whether this method exists",
        "write `#[cfg(..)]` on the method itself, with `all(..)` and `any(..)` for the conditions",
    )
}

pub(crate) fn attribute_in_rule(arguments: impl ToTokens) -> Error {
    with_help(
        arguments,
        "an attribute has no effect inside a rule",
        "write the method twice, with its rules, under `#[cfg(..)]` and `#[cfg(not(..))]`",
    )
}

pub(crate) fn no_request(method: &Ident) -> Error {
    with_help(
        method,
        format_args!("method `{method}` takes no request, so its caller is unknown"),
        "the first parameter of a tonic method is `request: tonic::Request<..>`",
    )
}

pub(crate) fn request_comes_first(ty: impl ToTokens) -> Error {
    with_help(
        ty,
        "the first parameter of a tonic method is its request",
        "move this parameter behind `request: tonic::Request<..>`: parameters after the request are \
         injected",
    )
}

pub(crate) fn rule_with_arguments(name: &str, arguments: impl ToTokens) -> Error {
    let help = match name {
        "authenticated" => {
            "write `#[authenticated]`; to ask for scopes, `#[require_scopes(\"..\")]`"
        }
        _ => "write `#[allow_unauthenticated]`; to ask for scopes, `#[require_scopes(\"..\")]`",
    };
    with_help(arguments, format_args!("`{name}` takes no scopes"), help)
}

pub(crate) fn no_scopes(span: Span) -> Error {
    at(
        span,
        "`require_scopes` without a scope lets every caller in who has a token",
        "name what is required, `#[require_scopes(\"read:echo\")]`, or say `#[authenticated]`",
    )
}

pub(crate) fn empty_group(call: impl ToTokens, name: &str) -> Error {
    let message = match name {
        "any" => "an empty `any()` rejects every caller",
        _ => "an empty `all()` asks for nothing",
    };
    with_help(
        call,
        message,
        format_args!("name its scopes, `{name}(\"read:echo\", ..)`, or remove it"),
    )
}

pub(crate) fn same_scope_twice(scope: impl ToTokens) -> Error {
    let text = scope.to_token_stream().to_string();
    with_help(&scope, format_args!("the scope {text} is listed twice"), "remove one of them")
}

const NOT_A_SCOPE: &str = "a scope is a string literal or a path to a `const Scope`";
const WRITE_A_SCOPE: &str =
    "write `\"read:echo\"`, `scopes::READ_ECHO`, `any(..)` or `all(..)`, divided by commas";

pub(crate) fn not_a_scope(expression: impl ToTokens) -> Error {
    with_help(expression, NOT_A_SCOPE, WRITE_A_SCOPE)
}

/// For what does not even parse as an expression.
pub(crate) fn not_a_scope_at(span: Span) -> Error {
    at(span, NOT_A_SCOPE, WRITE_A_SCOPE)
}

pub(crate) fn unknown_key(key: &Ident) -> Error {
    with_help(
        key,
        format_args!("a rule has no key `{key}`"),
        "the only one is `rpc = \"GetURL\"`, the RPC's name in the `.proto` file",
    )
}

pub(crate) fn unknown_group(name: &Ident) -> Error {
    with_help(
        name,
        format_args!("`{name}(..)` is no way to combine scopes"),
        "write `any(..)` for at least one of them, `all(..)` for every one",
    )
}

pub(crate) fn rpc_not_a_name(value: impl ToTokens) -> Error {
    with_help(
        value,
        "`rpc` is the name of one RPC",
        "write it as in the `.proto` file: `rpc = \"GetURL\"`",
    )
}

pub(crate) fn rpc_on_impl(value: impl ToTokens) -> Error {
    with_help(
        value,
        "`rpc` names one RPC, and this rule is the default of all methods",
        "write the rule with its `rpc` on the method that is meant",
    )
}

pub(crate) fn same_rpc_twice(name: &LitStr, method: &Ident) -> Error {
    Error::new(
        name.span(),
        format_args!(
            "the RPC `{}` has two methods, the other is `{method}`\n\nhelp: tell them apart by \
             `rpc = \"..\"` with the names in the `.proto` file",
            name.value()
        ),
    )
}

pub(crate) fn alike(method: &Ident, other: &Ident) -> Error {
    with_help(
        method,
        format_args!(
            "`{method}` and `{other}` match the same RPCs: their names differ in `_` and case alone"
        ),
        "write `rpc = \"..\"` with the name in the `.proto` file in the rules of both",
    )
}

pub(crate) fn orphaned(name: &str) -> Error {
    Error::new(
        Span::call_site(),
        format_args!(
            "`#[{name}]` has no effect here: the enclosing `impl` is not marked \
             `#[grpc_auth::protect]`\n\nhelp: write `#[grpc_auth::protect]` above the impl of the \
             tonic service trait, and this attribute below it"
        ),
    )
}

/// RFC 6749 §3.3, in the words of a reader of the literal.
pub(crate) fn check_scope(literal: &LitStr) -> Result<(), Error> {
    let scope = literal.value();
    let is_token = |c: char| matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
    let Some(bad) = scope.chars().find(|c| !is_token(*c)) else {
        if scope.is_empty() {
            return Err(with_help(
                literal,
                "a scope cannot be empty",
                "name what is required, for example `\"read:echo\"`",
            ));
        }
        return Ok(());
    };
    let list = || {
        let quoted: Vec<_> = scope.split_whitespace().map(|word| format!("{word:?}")).collect();
        format!("to require several scopes, list them: `{}`", quoted.join(", "))
    };
    let (what, help) = match bad {
        ' ' if scope.trim().is_empty() || scope.trim() != scope && !scope.trim().contains(' ') => {
            ("a space", "remove it".to_owned())
        }
        ' ' => ("a space", list()),
        '"' => (
            "a quote",
            "remove it; scopes are listed between commas, each in its own quotes".into(),
        ),
        '\\' => (
            "a backslash",
            "remove it; RFC 6749 allows printable ASCII without `\"` and `\\`".into(),
        ),
        c if c.is_ascii() => ("a control character", "remove it".into()),
        _ => (
            "a letter outside ASCII",
            "write it as the authorization server does; RFC 6749 allows printable ASCII".into(),
        ),
    };
    Err(with_help(literal, format_args!("a scope cannot contain {what}"), help))
}
