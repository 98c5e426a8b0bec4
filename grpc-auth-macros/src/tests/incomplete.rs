//! An impl while it is being written: the methods beside an unfinished item keep their guards and
//! their entries, and the item is reported.

use proc_macro2::TokenStream;

const BEFORE: &str = "#[require_scopes(\"r\")] async fn alpha(&self, r: Request<()>, caller: Principal) \
                      -> Result<Response<()>, Status> { one() }";
const AFTER: &str = "#[authenticated] async fn omega(&self, r: Request<()>) \
                     -> Result<Response<()>, Status> { two() }";

/// What an impl expands to whose second item is `item`.
fn expand(item: &str) -> String {
    let item = format!("#[tonic::async_trait] impl Echo for S {{ {BEFORE} {item} {AFTER} }}");
    let item: TokenStream = item.parse().unwrap();
    crate::expand::protect(TokenStream::new(), item).to_string()
}

/// The number of guards beside those of `alpha` and `omega`, which have to be there, and the
/// messages.
fn guards_and_errors(item: &str) -> (usize, Vec<String>) {
    let expanded = expand(item);
    let file = syn::parse_str::<syn::File>(&expanded).unwrap_or_else(|_| panic!("{expanded}"));
    let text = prettyplease::unparse(&file);
    for part in [
        "async fn alpha(&self, r: Request<()>) -> Result<Response<()>, Status>",
        "let caller: Principal = admitted.inject()?",
        "async fn omega(",
        "__auth::entry(0, \"Alpha\", __auth::require_scopes(__auth::scope(\"r\")))",
        "\"Omega\", __auth::authenticated())",
        "impl ::grpc_auth::ProtectedService<EchoServer<Self>> for S",
    ] {
        let (part, text): (String, String) = (without_space(part), without_space(&text));
        assert!(text.contains(&part), "`{part}` is missing for `{item}`: {text}");
    }
    let errors = expanded.split("compile_error ! { ").skip(1);
    let errors = errors.map(|rest| rest.split("\\n").next().unwrap_or(rest).to_owned()).collect();
    (expanded.matches("guard :: <").count() - 2, errors)
}

fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn an_unfinished_item_leaves_the_guards_of_the_others() {
    const MID: &str = "#[authenticated] async fn mid";
    const RETURNS: &str = "-> Result<Response<()>, Status>";
    for (item, guards, error) in [
        (format!("{MID}(&self, r: Request<()>) {RETURNS}"), 1, "method `mid` has no body"),
        (format!("{MID}(&self, r: Request<()>) {RETURNS};"), 1, "method `mid` has no body"),
        (format!("{MID}(&self, r: ) {RETURNS} {{ three() }}"), 0, "expected"),
        (format!("{MID}(&self, r: Request<()>, caller: ) {RETURNS} {{ three() }}"), 1, "expected"),
        (format!("{MID}(&self, r: Request<()>, caller) {RETURNS} {{ three() }}"), 1, "expected"),
        (format!("{MID}(&self, r: Request<()>) -> {{ three() }}"), 0, "expected"),
        (format!("{MID}() {{ three() }}"), 0, "method `mid` takes no request"),
        (MID.into(), 0, "cannot read this item: expected parentheses"),
        ("#[authenticated] async fn".into(), 0, "expected identifier"),
        ("asy".into(), 0, "cannot read this item: expected"),
        ("#[] async".into(), 0, "expected"),
        ("type FooStream = ;".into(), 0, "expected"),
        ("type FooStream".into(), 0, "expected"),
        ("self.foo();".into(), 0, "expected"),
        ("let x = 1;".into(), 0, "expected"),
        ("#[authenticated] pub async fn (&self) {}".into(), 0, "expected identifier"),
    ] {
        let (found, errors) = guards_and_errors(&item);
        assert_eq!(found, guards, "{item}: {errors:?}");
        let [only] = errors.as_slice() else { panic!("{item}: {errors:?}") };
        assert!(only.contains(error), "{item}: {only}");
    }
}

/// The compiler reads bodies, and says of them what is wrong.
#[test]
fn an_unfinished_body_is_no_mistake_of_the_impl() {
    for body in ["self.", "let x =", "match x { Some() => }", "if let Some() ="] {
        let method = "#[authenticated] async fn mid(&self, r: Request<()>) -> Result<R, Status>";
        let expanded = expand(&format!("{method} {{ {body} }}"));
        assert_eq!(expanded.matches("guard :: <").count(), 3, "{body}");
        assert!(!expanded.contains("compile_error"), "{body}: {expanded}");
    }
}

/// A mistake in a rule takes one guard away: that of its method.
#[test]
fn a_mistake_in_a_rule_leaves_the_guards_of_the_others() {
    for rule in [
        "",
        "#[require_scopes]",
        "#[require_scopes()]",
        "#[require_scopes(any)]",
        "#[require_scopes(any())]",
        "#[require_scopes(\"a\" \"b\")]",
        "#[require_scopes(scopes::)]",
        "#[require_scopes(\"a\", rpc = )]",
        "#[require_roles(\"admin\")]",
        "#[authenticated] #[require(|c: &Claims<T>, m| )]",
    ] {
        let signature = "async fn mid(&self, r: Request<()>) -> Result<Response<()>, Status>";
        let (_, errors) = guards_and_errors(&format!("{rule} {signature} {{ three() }}"));
        // `any` without parentheses may be a constant.
        assert_eq!(errors.len(), usize::from(!rule.contains("(any)")), "{rule}: {errors:?}");
    }
}
