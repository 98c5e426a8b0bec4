//! What an impl means: nothing invalid fits in here.

use std::collections::HashMap;

use heck::ToUpperCamelCase;
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Attribute, Error, FnArg, Ident, LitStr, Path, Signature, Type, parse_quote};

use crate::attr::{
    RuleAttribute, hides_cfg, hides_rule, is_require, own_name, rule_name, without_rules,
};
use crate::diagnostics::{self, Errors};
use crate::parse::{Impl, Item, Method, Options, OtherItem};
use crate::requirement::Requirement;
use crate::rule::Rule;

/// A protected service.
pub(crate) struct Service {
    pub(crate) krate: Path,
    /// The type that tonic generates, without its parameter.
    pub(crate) server: Path,
    pub(crate) descriptor: Option<Path>,
    /// `cfg` on the impl.
    pub(crate) cfgs: Vec<Attribute>,
    /// In the order of the impl's methods; none where the method has a mistake.
    pub(crate) rows: Vec<Option<Row>>,
}

/// One method's line in the table.
pub(crate) struct Row {
    pub(crate) rpc: LitStr,
    /// The method's name without `_` and in lower case, where the RPC's name was derived from it:
    /// the row then matches every path with such a name.
    pub(crate) derived_from: Option<String>,
    pub(crate) rule: Rule,
    /// In the order of the attributes; none where anyone is let in.
    pub(crate) requirements: Vec<Requirement>,
    /// `cfg` on the method: without it there is no row.
    pub(crate) cfgs: Vec<Attribute>,
}

impl Service {
    /// Takes the rules away from the impl and understands them.
    pub(crate) fn new(options: Options, item: &mut Impl, errors: &mut Errors) -> Self {
        let krate = options.krate.unwrap_or_else(|| parse_quote!(::grpc_auth));
        let default = take_rule(&mut item.header.attrs, &krate, "the impl", errors);
        if let Some(RuleAttribute { rpc: Some(rpc), .. }) = &default {
            errors.push(diagnostics::rpc_on_impl(rpc));
        }
        for attribute in take_requirements(&mut item.header.attrs, &krate) {
            errors.push(diagnostics::require_on_impl(attribute));
        }
        let default = default.map(|attribute| attribute.rule);
        let mut rows: Vec<Option<Row>> = Vec::new();
        let mut methods: Vec<Ident> = Vec::new();
        for item in &mut item.items {
            match item {
                Item::Method(method) => {
                    let row = row(method, default.as_ref(), &krate, errors);
                    rows.push(row);
                    methods.push(method.signature.ident.clone());
                }
                Item::Other { attrs, tokens, kind } => {
                    match kind {
                        OtherItem::Associated => {}
                        OtherItem::Macro => errors.push(diagnostics::macro_item(&*tokens)),
                        OtherItem::Unknown => errors.push(diagnostics::unknown_item(&*tokens)),
                    }
                    let mut rules =
                        attrs.iter().filter(|a| own_name(a, &krate).is_some()).peekable();
                    if rules.peek().is_some() {
                        rules.for_each(|rule| errors.push(diagnostics::rule_on_other_item(rule)));
                        *tokens = without_rules(tokens.clone());
                    }
                }
            }
        }
        same_rpc_twice(&rows, &methods, errors);
        Self {
            server: options.server.unwrap_or_else(|| server_beside(&item.trait_path)),
            krate,
            descriptor: options.descriptor,
            cfgs: cfgs(&item.header.attrs),
            rows,
        }
    }
}

