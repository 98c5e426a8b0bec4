//! Reading an impl. Signatures are parsed, bodies stay tokens: they are the compiler's business,
//! and a thousand of them cost nothing here.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Error, FnArg, Ident, ImplItem, ItemImpl, Path, Signature, Token, Visibility, token,
};

use crate::diagnostics::{self, Errors};

/// An impl as the user wrote it.
pub(crate) struct Impl {
    /// Without its items.
    pub(crate) header: ItemImpl,
    pub(crate) trait_path: Path,
    pub(crate) items: Vec<Item>,
    pub(crate) braces: Group,
}

pub(crate) enum Item {
    Method(Box<Method>),
    /// A type, a constant, a macro call: emitted as it came.
    Other {
        attrs: Vec<Attribute>,
        tokens: TokenStream,
        kind: OtherItem,
    },
}

pub(crate) enum OtherItem {
    /// A type or a constant.
    Associated,
    /// A macro call, which may make methods.
    Macro,
    /// `default fn`, and what Rust may have one day: perhaps a method.
    Unknown,
}

/// A method with its body unread.
pub(crate) struct Method {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// Parameters are missing in `signature`, since they could not be parsed.
    pub(crate) lacks_parameters: bool,
    pub(crate) inner_attrs: Vec<Attribute>,
    /// `None` while it is not written yet.
    pub(crate) body: Option<TokenStream>,
    pub(crate) braces: Span,
}

/// The arguments of `#[protect]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) server: Option<Path>,
    pub(crate) krate: Option<Path>,
    pub(crate) descriptor: Option<Path>,
}

impl Impl {
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Result<Self, Error> {
        let mut trees: Vec<_> = tokens.clone().into_iter().collect();
        let Some(TokenTree::Group(braces)) = trees.pop() else {
            return Err(diagnostics::not_a_trait_impl(first_line(tokens)));
        };
        // Everything before the braces is read by syn, as the header of an empty impl.
        let empty = TokenTree::Group(Group::new(Delimiter::Brace, TokenStream::new()));
        let shell = trees.into_iter().chain([empty]).collect();
        let is_impl = braces.delimiter() == Delimiter::Brace && starts_with_impl(&tokens);
        if !is_impl {
            return Err(diagnostics::not_a_trait_impl(first_line(tokens)));
        }
        let header: ItemImpl = syn::parse2(shell)?;
        let Some((trait_path, _)) = header.trait_.clone() else {
            return Err(diagnostics::inherent_impl(&header.self_ty));
        };
        if header.modifiers.require_empty().is_err() {
            return Err(diagnostics::negative_impl(&trait_path));
        }
        let items = (|input: ParseStream<'_>| Ok(items(input, errors))).parse2(braces.stream())?;
        Ok(Self { header, trait_path, items, braces })
    }
}

/// Reads every item that can be read. An unfinished item is reported and left out, so that the other
/// methods keep their guards while the user types.
fn items(input: ParseStream<'_>, errors: &mut Errors) -> Vec<Item> {
    let mut items = Vec::new();
    while !input.is_empty() {
        let ahead = input.fork();
        match item(&ahead, errors) {
            Ok(item) => {
                input.advance_to(&ahead);
                items.push(item);
            }
            Err(error) => {
                errors.push(diagnostics::unfinished_item(&error));
                skip_item(input);
            }
        }
    }
    items
}

fn item(input: ParseStream<'_>, errors: &mut Errors) -> Result<Item, Error> {
    let start = input.fork();
    let attrs = input.call(Attribute::parse_outer)?;
    let visibility = input.parse()?;
    if !is_function(input) {
        return other_item(&start, input, attrs);
    }
    let (signature, lacks_parameters) = match signature(input)? {
        (signature, None) => (signature, false),
        (signature, Some(error)) => {
            errors.push(error);
            (signature, true)
        }
    };
    let (inner_attrs, body, braces);
    if input.peek(token::Brace) {
        let content;
        braces = syn::braced!(content in input).span.join();
        inner_attrs = content.call(Attribute::parse_inner)?;
        body = Some(content.parse()?);
    } else {
        input.parse::<Option<Token![;]>>()?;
        errors.push(diagnostics::no_body(&signature.ident));
        (inner_attrs, body, braces) = (Vec::new(), None, signature.ident.span());
    }
    Ok(Item::Method(Box::new(Method {
        attrs,
        visibility,
        signature,
        lacks_parameters,
        inner_attrs,
        body,
        braces,
    })))
}

/// Reads a signature. If its parameters cannot be parsed, those before the mistake are kept, and the
/// error is returned beside them.
fn signature(input: ParseStream<'_>) -> Result<(Signature, Option<Error>), Error> {
    let ahead = input.fork();
    let error = match ahead.parse() {
        Ok(signature) => {
            input.advance_to(&ahead);
            return Ok((signature, None));
        }
        Err(error) => error,
    };
    let mut trees: Vec<TokenTree> = Vec::new();
    while !input.is_empty() && !input.peek(token::Brace) && !input.peek(Token![;]) {
        trees.push(match input.parse()? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
                let parameters = parameters_before_mistake.parse2(group.stream())?;
                TokenTree::Group(Group::new(Delimiter::Parenthesis, parameters))
            }
            tree => tree,
        });
    }
    match syn::parse2(trees.into_iter().collect()) {
        Ok(signature) => Ok((signature, Some(error))),
        Err(_) => Err(error),
    }
}

