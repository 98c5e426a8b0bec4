//! Which claims grant what: declared, never guessed.

use crate::json::Node;

/// More grants than a token of 8 KiB reasonably carries.
const MAX_GRANTS: usize = 512;

/// A claim that grants scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantSource {
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

impl GrantSource {
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

    /// Puts this before every name: with `role:`, the role `admin` grants `role:admin`.
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
    fn read<'a>(&self, value: &'a Node<'_>) -> Result<Vec<&'a str>, GrantsError> {
        let names = match (self.form, value) {
            (Form::Words, Node::Text(words)) => {
                Some(words.split(' ').filter(|word| !word.is_empty()).collect())
            }
            (Form::Array, Node::List(names)) => names.iter().map(Node::as_text).collect(),
            _ => None,
        };
        names.ok_or_else(|| GrantsError::Form(self.pointer.clone()))
    }
}

/// Unites what the sources grant, sorted and without duplicates. `find` looks up the value that a
/// source points at, by its place in the list.
pub(crate) fn unite<'a, 't: 'a>(
    sources: &[GrantSource],
    find: impl Fn(usize) -> Option<&'a Node<'t>>,
) -> Result<Box<[Box<str>]>, GrantsError> {
    let mut grants: Vec<Box<str>> = Vec::new();
    for (position, source) in sources.iter().enumerate() {
        let Some(value) = find(position) else { continue };
        for name in source.read(value)? {
            if source.prefix.is_empty() {
                grants.push(name.into());
            } else {
                grants.push([&*source.prefix, name].concat().into());
            }
        }
        if grants.len() > MAX_GRANTS {
            grants.sort_unstable();
            grants.dedup();
        }
        if grants.len() > MAX_GRANTS {
            return Err(GrantsError::TooMany);
        }
    }
    grants.sort_unstable();
    grants.dedup();
    Ok(grants.into())
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeSeed;
    use serde_json::{Value, json};

    use super::*;
    use crate::json::Keep;

    fn grants(sources: &[GrantSource], claims: Value) -> Result<Vec<String>, GrantsError> {
        let claims = Keep.deserialize(&claims).unwrap();
        let find = |position: usize| claims.at(&sources[position].names());
        unite(sources, find).map(|grants| grants.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn declared_claims_are_united() {
        let sources = [
            GrantSource::words("/scope"),
            GrantSource::array("/permissions"),
            GrantSource::array("/realm_access/roles").prefixed("role:"),
        ];
        let claims = json!({
            "scope": "b  a", "permissions": ["a", "c"], "realm_access": {"roles": ["a"]},
            "roles": ["undeclared"],
        });
        assert_eq!(grants(&sources, claims).unwrap(), ["a", "b", "c", "role:a"]);
        let escaped = [GrantSource::array("/https:~1~1a.example~1roles")];
        let claims = json!({"https://a.example/roles": ["x"]});
        assert_eq!(grants(&escaped, claims).unwrap(), ["x"]);
        assert_eq!(grants(&sources, json!({})).unwrap(), [""; 0]);
    }

    #[test]
    fn another_form_than_declared_is_refused_rather_than_guessed() {
        let words = [GrantSource::words("/scope")];
        let array = [GrantSource::array("/scope")];
        let error = Err(GrantsError::Form("/scope".into()));
        assert_eq!(grants(&words, json!({"scope": ["a"]})), error);
        assert_eq!(grants(&words, json!({"scope": null})), error);
        assert_eq!(grants(&array, json!({"scope": "a"})), error);
        assert_eq!(grants(&array, json!({"scope": ["a", 1]})), error);
    }

    #[test]
    fn grants_are_bounded() {
        let names = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let words = [GrantSource::words("/scope")];
        assert_eq!(grants(&words, json!({"scope": names(512)})).unwrap().len(), 512);
        assert_eq!(grants(&words, json!({"scope": names(513)})), Err(GrantsError::TooMany));
    }
}