fn row(
    method: &mut Method,
    default: Option<&Rule>,
    krate: &Path,
    errors: &mut Errors,
) -> Option<Row> {
    let name = &method.signature.ident;
    let had_rule = method.attrs.iter().any(|a| rule_name(a, krate).is_some() || hides_rule(a));
    let attribute = take_rule(&mut method.attrs, krate, &format!("method `{name}`"), errors);
    let request = errors.take(request(&method.signature));
    let required = take_requirements(&mut method.attrs, krate);
    let requirements: Vec<_> = required
        .iter()
        .filter_map(|attribute| errors.take(Requirement::parse(attribute, request)))
        .collect();
    for attribute in method.attrs.iter().filter(|attribute| hides_cfg(attribute)) {
        errors.push(diagnostics::hidden_cfg(attribute));
    }
    let (rule, rpc) = match (attribute, default) {
        (Some(attribute), _) => (attribute.rule, attribute.rpc),
        // What is wrong with the rule has been said.
        (None, _) if had_rule => return None,
        (None, Some(rule)) => (rule.clone(), None),
        (None, None) => {
            errors.push(diagnostics::no_rule(name));
            return None;
        }
    };
    if matches!(rule, Rule::AllowUnauthenticated) {
        required
            .iter()
            .for_each(|attribute| errors.push(diagnostics::require_of_anyone(attribute)));
    }
    let derived_from = rpc.is_none().then(|| folded(name));
    request.map(|_| Row {
        rpc: rpc.unwrap_or_else(|| rpc_name(name)),
        derived_from,
        rule,
        requirements,
        cfgs: cfgs(&method.attrs),
    })
}

/// Takes the rules out of the attributes: one is right, more are a mistake.
fn take_rule(
    attributes: &mut Vec<Attribute>,
    krate: &Path,
    owner: &str,
    errors: &mut Errors,
) -> Option<RuleAttribute> {
    let mut found = None;
    let mut count = 0;
    attributes.retain(|attribute| {
        if hides_rule(attribute) {
            errors.push(diagnostics::hidden_rule(attribute));
            return false;
        }
        let Some(name) = rule_name(attribute, krate) else { return true };
        count += 1;
        if count > 1 {
            errors.push(diagnostics::second_rule(attribute, owner));
        } else {
            found = errors.take(RuleAttribute::parse(attribute, name));
        }
        false
    });
    found
}

/// Takes the `require`s out of the attributes.
fn take_requirements(attributes: &mut Vec<Attribute>, krate: &Path) -> Vec<Attribute> {
    attributes.extract_if(.., |attribute| is_require(attribute, krate)).collect()
}

/// The type of the parameter after the receiver.
fn request(signature: &Signature) -> Result<&Type, Error> {
    let parameter = signature.inputs.iter().find_map(|input| match input {
        FnArg::Typed(parameter) => Some(&*parameter.ty),
        FnArg::Receiver(_) => None,
    });
    parameter.ok_or_else(|| diagnostics::no_request(&signature.ident))
}

/// The Rust name without what tonic adds to and changes in the RPC's name.
fn folded(method: &Ident) -> String {
    method.unraw().to_string().replace('_', "").to_ascii_lowercase()
}

/// tonic derives the method's name from the RPC's; the way back is a guess, which the path of a call
/// matches without `_` and case.
fn rpc_name(method: &Ident) -> LitStr {
    LitStr::new(&method.unraw().to_string().to_upper_camel_case(), method.span())
}

/// Methods under `cfg` may be alternatives.
fn same_rpc_twice(rows: &[Option<Row>], methods: &[Ident], errors: &mut Errors) {
    let mut by_rpc: HashMap<String, &Ident> = HashMap::new();
    let mut by_method: HashMap<&str, &Ident> = HashMap::new();
    for (row, method) in rows.iter().zip(methods) {
        let Some(row) = row.as_ref().filter(|row| row.cfgs.is_empty()) else { continue };
        let alike = row.derived_from.as_deref().and_then(|name| by_method.insert(name, method));
        let same = by_rpc.insert(row.rpc.value(), method);
        match (same, alike) {
            (Some(other), _) => errors.push(diagnostics::same_rpc_twice(&row.rpc, other)),
            (None, Some(other)) => errors.push(diagnostics::alike(method, other)),
            (None, None) => {}
        }
    }
}

/// `pb::echo_server::Echo` is served by `pb::echo_server::EchoServer`.
fn server_beside(trait_path: &Path) -> Path {
    let mut path = trait_path.clone();
    if let Some(last) = path.segments.last_mut() {
        last.ident = format_ident!("{}Server", last.ident.unraw(), span = last.ident.span());
        last.arguments = syn::PathArguments::None;
    }
    path
}

fn cfgs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}