fn parameters_before_mistake(input: ParseStream<'_>) -> Result<TokenStream, Error> {
    let mut parameters = Punctuated::<FnArg, Token![,]>::new();
    loop {
        let ahead = input.fork();
        let Ok(parameter) = ahead.parse() else { break };
        if !ahead.is_empty() && !ahead.peek(Token![,]) {
            break;
        }
        parameters.push(parameter);
        if ahead.parse::<Token![,]>().is_err() {
            break;
        }
        input.advance_to(&ahead);
    }
    input.parse::<TokenStream>()?;
    Ok(parameters.into_token_stream())
}

/// Skips an item that cannot be read: up to its braces or its semicolon, or to what looks like the
/// beginning of the next item.
fn skip_item(input: ParseStream<'_>) {
    let starts_item = |input: ParseStream<'_>| {
        input.peek(Token![#])
            || input.peek(Token![pub])
            || input.peek(Token![type])
            || input.peek(Token![const])
            || is_function(input)
    };
    let _ = input.call(Attribute::parse_outer);
    let _ = input.parse::<Visibility>();
    let mut is_head = true;
    while is_head || !starts_item(input) {
        // `async` and the like begin the item that is skipped.
        is_head = is_head && is_function(input) && !input.peek(Token![fn]);
        match input.parse() {
            Ok(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => return,
            Ok(TokenTree::Punct(mark)) if mark.as_char() == ';' => return,
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn is_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    loop {
        if ahead.peek(Token![fn]) {
            return true;
        }
        let qualifier = ahead.peek(Token![async])
            || ahead.peek(Token![unsafe])
            || ahead.peek(Token![extern])
            || ahead.peek(Token![const])
            || ahead.peek(syn::LitStr);
        if !qualifier || ahead.parse::<TokenTree>().is_err() {
            return false;
        }
    }
}

/// Reads an item again from its start, as syn knows it.
fn other_item(
    start: ParseStream<'_>,
    input: ParseStream<'_>,
    attrs: Vec<Attribute>,
) -> Result<Item, Error> {
    let is_associated = input.peek(Token![type]) || input.peek(Token![const]);
    let item: ImplItem = start.parse()?;
    input.advance_to(start);
    let kind = match item {
        _ if is_associated => OtherItem::Associated,
        ImplItem::Macro(_) => OtherItem::Macro,
        _ => OtherItem::Unknown,
    };
    Ok(Item::Other { attrs, tokens: item.into_token_stream(), kind })
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let mut options = Self::default();
        while !input.is_empty() {
            let name = input.call(Ident::parse_any)?;
            let slot = match name.to_string().as_str() {
                "server" => &mut options.server,
                "crate" => &mut options.krate,
                "descriptor" => &mut options.descriptor,
                _ => return Err(diagnostics::unknown_option(&name)),
            };
            input.parse::<Token![=]>()?;
            if slot.replace(input.call(Path::parse_mod_style)?).is_some() {
                return Err(diagnostics::twice(&name));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

/// `impl`, whatever attributes stand before it.
fn starts_with_impl(tokens: &TokenStream) -> bool {
    let header = |input: ParseStream<'_>| {
        input.call(Attribute::parse_outer)?;
        let is_impl = input.peek(Token![impl])
            || (input.peek(Token![unsafe]) && input.peek2(Token![impl]))
            || (input.peek(Token![default]) && input.peek2(Token![impl]));
        input.parse::<TokenStream>()?;
        Ok(is_impl)
    };
    header.parse2(tokens.clone()).unwrap_or(false)
}

/// The tokens before the first group in braces or parentheses: enough to point at.
fn first_line(tokens: TokenStream) -> TokenStream {
    let is_body = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() != Delimiter::Bracket,
        _ => false,
    };
    tokens.into_iter().take_while(|tree| !is_body(tree)).collect()
}
