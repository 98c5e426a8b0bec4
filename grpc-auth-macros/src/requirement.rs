//! Reading `#[require(..)]`: one function of claims and message, and its text for the table.

use proc_macro2::{Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Expr, Meta, MetaList, Token};

use crate::diagnostics;

/// What a method requires beyond its rule.
pub(crate) struct Requirement {
    /// A closure or a path.
    pub(crate) predicate: Expr,
    /// As it was written, in one line.
    pub(crate) text: String,
}

impl Requirement {
    pub(crate) fn parse(attribute: &Attribute) -> Result<Self, Error> {
        let Meta::List(list) = &attribute.meta else {
            return Err(diagnostics::no_predicate(attribute));
        };
        let mut predicates =
            attribute.parse_args_with(Punctuated::<Expr, Token![,]>::parse_terminated)?.into_iter();
        let Some(predicate) = predicates.next() else {
            return Err(diagnostics::no_predicate(attribute));
        };
        if let Some(second) = predicates.next() {
            return Err(diagnostics::second_predicate(second));
        }
        check(&predicate)?;
        if let Some(own) = own_self(list.tokens.clone()) {
            return Err(diagnostics::predicate_of_self(own));
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
            (None, Some(asyncness)) => Err(diagnostics::async_predicate(asyncness)),
            (None, None) => Ok(()),
        },
        Expr::Path(path) if path.attrs.is_empty() => Ok(()),
        Expr::Lit(literal) => Err(diagnostics::scope_as_predicate(literal)),
        other => Err(diagnostics::not_a_predicate(other)),
    }
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
