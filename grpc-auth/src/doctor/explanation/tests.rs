//! Each class has its words.

use super::*;
use crate::doctor::diagnosis::tests::every;

#[test]
fn each_class_is_one_sentence_of_cause_and_something_to_do() {
    let target = Target::parse("https://echo.example.com").unwrap();
    for diagnosis in every() {
        let Explanation { cause, fix } = explain(&diagnosis, &target);
        assert!(
            cause.ends_with('.') && cause.starts_with(|c: char| !c.is_lowercase() || c == 'e'),
            "{cause}"
        );
        assert_eq!(fix.is_none(), diagnosis.is_healthy(), "{cause}");
    }
}

#[test]
fn a_fix_repeats_what_is_to_be_pasted() {
    let target = Target::parse("https://10.0.0.1:8443").unwrap();
    let names = vec!["*.example.com".into(), "echo.example.com".into()];
    let text = explain(&Diagnosis::CertificateWrongName { names }, &target).fix.unwrap();
    assert!(text.contains("server_name(\"echo.example.com\")"), "{text}");
    let location = Some("https://login.example.com/path".into());
    let text = explain(&Diagnosis::Redirect { status: 302, location }, &target).fix.unwrap();
    assert!(text.contains("`https://login.example.com`"), "{text}");
}
