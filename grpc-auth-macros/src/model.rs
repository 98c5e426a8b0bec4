//! What an impl means: nothing invalid fits in here.

use std::collections::HashMap;

use proc_macro2::Span;
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{
    Attribute, FnArg, GenericArgument, Ident, LitStr, Path, PathArguments, Signature, Type,
    parse_quote,
};

use crate::attr::{
    RuleAttribute, hides_cfg, hides_rule, is_require, own_name, rule_name, without_rules,
};
use crate::diagnostics::{self, Errors};
use crate::names;
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
    pub(crate) entries: Vec<Option<Entry>>,
}

/// One method's line in the table.
pub(crate) struct Entry {
    pub(crate) rpc: LitStr,
    /// The method's name, where the RPC's name was derived from it: the entry then matches every path
    /// with the same name but for `_` and case.
    pub(crate) derived_from: Option<Ident>,
    pub(crate) rule: Rule,
    /// In the order of the attributes; none where anyone is let in.
    pub(crate) requirements: Vec<Requirement>,
    /// `cfg` on the method: without it there is no entry.
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
            errors.push(diagnostics::requirement::require_on_impl(attribute));
        }
        let default = default.map(|attribute| attribute.rule);
        let mut entries: Vec<Option<Entry>> = Vec::new();
        let mut methods: Vec<Ident> = Vec::new();
        for item in &mut item.items {
            match item {
                Item::Method(method) => {
                    let entry = entry(method, default.as_ref(), &krate, errors);
                    entries.push(entry);
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
        same_rpc_twice(&entries, &methods, errors);
        Self {
            server: options.server.unwrap_or_else(|| server_beside(&item.trait_path)),
            krate,
            descriptor: options.descriptor,
            cfgs: cfgs(&item.header.attrs),
            entries,
        }
    }
}

fn entry(
    method: &mut Method,
    default: Option<&Rule>,
    krate: &Path,
    errors: &mut Errors,
) -> Option<Entry> {
    let name = &method.signature.ident;
    let had_rule = method.attrs.iter().any(|a| rule_name(a, krate).is_some() || hides_rule(a));
    let attribute = take_rule(&mut method.attrs, krate, &format!("method `{name}`"), errors);
    let request = match request(&method.signature) {
        Some(ty) if is_injected(ty) => {
            errors.push(diagnostics::request_comes_first(ty));
            None
        }
        None if !method.lacks_parameters => {
            errors.push(diagnostics::no_request(name));
            None
        }
        request => request,
    };
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
            match take_foreign_rule(&mut method.attrs) {
                Some(attribute) => errors.push(diagnostics::foreign_rule(&attribute, name)),
                None => errors.push(diagnostics::no_rule(name)),
            }
            return None;
        }
    };
    if matches!(rule, Rule::AllowUnauthenticated) {
        required.iter().for_each(|attribute| {
            errors.push(diagnostics::requirement::require_of_anyone(attribute))
        });
    }
    let derived_from = rpc.is_none().then(|| name.clone());
    request.map(|_| Entry {
        rpc: rpc.unwrap_or_else(|| names::rpc_name(name)),
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

/// An attribute that other frameworks have for access rules, and this crate has not.
fn take_foreign_rule(attributes: &mut Vec<Attribute>) -> Option<Attribute> {
    const FOREIGN: [&str; 8] = [
        "require_scope",
        "require_role",
        "require_roles",
        "require_permission",
        "require_permissions",
        "require_authentication",
        "allow_anonymous",
        "roles_allowed",
    ];
    let is_foreign =
        |attribute: &Attribute| FOREIGN.iter().any(|name| attribute.path().is_ident(name));
    let position = attributes.iter().position(is_foreign)?;
    Some(attributes.remove(position))
}

/// Tells whether a type is one of those that are injected after the request.
fn is_injected(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    let Some(last) = ty.path.segments.last() else { return false };
    match (last.ident.to_string().as_str(), &last.arguments) {
        ("Claims" | "Principal" | "BearerToken", _) => true,
        ("Option", PathArguments::AngleBracketed(arguments)) => arguments
            .args
            .iter()
            .any(|argument| matches!(argument, GenericArgument::Type(ty) if is_injected(ty))),
        _ => false,
    }
}

/// The type of the parameter after the receiver.
fn request(signature: &Signature) -> Option<&Type> {
    signature.inputs.iter().find_map(|input| match input {
        FnArg::Typed(parameter) => Some(&*parameter.ty),
        FnArg::Receiver(_) => None,
    })
}

/// Methods under `cfg` may be alternatives.
fn same_rpc_twice(entries: &[Option<Entry>], methods: &[Ident], errors: &mut Errors) {
    let mut by_rpc: HashMap<String, &Ident> = HashMap::new();
    let mut by_method: HashMap<String, &Ident> = HashMap::new();
    for (entry, method) in entries.iter().zip(methods) {
        let Some(entry) = entry.as_ref().filter(|entry| entry.cfgs.is_empty()) else { continue };
        let alike = entry
            .derived_from
            .as_ref()
            .and_then(|own| by_method.insert(names::normalized(own), method));
        let same = by_rpc.insert(entry.rpc.value(), method);
        match (same, alike) {
            (Some(other), _) => errors.push(diagnostics::same_rpc_twice(&entry.rpc, other)),
            (None, Some(other)) => errors.push(diagnostics::alike(method, other)),
            (None, None) => {}
        }
    }
}

/// `pb::echo_server::Echo` is served by `pb::echo_server::EchoServer`. If that is not there, the
/// compiler's message stands at `#[protect]`, which wrote the name.
fn server_beside(trait_path: &Path) -> Path {
    let mut path = trait_path.clone();
    if let Some(last) = path.segments.last_mut() {
        last.ident = format_ident!("{}Server", last.ident.unraw(), span = Span::call_site());
        last.arguments = syn::PathArguments::None;
    }
    path
}

fn cfgs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}
