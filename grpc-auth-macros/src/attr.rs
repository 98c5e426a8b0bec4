//! Reading the rules: `require_scopes`, `authenticated`, `allow_unauthenticated`, and what a method
//! requires beyond its rule: `require`.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprCall, ExprPath, Lit, LitStr, Meta, Path, Token};

use crate::diagnostics;
use crate::rule::{Rule, ScopeExpr};

/// The access rules.
const RULES: [&str; 3] = ["require_scopes", "authenticated", "allow_unauthenticated"];
/// Everything that is taken away from a method.
const NAMES: [&str; 4] = ["require_scopes", "authenticated", "allow_unauthenticated", "require"];

/// The options of a rule. A test finds each in the help of `unknown_key` and in the documents.
pub(crate) const OPTIONS: [&str; 1] = ["rpc"];

/// A rule as it stands on a method or an impl.
pub(crate) struct RuleAttribute {
    pub(crate) rule: Rule,
    pub(crate) rpc: Option<LitStr>,
}

/// Tells whether an attribute is an access rule of ours, by its bare name or under this crate's
/// path; other crates may have attributes of the same names.
pub(crate) fn rule_name(attribute: &Attribute, krate: &Path) -> Option<&'static str> {
    own_name(attribute, krate).filter(|name| RULES.contains(name))
}

/// Tells whether an attribute is a `require` of ours.
pub(crate) fn is_require(attribute: &Attribute, krate: &Path) -> bool {
    own_name(attribute, krate) == Some("require")
}

/// The name of an attribute that is taken away.
pub(crate) fn own_name(attribute: &Attribute, krate: &Path) -> Option<&'static str> {
    let path = attribute.path();
    let name = path.segments.last()?.ident.to_string();
    let name = *NAMES.iter().find(|known| **known == name)?;
    let prefix: Vec<_> = path.segments.iter().map(|segment| &segment.ident).collect();
    let (_, prefix) = prefix.split_last()?;
    let is_crate = prefix.len() == krate.segments.len()
        && prefix.iter().zip(&krate.segments).all(|(own, segment)| **own == segment.ident);
    let is_grpc_auth = matches!(prefix, [only] if *only == "grpc_auth");
    (prefix.is_empty() || is_crate || is_grpc_auth).then_some(name)
}

/// Tells whether a `cfg_attr` has a rule or a requirement inside.
pub(crate) fn hides_rule(attribute: &Attribute) -> bool {
    is_cfg_attr_with(attribute, &NAMES)
}

/// Tells whether a `cfg_attr` may remove the method, and leave its entry behind.
pub(crate) fn hides_cfg(attribute: &Attribute) -> bool {
    is_cfg_attr_with(attribute, &["cfg"])
}

fn is_cfg_attr_with(attribute: &Attribute, names: &[&str]) -> bool {
    let is_name = |tree: &TokenTree| matches!(tree, TokenTree::Ident(ident) if names.iter().any(|n| ident == n));
    attribute.path().is_ident("cfg_attr") && contains(attribute.meta.to_token_stream(), &is_name)
}

fn contains(tokens: TokenStream, wanted: &impl Fn(&TokenTree) -> bool) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Group(group) => contains(group.stream(), wanted),
        tree => wanted(&tree),
    })
}

/// Tokens that are emitted although they are wrong, without the rules in them: no other macro would
/// know what those mean, and say so once more.
pub(crate) fn without_rules(tokens: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for tree in tokens {
        let TokenTree::Group(group) = tree else {
            kept.push(tree);
            continue;
        };
        let after_hash =
            matches!(kept.last(), Some(TokenTree::Punct(hash)) if hash.as_char() == '#');
        let is_rule = match group.stream().into_iter().next() {
            Some(TokenTree::Ident(name)) => NAMES.iter().any(|known| name == known),
            _ => false,
        };
        if after_hash && is_rule && group.delimiter() == Delimiter::Bracket {
            kept.pop();
            continue;
        }
        let mut inner = Group::new(group.delimiter(), without_rules(group.stream()));
        inner.set_span(group.span());
        kept.push(TokenTree::Group(inner));
    }
    kept.into_iter().collect()
}

