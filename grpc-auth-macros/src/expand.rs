//! Writing the code: the user's impl with a guard in each method, then the table.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{AttrStyle, Expr, FnArg, Pat, PatType, Path};

use crate::attr;
use crate::diagnostics::Errors;
use crate::kind;
use crate::model::{Row, Service};
use crate::parse::{Impl, Item, Method, Options};
use crate::requirement::is_stream;
use crate::rule::{Rule, ScopeExpr};

/// Expands `#[protect]`. The user's impl is always emitted, so that one mistake gives one message.
pub(crate) fn protect(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options: Options = errors.take(syn::parse2(options)).unwrap_or_default();
    let Some(mut parsed) = errors.take(Impl::parse(item.clone())) else {
        let mut output = errors.to_compile_error();
        output.extend(attr::without_rules(item));
        return output;
    };
    let service = Service::new(options, &mut parsed, &mut errors);
    let mut output = errors.to_compile_error();
    output.extend(user_impl(&service, &parsed));
    output.extend(table(&service, &parsed));
    // A method with a mistake has no row to compare.
    if errors.is_empty() {
        output.extend(unique_checks(&service));
        output.extend(descriptor_check(&service));
    }
    output
}

fn user_impl(service: &Service, item: &Impl) -> TokenStream {
    let mut rows = service.rows.iter().enumerate();
    let items: TokenStream = item
        .items
        .iter()
        .map(|item| match item {
            Item::Method(item) => match rows.next() {
                Some((position, Some(row))) => method(service, item, Some((position, row))),
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
fn method(service: &Service, method: &Method, row: Option<(usize, &Row)>) -> TokenStream {
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
            FnArg::Typed(parameter) => bindings.extend(injected(service, &parameter, row)),
            receiver @ FnArg::Receiver(_) => inputs.push(receiver),
        }
    }
    signature.inputs = inputs;
    let has_injected = method.signature.inputs.iter().filter(is_typed).count() > 1;
    let guard = match (row, &request) {
        (Some((position, row)), Some((request, is_stream))) => {
            let is_asked = has_injected || !row.requirements.is_empty();
            let guard = guard(service, position, request, is_asked);
            let requirements = requirements(row, request, *is_stream);
            quote!(#guard #requirements)
        }
        _ => TokenStream::new(),
    };
    let (attrs, visibility) = (&method.attrs, &method.visibility);
    let (inner_attrs, body) = (&method.inner_attrs, &method.body);
    let mut block = Group::new(Delimiter::Brace, quote!(#(#inner_attrs)* #guard #bindings #body));
    block.set_span(method.braces.span.join());
    quote!(#(#attrs)* #visibility #signature #block)
}

fn guard(service: &Service, position: usize, request: &Ident, is_asked: bool) -> TokenStream {
    let (krate, server) = (&service.krate, &service.server);
    let position = Literal::usize_unsuffixed(position);
    let enter = quote! {
        #krate::__private::enter(
            const { #krate::__private::row::<#server<Self>, Self>(#position) },
            &#request,
        )
    };
    if !is_asked {
        return quote! {
            if let ::core::result::Result::Err(refusal) = #enter {
                return refusal;
            }
        };
    }
    let admitted = local("admitted");
    quote! {
        let #admitted = match #enter {
            ::core::result::Result::Ok(admitted) => admitted,
            ::core::result::Result::Err(refusal) => return refusal,
        };
    }
}

/// What the method requires beyond its rule. A function in a constant can use nothing but its
/// parameters, whatever names are in scope.
fn requirements(row: &Row, request: &Ident, is_stream: bool) -> TokenStream {
    let requirement = |(position, predicate): (usize, &Expr)| {
        let position = Literal::usize_unsuffixed(position);
        let span = predicate.span();
        let admitted = Ident::new("admitted", Span::mixed_site().located_at(span));
        let require = if is_stream {
            quote_spanned!(span=> #admitted.require_of_claims_alone(#position, const { #predicate }))
        } else {
            quote_spanned!(span=> #admitted.require(#position, &#request, const { #predicate }))
        };
        quote! {
            if let ::core::result::Result::Err(refusal) = #require {
                return refusal;
            }
        }
    };
    row.requirements.iter().map(|own| &own.predicate).enumerate().map(requirement).collect()
}

/// A parameter that was asked for, as a binding; a method with a mistake has no guard to make it.
fn injected(service: &Service, parameter: &PatType, row: Option<(usize, &Row)>) -> TokenStream {
    let krate = &service.krate;
    let PatType { attrs, pat, ty, .. } = parameter;
    let Some((_, row)) = row else {
        return quote!(#(#attrs)* let #pat: #ty = #krate::__private::unreachable(););
    };
    let inject = match row.rule {
        Rule::AllowUnauthenticated => quote_spanned!(ty.span()=> inject_optional::<#ty, _>),
        Rule::Authenticated | Rule::RequireScopes(_) => {
            quote_spanned!(ty.span()=> inject::<#ty, _>)
        }
    };
    let admitted = local("admitted");
    quote! {
        #(#attrs)*
        let #pat: #ty = match #admitted.#inject() {
            ::core::result::Result::Ok(injected) => injected,
            ::core::result::Result::Err(refusal) => return refusal,
        };
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

/// The impl of `ProtectedService`: the table, and the way into tonic's server.
fn table(service: &Service, item: &Impl) -> TokenStream {
    let Service { krate, server, cfgs, .. } = service;
    let methods = item.items.iter().filter_map(|item| match item {
        Item::Method(method) => Some(method),
        Item::Other { .. } => None,
    });
    let rows =
        service.rows.iter().zip(methods).enumerate().filter_map(|(position, (row, method))| {
            let row = row.as_ref()?;
            let (cfgs, rpc, rule) = (&row.cfgs, &row.rpc, access_rule(krate, &row.rule));
            let position = Literal::usize_unsuffixed(position);
            // A descriptor proves that the name is the RPC's.
            let is_guessed = row.derived_from.is_some() && service.descriptor.is_none();
            let derived = is_guessed.then(|| quote!(.derived()));
            let kind = kind::of(&method.signature, krate, &item.trait_path);
            let texts = row.requirements.iter().map(|own| &own.text);
            let requiring =
                (!row.requirements.is_empty()).then(|| quote!(.requiring(&[#(#texts),*])));
            Some(quote! {
                #(#cfgs)*
                #krate::policy::MethodPolicy::annotated(#position, #rpc, #rule)
                    #derived
                    .kind(#kind)
                    #requiring
            })
        });
    let header = &item.header;
    let (generics, self_ty) = (&header.generics, &header.self_ty);
    let where_clause = &generics.where_clause;
    quote! {
        #(#cfgs)*
        impl #generics #krate::ProtectedService<#server<Self>> for #self_ty #where_clause {
            const POLICY: #krate::policy::ServicePolicy = {
                #[allow(unused_imports)]
                use #krate::__private::OneMessage as _;
                #krate::policy::ServicePolicy::annotated(
                    <#server<Self> as #krate::__private::NamedService>::NAME,
                    &[#(#rows),*],
                )
            };

            fn into_server(service: #krate::__private::Arc<Self>) -> #server<Self> {
                <#server<Self>>::from_arc(service)
            }
        }
    }
}

fn access_rule(krate: &Path, rule: &Rule) -> TokenStream {
    let rule = match rule {
        Rule::AllowUnauthenticated => quote!(AllowUnauthenticated),
        Rule::Authenticated => quote!(Authenticated),
        Rule::RequireScopes(rules) => {
            let rule = match rules.as_slice() {
                [only] => scope_rule(krate, only),
                several => group(krate, &quote!(All), several),
            };
            quote!(RequireScopes(#rule))
        }
    };
    quote!(#krate::policy::AccessRule::#rule)
}

fn scope_rule(krate: &Path, rule: &ScopeExpr) -> TokenStream {
    match rule {
        ScopeExpr::Literal(scope) => {
            quote!(#krate::policy::ScopeExpr::Scope(#krate::Scope::from_static(#scope)))
        }
        ScopeExpr::Constant(path) => quote!(#krate::policy::ScopeExpr::Scope(#path)),
        ScopeExpr::All(rules) => group(krate, &quote!(All), rules),
        ScopeExpr::Any(rules) => group(krate, &quote!(Any), rules),
    }
}

fn group(krate: &Path, variant: &TokenStream, rules: &[ScopeExpr]) -> TokenStream {
    let rules = rules.iter().map(|rule| scope_rule(krate, rule));
    quote!(#krate::policy::ScopeExpr::#variant(&[#(#rules),*]))
}

/// Methods of one RPC are alternatives, told apart by `cfg`: the compiler checks that they are.
fn unique_checks(service: &Service) -> TokenStream {
    let Service { krate, cfgs, .. } = service;
    let mut by_rpc: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    let mut by_method: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in service.rows.iter().flatten() {
        by_rpc.entry(row.rpc.value()).or_default().push(row);
        if let Some(name) = &row.derived_from {
            by_method.entry(name).or_default().push(row);
        }
    }
    // Methods of one RPC name stand in the other map as well.
    by_method.retain(|_, rows| rows.windows(2).any(|pair| !has_one_rpc(pair)));
    let check = |rows: &Vec<&Row>| {
        let [.., last] = rows.as_slice() else { return TokenStream::new() };
        let span = last.rpc.span();
        let krate = located_at(krate, span);
        let names = rows.iter().map(|row| {
            let (cfgs, rpc) = (&row.cfgs, &row.rpc);
            quote!(#(#cfgs)* #rpc)
        });
        let names = quote!(&[#(#names),*]);
        quote_spanned! {span=>
            #(#cfgs)*
            const _: () = #krate::__private::check_unique(#names);
        }
    };
    by_rpc.values().chain(by_method.values()).filter(|rows| rows.len() > 1).map(check).collect()
}

fn has_one_rpc(rows: &[&Row]) -> bool {
    let [one, others @ ..] = rows else { return true };
    others.iter().all(|other| other.rpc.value() == one.rpc.value())
}

/// Independent of the type's parameters, so that the compiler evaluates it in any case.
fn descriptor_check(service: &Service) -> TokenStream {
    let Service { krate, server, cfgs, .. } = service;
    let Some(descriptor) = &service.descriptor else { return TokenStream::new() };
    let names = service.rows.iter().flatten().map(|row| {
        let (cfgs, rpc) = (&row.cfgs, &row.rpc);
        quote!(#(#cfgs)* #rpc)
    });
    let rows = quote!(&[#(#names),*]);
    let krate = located_at(krate, descriptor.span());
    quote_spanned! {descriptor.span()=>
        #(#cfgs)*
        const _: () = #krate::__private::check_descriptor(
            #descriptor,
            <#server<()> as #krate::__private::NamedService>::NAME,
            #rows,
        );
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
