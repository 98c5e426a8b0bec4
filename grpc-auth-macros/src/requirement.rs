//! Reading `#[require(..)]`: one function of claims and message, and its text for the table.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, Expr, ExprClosure, GenericArgument, Meta, MetaList, PathArguments, Token,
    Type,
};

use crate::diagnostics;

/// What a method requires beyond its rule.
pub(crate) struct Requirement {
    /// A closure or a path.
    pub(crate) predicate: Expr,
    /// As it was written, in one line.
    pub(crate) text: String,
}

impl Requirement {
    /// For a method with a request of this type, if it has one.
    pub(crate) fn parse(attribute: &Attribute, request: Option<&Type>) -> Result<Self, Error> {
        let Meta::List(list) = &attribute.meta else {
            return Err(diagnostics::requirement::no_predicate(attribute));
        };
        let mut predicates =
            attribute.parse_args_with(Punctuated::<Expr, Token![,]>::parse_terminated)?.into_iter();
        let Some(predicate) = predicates.next() else {
            return Err(diagnostics::requirement::no_predicate(attribute));
        };
        if let Some(second) = predicates.next() {
            return Err(diagnostics::requirement::second_predicate(second));
        }
        check(&predicate)?;
        if let Some(request) = request {
            check_parameters(&predicate, is_stream(request))?;
        }
        if let Some(own) = own_self(list.tokens.clone()) {
            return Err(diagnostics::requirement::predicate_of_self(own));
        }
        let text = source_text(list).unwrap_or_else(|| predicate.to_token_stream().to_string());
        Ok(Self { predicate, text })
    }
}

/// Anything but a closure or a path would be computed for every call, from what is in scope.
fn check(predicate: &Expr) -> Result<(), Error> {
    match predicate {
        Expr::Group(group) => check(&group.expr),
        Expr::Closure(closure) => match (closure.attrs.first(), closure.asyncness) {
            (Some(attribute), _) => Err(diagnostics::attribute_in_rule(attribute)),
            (None, Some(asyncness)) => Err(diagnostics::requirement::async_predicate(asyncness)),
            (None, None) => Ok(()),
        },
        Expr::Path(path) if path.attrs.is_empty() => Ok(()),
        Expr::Lit(literal) => Err(diagnostics::requirement::scope_as_predicate(literal)),
        other => Err(diagnostics::requirement::not_a_predicate(other)),
    }
}

/// What the compiler would say of a closure, with the reason.
fn check_parameters(predicate: &Expr, is_stream: bool) -> Result<(), Error> {
    match predicate {
        Expr::Group(group) => check_parameters(&group.expr, is_stream),
        Expr::Closure(closure) => match (is_stream, closure.inputs.len()) {
            (true, 1) | (false, 2) => Ok(()),
            (true, _) => Err(diagnostics::requirement::no_message_yet(parameters(closure))),
            (false, _) => Err(diagnostics::requirement::claims_and_message(parameters(closure))),
        },
        _ => Ok(()),
    }
}

/// With their bars, of which there is something to point at where there are no parameters.
fn parameters(closure: &ExprClosure) -> TokenStream {
    let ExprClosure { inputs_begin, inputs, inputs_end, .. } = closure;
    quote!(#inputs_begin #inputs #inputs_end)
}

/// `Request<Streaming<M>>`: when the method is entered no message has come.
pub(crate) fn is_stream(request: &Type) -> bool {
    let Some(PathArguments::AngleBracketed(arguments)) = last_arguments(request, "Request") else {
        return false;
    };
    let message = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(message) => Some(message),
        _ => None,
    });
    let stream = message.and_then(|message| last_arguments(message, "Streaming"));
    matches!(stream, Some(PathArguments::AngleBracketed(_)))
}

/// The arguments of a type of this name, wherever it is.
fn last_arguments<'t>(ty: &'t Type, name: &str) -> Option<&'t PathArguments> {
    match ty {
        Type::Path(ty) => ty.path.segments.last().filter(|last| last.ident == name),
        Type::Group(ty) => return last_arguments(&ty.elem, name),
        Type::Paren(ty) => return last_arguments(&ty.elem, name),
        _ => None,
    }
    .map(|last| &last.arguments)
}

/// `self` as a value; `self::owner` is a path.
fn own_self(tokens: TokenStream) -> Option<TokenTree> {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(tree) = tokens.next() {
        match tree {
            TokenTree::Group(group) => {
                if let Some(own) = own_self(group.stream()) {
                    return Some(own);
                }
            }
            TokenTree::Ident(ident) if ident == "self" => match tokens.peek() {
                Some(TokenTree::Punct(colon))
                    if colon.as_char() == ':' && colon.spacing() == Spacing::Joint => {}
                _ => return Some(ident.into()),
            },
            _ => {}
        }
    }
    None
}

/// What stands between the parentheses, if it was written there and not made by a macro.
fn source_text(list: &MetaList) -> Option<String> {
    let source = list.delimiter.span().join().source_text()?;
    let source = source.strip_prefix('(')?.strip_suffix(')')?;
    let words: Vec<_> = source.split_whitespace().collect();
    let text = words.join(" ");
    let text = text.strip_suffix(',').unwrap_or(&text);
    (!text.is_empty() && !text.contains('$')).then(|| text.to_owned())
}
