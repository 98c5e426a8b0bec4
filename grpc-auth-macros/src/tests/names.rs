//! Every name that a `.proto` file can give an RPC is found from the Rust name that tonic makes of it.

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::Span;
use proptest::prelude::*;
use syn::Ident;

use crate::names::{normalized, rpc_name};

/// As tonic and prost do it: snake case, and a raw identifier or a trailing `_` for a keyword.
fn rust_name(rpc: &str) -> Ident {
    let snake = rpc.to_snake_case();
    match syn::parse_str::<Ident>(&snake) {
        Ok(ident) => ident,
        Err(_) if matches!(snake.as_str(), "self" | "super" | "crate" | "extern" | "_") => {
            Ident::new(&format!("{snake}_"), Span::call_site())
        }
        Err(_) if snake.starts_with(|c: char| c.is_ascii_digit()) => {
            Ident::new(&format!("_{snake}"), Span::call_site())
        }
        Err(_) => Ident::new_raw(&snake, Span::call_site()),
    }
}

fn without_underscores_and_case(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

fn check(rpc: &str) {
    let method = rust_name(rpc);
    let wanted = without_underscores_and_case(rpc);
    // The layer and the descriptor's check compare the guess with the path in this way.
    assert_eq!(without_underscores_and_case(&rpc_name(&method).value()), wanted, "{rpc}");
    // The macro compares methods of one impl in this way.
    assert_eq!(normalized(&method), wanted, "{rpc}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_name_of_an_rpc_is_found(rpc in "[A-Za-z_]{0,2}[A-Za-z][A-Za-z0-9_]{0,24}") {
        check(&rpc);
    }

    #[test]
    fn the_name_of_an_rpc_with_acronyms_is_found(
        words in prop::collection::vec("[A-Z][a-z]{1,6}|[A-Z]{2,5}|[A-Z][0-9]{1,3}|[a-z]{1,3}", 1..5)
    ) {
        check(&words.concat());
    }
}

/// Kinds of names in public projects of which Rust's name does not tell the spelling.
#[test]
fn names_of_public_projects_are_found() {
    for rpc in [
        "GetURL",
        "ListVMs",
        "GetHTTPInfo",
        "SetACLs",
        "getV2Item",
        "do_thing",
        "S3Upload",
        "ABTest",
        "IAm",
        "GetX509SVID",
        "Echo2",
        "UDPEcho",
        "List_Items",
        "Move",
        "Self",
        "Type",
        "Crate",
        "async",
        "OAuth2Token",
        "Get3D",
        "_Hidden",
        "x",
        "TLSv1_3",
    ] {
        check(rpc);
    }
}

/// Names that are spelled as most are have exactly their own.
#[test]
fn a_name_in_camel_case_is_its_own() {
    for rpc in ["GetItem", "UnaryEcho", "Move", "ListOrdersByDay", "Check"] {
        assert_eq!(rpc.to_upper_camel_case(), rpc);
        assert_eq!(rpc_name(&rust_name(rpc)).value(), rpc);
    }
}
