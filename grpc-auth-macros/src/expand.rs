//! Writing the code: the user's impl with a guard in each method, then the policy.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{AttrStyle, Expr, FnArg, Pat, PatType, Path, Signature};

use crate::attr;
use crate::diagnostics::Errors;
use crate::kind;
use crate::model::{Entry, Service};
use crate::names;
use crate::parse::{Impl, Item, Method, Options};
use crate::requirement::is_stream;
use crate::rule::{Rule, ScopeExpr};

/// Expands `#[protect]`. The user's impl is always emitted, so that one mistake gives one message.
pub(crate) fn protect(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options: Options = errors.take(syn::parse2(options)).unwrap_or_default();
    let parsed = Impl::parse(item.clone(), &mut errors);
    let Some(mut parsed) = errors.take(parsed) else {
        let mut output = errors.to_compile_error();
        output.extend(attr::without_rules(item));
        return output;
    };
    let service = Service::new(options, &mut parsed, &mut errors);
    let mut output = errors.to_compile_error();
    output.extend(user_impl(&service, &parsed));
    output.extend(policy(&service, &parsed));
    // A method with a mistake has no entry to compare.
    if errors.is_empty() {
        output.extend(unique_checks(&service));
        output.extend(descriptor_check(&service, &parsed));
    }
    output
}

