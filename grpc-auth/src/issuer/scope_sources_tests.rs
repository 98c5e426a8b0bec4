use serde_json::{Value, json};

use super::*;
use crate::json;

fn grants(sources: &[ScopeSource], claims: Value) -> Result<Vec<String>, GrantsError> {
    let claims = claims.to_string();
    let claims: Node<'_> = json::read(claims.as_bytes()).unwrap();
    let find = |position: usize| claims.at(&sources[position].names());
    unite(sources, find).map(|grants| grants.iter().map(ToOwned::to_owned).collect())
}

#[test]
fn declared_claims_are_united() {
    let sources = [
        ScopeSource::words("/scope"),
        ScopeSource::array("/permissions"),
        ScopeSource::array("/realm_access/roles").prefixed("role:"),
    ];
    let claims = json!({
        "scope": "b  a", "permissions": ["a", "c"], "realm_access": {"roles": ["a"]},
        "roles": ["undeclared"],
    });
    assert_eq!(grants(&sources, claims).unwrap(), ["a", "b", "c", "role:a"]);
    // A scope that anyone may ask for does not make a role.
    let claims = json!({"scope": "role:a role:", "realm_access": {"roles": ["b"]}});
    assert_eq!(grants(&sources, claims).unwrap(), ["role:b"]);
    let escaped = [ScopeSource::array("/https:~1~1a.example~1roles")];
    let claims = json!({"https://a.example/roles": ["x"]});
    assert_eq!(grants(&escaped, claims).unwrap(), ["x"]);
    assert_eq!(grants(&sources, json!({})).unwrap(), [""; 0]);
}

#[test]
fn another_form_than_declared_is_refused_rather_than_guessed() {
    let words = ScopeSource::words("/scope");
    let array = ScopeSource::array("/scope");
    let either = ScopeSource::words_or_array("/scope");
    let names = ScopeSource::member_names("/scope");
    let map = ScopeSource::map("/scope", [("a", ["b"])]);
    const MIXED: &str = "an array with something else than strings";
    const EITHER: &str = "a string of words or an array of strings";
    const TEXTS: &str = "a string or an array of strings";
    for (source, value, found, expected) in [
        (&words, json!(["a"]), "an array", "a string of words"),
        (&words, json!(1), "a number", "a string of words"),
        (&array, json!("a"), "a string", "an array of strings"),
        (&array, json!(["a", 1]), MIXED, "an array of strings"),
        (&array, json!(["a", null]), MIXED, "an array of strings"),
        (&either, json!({"a": 1}), "an object", EITHER),
        (&either, json!(true), "a boolean", EITHER),
        (&either, json!(["a", ["b"]]), MIXED, EITHER),
        (&names, json!(["a"]), "an array", "an object"),
        (&names, json!("a"), "a string", "an object"),
        (&map, json!(1), "a number", TEXTS),
        (&map, json!({"a": 1}), "an object", TEXTS),
        (&map, json!(["a", 1]), MIXED, TEXTS),
    ] {
        let pointer = "/scope".to_owned();
        let error = Err(GrantsError::Form { pointer, found, expected });
        let sources = std::slice::from_ref(source);
        assert_eq!(grants(sources, json!({"scope": value})), error, "{source:?} {value}");
    }
}

#[test]
fn null_and_what_is_missing_grant_nothing() {
    for source in [
        ScopeSource::words("/scope"),
        ScopeSource::array("/scope"),
        ScopeSource::words_or_array("/scope"),
        ScopeSource::member_names("/scope"),
        ScopeSource::map("/scope", [("", ["b"])]),
    ] {
        let sources = [source];
        assert_eq!(grants(&sources, json!({"scope": null})).unwrap(), [""; 0]);
        assert_eq!(grants(&sources, json!({})).unwrap(), [""; 0]);
    }
}

