//! Which claims grant what: declared, never guessed.

use std::collections::BTreeSet;

use serde_json::Value;

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

    /// The pointer, if it points at a claim (RFC 6901 §3: it begins with a slash).
    pub(crate) fn invalid_pointer(&self) -> Option<&str> {
        (!self.pointer.starts_with('/')).then_some(&*self.pointer)
    }

    fn read<'a>(&self, claims: &'a Value) -> Result<Vec<&'a str>, GrantsError> {
        let Some(value) = claims.pointer(&self.pointer) else { return Ok(Vec::new()) };
        let names = match (self.form, value) {
            (Form::Words, Value::String(words)) => {
                Some(words.split(' ').filter(|word| !word.is_empty()).collect())
            }
            (Form::Array, Value::Array(names)) => names.iter().map(Value::as_str).collect(),
            _ => None,
        };
        names.ok_or_else(|| GrantsError::Form(self.pointer.clone()))
    }
}

/// Unites what the sources grant, sorted and without duplicates.
pub(crate) fn unite(
    sources: &[GrantSource],
    claims: &Value,
) -> Result<Box<[Box<str>]>, GrantsError> {
    let mut grants = BTreeSet::new();
    for source in sources {
        for name in source.read(claims)? {
            grants.insert(format!("{}{name}", source.prefix).into_boxed_str());
            if grants.len() > MAX_GRANTS {
                return Err(GrantsError::TooMany);
            }
        }
    }
    Ok(grants.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grants(sources: &[GrantSource], claims: Value) -> Result<Vec<String>, GrantsError> {
        unite(sources, &claims).map(|grants| grants.iter().map(ToString::to_string).collect())
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