fn user_impl(service: &Service, item: &Impl) -> TokenStream {
    let mut entries = service.entries.iter().enumerate();
    let items: TokenStream = item
        .items
        .iter()
        .map(|item| match item {
            Item::Method(item) => match entries.next() {
                Some((position, Some(entry))) => method(service, item, Some((position, entry))),
                _ => method(service, item, None),
            },
            Item::Other { tokens, .. } => tokens.clone(),
        })
        .collect();
    let is_inner = |style: &AttrStyle| matches!(style, AttrStyle::Inner(_));
    let (inner, outer): (Vec<_>, Vec<_>) =
        item.header.attrs.iter().partition(|attribute| is_inner(&attribute.style));
    let mut braces = Group::new(Delimiter::Brace, quote!(#(#inner)* #items));
    braces.set_span(item.braces.span());
    let header = &item.header;
    let (generics, trait_path, self_ty) = (&header.generics, &item.trait_path, &header.self_ty);
    let (unsafety, where_clause) = (&header.unsafety, &generics.where_clause);
    quote! {
        #(#outer)* #unsafety impl #generics #trait_path for #self_ty #where_clause #braces
    }
}

/// A method with its guard, and with its injected parameters turned into bindings.
fn method(service: &Service, method: &Method, entry: Option<(usize, &Entry)>) -> TokenStream {
    let mut signature = method.signature.clone();
    let mut inputs = Punctuated::new();
    let mut request = None;
    let mut bindings = TokenStream::new();
    for input in signature.inputs {
        match input {
            FnArg::Typed(mut parameter) if request.is_none() => {
                let (name, binding) = name_request(&mut parameter);
                request = Some((name, is_stream(&parameter.ty)));
                bindings.extend(binding);
                inputs.push(FnArg::Typed(parameter));
            }
            FnArg::Typed(parameter) => {
                bindings.extend(injected(service, &parameter, &method.signature, entry));
            }
            receiver @ FnArg::Receiver(_) => inputs.push(receiver),
        }
    }
    signature.inputs = inputs;
    let guard = match (entry, &request) {
        (Some(entry), Some((request, is_stream))) => {
            guard(service, &method.signature, entry, request, *is_stream)
        }
        _ => TokenStream::new(),
    };
    let krate = &service.krate;
    let body = match &method.body {
        Some(body) => body.clone(),
        None => quote!(#krate::__private::unreachable()),
    };
    let (attrs, visibility, inner_attrs) = (&method.attrs, &method.visibility, &method.inner_attrs);
    let mut block = Group::new(Delimiter::Brace, quote!(#(#inner_attrs)* #guard #bindings #body));
    block.set_span(method.braces);
    quote!(#(#attrs)* #visibility #signature #block)
}

/// The guard, and what the method requires beyond its rule. A function in a constant can use
/// nothing but its parameters, whatever names are in scope.
fn guard(
    service: &Service,
    signature: &Signature,
    (position, entry): (usize, &Entry),
    request: &Ident,
    is_stream: bool,
) -> TokenStream {
    let (krate, server) = (&service.krate, &service.server);
    let position = Literal::usize_unsuffixed(position);
    let guard = quote!(#krate::__private::guard::<#server<Self>, Self, #position>(&#request));
    let guard = or_return(krate, signature, &guard);
    if entry.requirements.is_empty() && signature.inputs.iter().filter(is_typed).count() == 1 {
        return quote!(#guard;);
    }
    let admitted = local("admitted");
    let requirement = |(position, predicate): (usize, &Expr)| {
        let position = Literal::usize_unsuffixed(position);
        let span = predicate.span();
        let admitted = Ident::new("admitted", Span::mixed_site().located_at(span));
        let require = if is_stream {
            quote_spanned!(span=> #admitted.require_of_claims_alone(#position, const { #predicate }))
        } else {
            quote_spanned!(span=> #admitted.require(#position, &#request, const { #predicate }))
        };
        let require = or_return(krate, signature, &require);
        quote!(#require;)
    };
    let predicates = entry.requirements.iter().map(|own| &own.predicate);
    let requirements = predicates.enumerate().map(requirement);
    quote! {
        let #admitted = #guard;
        #(#requirements)*
    }
}

/// A parameter that was asked for, as a binding; a method with a mistake has no guard to make it.
fn injected(
    service: &Service,
    parameter: &PatType,
    signature: &Signature,
    entry: Option<(usize, &Entry)>,
) -> TokenStream {
    let krate = &service.krate;
    let PatType { attrs, pat, ty, .. } = parameter;
    let Some((_, entry)) = entry else {
        return quote!(#(#attrs)* let #pat: #ty = #krate::__private::unreachable(););
    };
    let admitted = local("admitted");
    let inject = match entry.rule {
        Rule::AllowUnauthenticated => quote_spanned!(ty.span()=> inject_optional),
        Rule::Authenticated | Rule::RequireScopes(_) => quote_spanned!(ty.span()=> inject),
    };
    let inject = or_return(krate, signature, &quote!(#admitted.#inject()));
    quote!(#(#attrs)* let #pat: #ty = #inject;)
}

/// The value of a result, or the end of the method. After `async_trait` expanded it a method
/// returns a future.
fn or_return(krate: &Path, signature: &Signature, result: &TokenStream) -> TokenStream {
    if signature.asyncness.is_some() {
        return quote!(#result?);
    }
    quote! {
        match #result {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(status) => return #krate::__private::denied(status),
        }
    }
}

/// The name of the request. A pattern without one is bound after the guard has seen the request.
fn name_request(parameter: &mut PatType) -> (Ident, TokenStream) {
    if let Pat::Ident(pattern) = &*parameter.pat
        && pattern.by_ref.is_none()
        && pattern.subpat.is_none()
    {
        return (pattern.ident.clone(), TokenStream::new());
    }
    let name = local("request");
    let pattern = std::mem::replace(&mut *parameter.pat, syn::parse_quote!(#name));
    (name.clone(), quote!(let #pattern = #name;))
}

/// A name that cannot meet one of the user's.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

fn is_typed(input: &&FnArg) -> bool {
    matches!(input, FnArg::Typed(_))
}

/// The impl of `ProtectedService`: the policy, and the way into tonic's server.
fn policy(service: &Service, item: &Impl) -> TokenStream {
    let Service { krate, server, cfgs, .. } = service;
    let methods = item.items.iter().filter_map(|item| match item {
        Item::Method(method) => Some(method),
        Item::Other { .. } => None,
    });
    let positions = service.entries.iter().zip(methods).enumerate();
    let entries = positions.filter_map(|(position, (entry, method))| {
        let entry = entry.as_ref()?;
        let (cfgs, rpc, rule) = (&entry.cfgs, &entry.rpc, access_rule(&entry.rule));
        let position = Literal::usize_unsuffixed(position);
        let derived = entry.derived_from.is_some().then(|| quote!(.derived()));
        let kind = kind::of(&method.signature, &item.trait_path);
        let texts = entry.requirements.iter().map(|own| &own.text);
        let requiring =
            (!entry.requirements.is_empty()).then(|| quote!(.requiring(&[#(#texts),*])));
        Some(quote! {
            #(#cfgs)*
            __auth::entry(#position, #rpc, #rule) #derived .kind(#kind) #requiring
        })
    });
    let entries = quote!([#(#entries),*]);
    let entries = match &service.descriptor {
        Some(descriptor) => {
            quote!(__auth::named_by(#descriptor, <#server<Self> as __auth::NamedService>::NAME, #entries))
        }
        None => entries,
    };
    let header = &item.header;
    let (generics, self_ty) = (&header.generics, &header.self_ty);
    let where_clause = &generics.where_clause;
    quote! {
        #(#cfgs)*
        impl #generics #krate::ProtectedService<#server<Self>> for #self_ty #where_clause {
            const POLICY: #krate::policy::ServicePolicy = {
                #[allow(unused_imports)]
                use #krate::__private::{self as __auth, OneMessage as _, OtherConstant as _};
                __auth::policy::<#server<Self>>(&#entries)
            };

            fn into_server(service: #krate::__private::Arc<Self>) -> #server<Self> {
                <#server<Self>>::from_arc(service)
            }
        }
    }
}

fn access_rule(rule: &Rule) -> TokenStream {
    match rule {
        Rule::AllowUnauthenticated => quote!(__auth::allow_unauthenticated()),
        Rule::Authenticated => quote!(__auth::authenticated()),
        Rule::RequireScopes(scopes) => {
            let scopes = match scopes.as_slice() {
                [only] => scope_expr(only),
                several => group(&quote!(all), several),
            };
            quote!(__auth::require_scopes(#scopes))
        }
    }
}

fn scope_expr(expr: &ScopeExpr) -> TokenStream {
    match expr {
        ScopeExpr::Literal(scope) => quote_spanned!(scope.span()=> __auth::scope(#scope)),
        ScopeExpr::Constant(path) => {
            let scope = quote_spanned!(path.span()=> scope);
            quote!(__auth::Constant(#path).#scope())
        }
        ScopeExpr::All(scopes) => group(&quote!(all), scopes),
        ScopeExpr::Any(scopes) => group(&quote!(any), scopes),
    }
}

fn group(name: &TokenStream, scopes: &[ScopeExpr]) -> TokenStream {
    let scopes = scopes.iter().map(scope_expr);
    quote!(__auth::#name(&[#(#scopes),*]))
}

/// Methods of one RPC are alternatives, told apart by `cfg`: the compiler checks that they are.
fn unique_checks(service: &Service) -> TokenStream {
    let Service { krate, cfgs, .. } = service;
    let mut by_rpc: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
    let mut by_method: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
    for entry in service.entries.iter().flatten() {
        by_rpc.entry(entry.rpc.value()).or_default().push(entry);
        if let Some(method) = &entry.derived_from {
            by_method.entry(names::normalized(method)).or_default().push(entry);
        }
    }
    // Methods of one RPC name stand in the other map as well.
    by_method.retain(|_, entries| entries.windows(2).any(|pair| !has_one_rpc(pair)));
    let check = |entries: &Vec<&Entry>| {
        let [.., last] = entries.as_slice() else { return TokenStream::new() };
        let span = last.rpc.span();
        let krate = located_at(krate, span);
        let names = entries.iter().map(|entry| {
            let (cfgs, rpc) = (&entry.cfgs, &entry.rpc);
            quote!(#(#cfgs)* #rpc)
        });
        let names = quote!(&[#(#names),*]);
        quote_spanned! {span=>
            #(#cfgs)*
            const _: () = #krate::__private::check_unique(#names);
        }
    };
    by_rpc
        .values()
        .chain(by_method.values())
        .filter(|entries| entries.len() > 1)
        .map(check)
        .collect()
}

fn has_one_rpc(entries: &[&Entry]) -> bool {
    let [one, others @ ..] = entries else { return true };
    others.iter().all(|other| other.rpc.value() == one.rpc.value())
}

/// Independent of the type's parameters, so that the compiler evaluates it in any case. Each mistake
/// is reported at its method.
fn descriptor_check(service: &Service, item: &Impl) -> TokenStream {
    let Service { krate, server, cfgs, .. } = service;
    let Some(descriptor) = &service.descriptor else { return TokenStream::new() };
    let count = Literal::usize_unsuffixed(service.entries.len());
    let (mut names, mut checks) = (Vec::new(), Vec::new());
    for (position, entry) in service.entries.iter().enumerate() {
        let Some(entry) = entry else { continue };
        let (cfgs, position) = (&entry.cfgs, Literal::usize_unsuffixed(position));
        names.push(match &entry.derived_from {
            Some(method) => {
                let method = method.unraw().to_string();
                quote!(#(#cfgs)* __auth::MethodName::derived(#position, #method))
            }
            None => {
                let rpc = &entry.rpc;
                quote!(#(#cfgs)* __auth::MethodName::exact(#position, #rpc))
            }
        });
        checks.push(quote_spanned! {entry.rpc.span()=>
            #(#cfgs)* const _: () = __CHECK.method(#position);
        });
    }
    let check = quote_spanned! {descriptor.span()=>
        const __CHECK: __auth::DescriptorCheck<#count> = __auth::DescriptorCheck::new(
            #descriptor,
            <#server<()> as __auth::NamedService>::NAME,
            __METHODS,
        );
    };
    let trait_name = item.trait_path.segments.last().map_or_else(Span::call_site, Spanned::span);
    let rpcs = quote_spanned!(trait_name=> const _: () = __CHECK.rpcs(););
    quote! {
        #(#cfgs)*
        const _: () = {
            use #krate::__private as __auth;
            const __METHODS: &[__auth::MethodName] = &[#(#names),*];
            #check
            #(#checks)*
            #rpcs
        };
    }
}

/// The same path, for messages that point somewhere else.
fn located_at(path: &Path, span: Span) -> TokenStream {
    let locate = |mut tree: proc_macro2::TokenTree| {
        tree.set_span(span.resolved_at(tree.span()));
        tree
    };
    path.to_token_stream().into_iter().map(locate).collect()
}
