//! Which sides of a method are streams: the compiler finds it out from the types, whatever they are
//! called.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{FnArg, Path, ReturnType, Signature};

/// An expression for the kind of the method's RPC.
pub(crate) fn of(signature: &Signature, trait_path: &Path) -> TokenStream {
    let request = signature.inputs.iter().find_map(|input| match input {
        FnArg::Typed(parameter) => Some(parameter.ty.to_token_stream()),
        FnArg::Receiver(_) => None,
    });
    let response = match &signature.output {
        ReturnType::Type(_, ty) => ty.to_token_stream(),
        ReturnType::Default => quote!(()),
    };
    let [request, response] = [request.unwrap_or_else(|| quote!(())), response]
        .map(|ty| outside_of_method(ty, trait_path));
    quote!(__auth::kind(__auth::Side::<#request>::STREAMS, __auth::Side::<#response>::STREAMS))
}

/// The same type where the method's lifetimes are not known, nor which trait `Self::ChatStream` is
/// of.
fn outside_of_method(ty: TokenStream, trait_path: &Path) -> TokenStream {
    let mut output = TokenStream::new();
    let mut trees = ty.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Ident(name) if name == "Self" && is_colon(trees.peek()) => {
                output.extend(quote!(<#name as #trait_path>));
            }
            TokenTree::Punct(mark) if mark.as_char() == '\'' => {
                output.extend([TokenTree::Punct(mark)]);
                let name = trees.next().map_or_else(Span::call_site, |name| name.span());
                output.extend([Ident::new("static", name)]);
            }
            TokenTree::Group(group) => {
                let inner = outside_of_method(group.stream(), trait_path);
                let mut same = Group::new(group.delimiter(), inner);
                same.set_span(group.span());
                output.extend([TokenTree::Group(same)]);
            }
            other => output.extend([other]),
        }
    }
    output
}

fn is_colon(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Punct(mark)) if mark.as_char() == ':')
}
