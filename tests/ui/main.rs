//! What compiles, what does not, and what the compiler says then. `tests/README.md` tells how to
//! bless new words.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/*/fail/*.rs");
    cases.pass("ui/*/pass/*.rs");
}
