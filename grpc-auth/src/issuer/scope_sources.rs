//! Which claims grant what: declared, never guessed.

use std::cmp::Ordering;

use crate::json::node::Node;
use crate::token::principal::Grants;

/// More grants than a token reasonably carries.
const MAX_GRANTS: usize = 512;

/// A claim that grants scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeSource {
    pointer: String,
    form: Form,
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Words,
    Array,
}

/// A claim that does not have its declared form, or more than 512 grants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GrantsError {
    #[error("the claim at `{0}` does not have its declared form")]
    Form(String),
    #[error("more than 512 grants")]
    TooMany,
}

impl ScopeSource {
    /// A string of words divided by single spaces, like `scope` of RFC 9068 §2.2.3, at this JSON
    /// pointer (RFC 6901), which begins with a slash.
    #[must_use]
    pub fn words(pointer: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), form: Form::Words, prefix: String::new() }
    }

    /// An array of strings, like Auth0's `permissions`, at this JSON pointer (RFC 6901),
    /// which begins with a slash: `/permissions`.
    #[must_use]
    pub fn array(pointer: impl Into<String>) -> Self {
        Self { form: Form::Array, ..Self::words(pointer) }
    }

    /// Puts this before every name: with `role:`, the role `admin` grants `role:admin`. A scope of
    /// that name, in a claim without the prefix, grants nothing then.
    #[must_use]
    pub fn prefixed(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The pointer, if it points at no claim (RFC 6901 §3: it begins with a slash).
    pub(crate) fn invalid_pointer(&self) -> Option<&str> {
        let claim = self.names().into_iter().next();
        let unescaped = self.pointer.replace("~0", "").replace("~1", "");
        (claim.is_none() || unescaped.contains('~')).then_some(&*self.pointer)
    }

    /// The claim, and the names below it, unescaped (RFC 6901 §4).
    pub(crate) fn names(&self) -> Vec<String> {
        let Some(path) = self.pointer.strip_prefix('/') else { return Vec::new() };
        path.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// What is granted by the value that stands there.
    fn read<'a>(
        &'a self,
        value: &'a Node<'_>,
        grants: &mut Vec<(&'a str, &'a str)>,
    ) -> Result<(), GrantsError> {
        let form = || GrantsError::Form(self.pointer.clone());
        match (self.form, value) {
            (Form::Words, Node::Text(words)) => {
                #[expect(
                    clippy::manual_pattern_char_comparison,
                    reason = "words are short, and the search for a char has a price of its own"
                )]
                let words = words.split(|c| c == ' ').filter(|word| !word.is_empty());
                grants.extend(words.map(|word| (&*self.prefix, word)));
            }
            (Form::Array, Node::List(names)) => {
                for name in names {
                    grants.push((&self.prefix, name.as_text().ok_or_else(form)?));
                }
            }
            _ => return Err(form()),
        }
        Ok(())
    }
}

/// Unites what the sources grant. `find` looks up the value that a source points at, by its place
/// in the list.
pub(crate) fn unite<'a, 't: 'a>(
    sources: &[ScopeSource],
    find: impl Fn(usize) -> Option<&'a Node<'t>>,
) -> Result<Grants, GrantsError> {
    let mut grants: Vec<(&str, &str)> = Vec::with_capacity(16);
    for (position, source) in sources.iter().enumerate() {
        let Some(value) = find(position) else { continue };
        let start = grants.len();
        source.read(value, &mut grants)?;
        // What one claim grants cannot pose as what another does.
        let poses = |(prefix, name): &(&str, &str)| {
            sources.iter().any(|other| {
                let is_other = !other.prefix.is_empty() && other.prefix != source.prefix;
                is_other && [*prefix, name].concat().starts_with(&other.prefix)
            })
        };
        let mut place = 0;
        grants.retain(|grant| {
            place += 1;
            place <= start || !poses(grant)
        });
    }
    grants.sort_unstable_by(compare);
    grants.dedup_by(|one, other| compare(one, other).is_eq());
    if grants.len() > MAX_GRANTS {
        return Err(GrantsError::TooMany);
    }
    Ok(Grants::new(&grants))
}

/// By the bytes of prefix and name together.
fn compare(one: &(&str, &str), other: &(&str, &str)) -> Ordering {
    // Most prefixes are empty, and comparing two empty ones costs a call of `memcmp` with dangling
    // pointers, which some processors take 145 ns for.
    if (one.0.is_empty() && other.0.is_empty()) || one.0 == other.0 {
        return one.1.cmp(other.1);
    }
    let bytes = |grant: &(&str, &str)| [grant.0, grant.1].concat();
    bytes(one).cmp(&bytes(other))
}

#[cfg(test)]
mod tests {
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
        let words = [ScopeSource::words("/scope")];
        let array = [ScopeSource::array("/scope")];
        let error = Err(GrantsError::Form("/scope".into()));
        assert_eq!(grants(&words, json!({"scope": ["a"]})), error);
        assert_eq!(grants(&words, json!({"scope": null})), error);
        assert_eq!(grants(&array, json!({"scope": "a"})), error);
        assert_eq!(grants(&array, json!({"scope": ["a", 1]})), error);
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
}