impl RuleAttribute {
    pub(crate) fn parse(attribute: &Attribute, name: &'static str) -> Result<Self, Error> {
        // `#[cfg(..)] "a"` is an expression; the `cfg` would have no effect.
        let is_hash = |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.as_char() == '#');
        if let Meta::List(list) = &attribute.meta
            && contains(list.tokens.clone(), &is_hash)
        {
            return Err(diagnostics::attribute_in_rule(&list.tokens));
        }
        let arguments = match &attribute.meta {
            Meta::Path(_) => Punctuated::new(),
            Meta::List(_) => attribute
                .parse_args_with(Punctuated::<Expr, Token![,]>::parse_terminated)
                .map_err(|error| diagnostics::not_a_scope_at(error.span()))?,
            Meta::NameValue(pair) => return Err(diagnostics::not_a_scope(&pair.value)),
        };
        let mut rpc = None;
        let mut scopes = Vec::new();
        for argument in arguments {
            match argument {
                Expr::Assign(pair) => read_rpc(&pair.left, &pair.right, &mut rpc)?,
                expression => scopes.push(expression),
            }
        }
        let rule = match (name, scopes.first()) {
            ("require_scopes", None) => return Err(diagnostics::no_scopes(attribute.span())),
            ("require_scopes", Some(_)) => Rule::RequireScopes(scope_rules(scopes)?),
            (name, Some(first)) => return Err(diagnostics::rule_with_arguments(name, first)),
            ("authenticated", None) => Rule::Authenticated,
            (_, None) => Rule::AllowUnauthenticated,
        };
        Ok(Self { rule, rpc })
    }
}

fn read_rpc(key: &Expr, value: &Expr, rpc: &mut Option<LitStr>) -> Result<(), Error> {
    let Expr::Path(ExprPath { path, .. }) = key else {
        return Err(diagnostics::not_a_scope(key));
    };
    let Some(key) = path.get_ident() else { return Err(diagnostics::not_a_scope(path)) };
    if !OPTIONS.iter().any(|option| key == option) {
        return Err(diagnostics::unknown_key(key));
    }
    let name = match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(name) => name.clone(),
            other => return Err(diagnostics::rpc_not_a_name(other)),
        },
        other => return Err(diagnostics::rpc_not_a_name(other)),
    };
    let text = name.value();
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(diagnostics::rpc_not_a_name(name));
    }
    match rpc.replace(name) {
        Some(_) => Err(diagnostics::twice(key)),
        None => Ok(()),
    }
}

/// Reads a list; every mistake in it is reported.
fn scope_rules(expressions: impl IntoIterator<Item = Expr>) -> Result<Vec<ScopeExpr>, Error> {
    let mut errors: Option<Error> = None;
    let mut seen: Vec<String> = Vec::new();
    let mut rules = Vec::new();
    for expression in expressions {
        let text = expression.to_token_stream().to_string();
        let rule = if seen.contains(&text) {
            Err(diagnostics::same_scope_twice(&expression))
        } else {
            seen.push(text);
            scope_rule(expression)
        };
        match (rule, &mut errors) {
            (Ok(rule), _) => rules.push(rule),
            (Err(error), Some(errors)) => errors.combine(error),
            (Err(error), None) => errors = Some(error),
        }
    }
    errors.map_or(Ok(rules), Err)
}

fn scope_rule(expression: Expr) -> Result<ScopeExpr, Error> {
    match expression {
        Expr::Lit(literal) => match literal.lit {
            Lit::Str(scope) => {
                diagnostics::check_scope(&scope)?;
                Ok(ScopeExpr::Literal(scope))
            }
            other => Err(diagnostics::not_a_scope(other)),
        },
        Expr::Path(ExprPath { attrs, qself: None, path, .. }) if attrs.is_empty() => {
            Ok(ScopeExpr::Constant(path))
        }
        Expr::Call(call) => group(call),
        Expr::Assign(pair) => match &*pair.left {
            Expr::Path(key) if key.path.is_ident("rpc") => {
                Err(diagnostics::rpc_not_a_name(&pair.left))
            }
            Expr::Path(key) => match key.path.get_ident() {
                Some(key) => Err(diagnostics::unknown_key(key)),
                None => Err(diagnostics::not_a_scope(pair)),
            },
            _ => Err(diagnostics::not_a_scope(pair)),
        },
        other => Err(diagnostics::not_a_scope(other)),
    }
}

fn group(call: ExprCall) -> Result<ScopeExpr, Error> {
    let name = match &*call.func {
        Expr::Path(function) => function.path.get_ident(),
        _ => None,
    };
    let Some(name) = name else { return Err(diagnostics::not_a_scope(call)) };
    let make = match name.to_string().as_str() {
        "any" => ScopeExpr::Any,
        "all" => ScopeExpr::All,
        _ => return Err(diagnostics::unknown_group(name)),
    };
    if call.args.is_empty() {
        return Err(diagnostics::empty_group(&call, &name.to_string()));
    }
    scope_rules(call.args).map(make)
}