/// A string in one token and an array in the next; the roles of Zitadel.
#[test]
fn either_form_and_member_names_grant() {
    let either = [ScopeSource::words_or_array("/scope")];
    for value in [json!("b a"), json!(["a", "b"])] {
        assert_eq!(grants(&either, json!({"scope": value})).unwrap(), ["a", "b"]);
    }
    let names = [ScopeSource::member_names("/urn:zitadel:iam:org:project:roles")];
    let roles = json!({"admin": {"1": "a.example"}, "user": {}, "off": false, "none": null});
    let claims = json!({"urn:zitadel:iam:org:project:roles": roles});
    assert_eq!(grants(&names, claims).unwrap(), ["admin", "user"]);
}

#[test]
fn a_map_grants_what_the_operator_lists_for_exactly_this_value() {
    let sources = [
        ScopeSource::map(
            "/sub",
            [
                ("system:serviceaccount:shop:orders", vec!["read", "role:writer"]),
                ("system:serviceaccount:shop:web", vec!["read"]),
            ],
        ),
        ScopeSource::words("/scope").prefixed("role:"),
    ];
    let of = |sub: Value| grants(&sources, json!({"sub": sub})).unwrap();
    assert_eq!(of(json!("system:serviceaccount:shop:orders")), ["read", "role:writer"]);
    assert_eq!(of(json!(["x", "system:serviceaccount:shop:web"])), ["read"]);
    for other in ["", "SYSTEM:serviceaccount:shop:web", "system:serviceaccount:shop:web2", "*"] {
        assert_eq!(of(json!(other)), [""; 0], "{other}");
    }
    let prefixed = [ScopeSource::map("/sub", [("a", ["b"])]).prefixed("workload:")];
    assert_eq!(grants(&prefixed, json!({"sub": "a"})).unwrap(), ["workload:b"]);
}

/// What a claim grants without a prefix is no grant of another claim with that prefix.
#[test]
fn no_form_poses_as_another_claims_grant() {
    let roles = ScopeSource::array("/roles").prefixed("role:");
    for source in [
        ScopeSource::words("/scope"),
        ScopeSource::words_or_array("/scope"),
        ScopeSource::member_names("/names"),
    ] {
        let claims = json!({"scope": "role:admin a", "names": {"role:admin": 1, "a": 1}});
        assert_eq!(grants(&[source, roles.clone()], claims).unwrap(), ["a"]);
    }
}

#[test]
fn sources_that_cannot_grant_are_refused() {
    let map = |grants: &[(&str, &[&str])]| {
        let owned = grants.iter().map(|(value, scopes)| (*value, scopes.iter().copied()));
        ScopeSource::map("/sub", owned).check().map_err(|error| error.to_string())
    };
    assert_eq!(map(&[("a", &["b"])]), Ok(()));
    for (grants, text) in [
        (&[][..], "write at least one value"),
        (&[("a", &[][..])], "write at least one value"),
        (&[("a", &["b c"])], "the scope \"b c\" cannot be used"),
        (&[("a", &[""])], "the scope \"\" cannot be used"),
    ] {
        let error = map(grants).unwrap_err();
        assert!(error.contains(text), "{error}");
    }
    for pointer in ["", "scope", "/a~", "/a~2"] {
        let error = ScopeSource::words(pointer).check().unwrap_err().to_string();
        assert!(error.contains("it is not a JSON pointer"), "{error}");
    }
}

#[test]
fn grants_are_ordered_by_prefix_and_name_together() {
    let all = [("", "b"), ("a", ""), ("", "ab"), ("a", "b"), ("", ""), ("ab", ""), ("", "a")];
    let whole = |grant: &(&str, &str)| [grant.0, grant.1].concat();
    for one in &all {
        for other in &all {
            assert_eq!(compare(one, other), whole(one).cmp(&whole(other)), "{one:?} {other:?}");
        }
    }
}

#[test]
fn grants_are_bounded() {
    let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    let words = [ScopeSource::words("/scope")];
    assert_eq!(grants(&words, json!({"scope": names(512)})).unwrap().len(), 512);
    assert_eq!(grants(&words, json!({"scope": names(513)})), Err(GrantsError::TooMany));
}
