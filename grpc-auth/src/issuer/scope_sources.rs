//! Which claims grant what: declared, never guessed.

use std::cmp::Ordering;
use std::slice::from_ref;

use crate::error::ConfigError;
use crate::json::node::Node;
use crate::token::principal::Grants;
use crate::token::scope::is_scope_token;

/// More grants than a token reasonably carries.
const MAX_GRANTS: usize = 512;

/// A claim that grants scopes.
///
/// A claim that is missing or `null` grants nothing; one of another form than declared rejects the
/// token.
///
/// ```
/// use grpc_auth::testing::TestAuthorizationServer;
/// use grpc_auth::{BearerToken, Issuer, ResourceServer, ScopeSource};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TestAuthorizationServer::start().await?;
/// let auth = ResourceServer::builder()
///     .issuer(Issuer::discover(server.url()).scopes_from([
///         ScopeSource::words_or_array("/scope"),
///         ScopeSource::member_names("/roles").prefixed("role:"),
///     ]))
///     .audience(TestAuthorizationServer::AUDIENCE)
///     .build()
///     .await?;
///
/// let token = server.token().scopes(["read:echo"]);
/// let token = token.claim("roles", serde_json::json!({"admin": {"1": "example.com"}})).sign();
/// let caller = auth.verify(&BearerToken::parse(&token).unwrap()).await?;
/// assert!(caller.has_scope("read:echo") && caller.has_scope("role:admin"));
/// assert!(!caller.has_scope("admin"));
///
/// let odd = server.token().claim("scope", [1]).sign();
/// assert!(auth.verify(&BearerToken::parse(&odd).unwrap()).await.is_err());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeSource {
    pointer: String,
    form: Form,
    prefix: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Words,
    Array,
    WordsOrArray,
    MemberNames,
    /// Values, and the scopes of each.
    Map(Vec<(String, Vec<String>)>),
}

/// A claim that does not have its declared form, or more than 512 grants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GrantsError {
    #[error("the claim at `{pointer}` is {found}, expected {expected}")]
    Form { pointer: String, found: &'static str, expected: &'static str },
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

    /// A string of words or an array of strings, for servers that write one or the other. The presets
    /// read `scope` so.
    #[must_use]
    pub fn words_or_array(pointer: impl Into<String>) -> Self {
        Self { form: Form::WordsOrArray, ..Self::words(pointer) }
    }

    /// The member names of an object, like Zitadel's roles:
    /// `"urn:zitadel:iam:org:project:roles": {"admin": {"1234": "example.com"}}` grants `admin`. A
    /// member that is `null` or `false` grants nothing.
    #[must_use]
    pub fn member_names(pointer: impl Into<String>) -> Self {
        Self { form: Form::MemberNames, ..Self::words(pointer) }
    }

    /// What each value of a claim grants, for issuers that know no scopes: workload identities name a
    /// service by its `sub`. Values are compared byte for byte; a value that is not listed grants
    /// nothing. Of an array of strings each item counts.
    ///
    /// ```
    /// use grpc_auth::ScopeSource;
    ///
    /// let source = ScopeSource::map("/sub", [
    ///     ("system:serviceaccount:shop:orders", ["read:stock", "write:stock"]),
    ///     ("system:serviceaccount:shop:web", ["read:stock", "read:prices"]),
    /// ]);
    /// ```
    #[must_use]
    pub fn map<V, S, T>(
        pointer: impl Into<String>,
        grants: impl IntoIterator<Item = (V, S)>,
    ) -> Self
    where
        V: Into<String>,
        S: IntoIterator<Item = T>,
        T: Into<String>,
    {
        let scopes = |scopes: S| scopes.into_iter().map(Into::into).collect();
        let grants = grants.into_iter().map(|(value, granted)| (value.into(), scopes(granted)));
        Self { form: Form::Map(grants.collect()), ..Self::words(pointer) }
    }

    /// Puts this before every name: with `role:`, the role `admin` grants `role:admin`. A scope of
    /// that name, in a claim without the prefix, grants nothing then.
    #[must_use]
    pub fn prefixed(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Whether it can grant anything.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let unescaped = self.pointer.replace("~0", "").replace("~1", "");
        if self.names().is_empty() || unescaped.contains('~') {
            return Err(ConfigError::value(
                "claim",
                &self.pointer,
                "it is not a JSON pointer: begin it with a slash, like `/scope` or \
                 `/realm_access/roles`",
            ));
        }
        let Form::Map(grants) = &self.form else { return Ok(()) };
        if grants.is_empty() || grants.iter().any(|(_, scopes)| scopes.is_empty()) {
            return Err(ConfigError::setting(
                "scope source",
                "map",
                "write at least one value, and at least one scope for each",
            ));
        }
        let scopes = || grants.iter().flat_map(|(_, scopes)| scopes);
        if let Some(scope) = scopes().find(|scope| !is_scope_token(scope.as_bytes())) {
            return Err(ConfigError::value(
                "scope",
                scope,
                "write printable ASCII characters without space, `\"` and `\\` (RFC 6749 §3.3)",
            ));
        }
        Ok(())
    }

    /// The claim, and the names below it, unescaped (RFC 6901 §4).
    pub(crate) fn names(&self) -> Vec<String> {
        let Some(path) = self.pointer.strip_prefix('/') else { return Vec::new() };
        path.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// What is granted by the value at this place.
    fn read<'a>(
        &'a self,
        value: &'a Node<'_>,
        grants: &mut Vec<(&'a str, &'a str)>,
    ) -> Result<(), GrantsError> {
        let prefix = &*self.prefix;
        match (&self.form, value) {
            (_, Node::Null) => {}
            (Form::Words | Form::WordsOrArray, Node::Text(words)) => {
                #[expect(
                    clippy::manual_pattern_char_comparison,
                    reason = "words are short, and the search for a char has a price of its own"
                )]
                let words = words.split(|c| c == ' ').filter(|word| !word.is_empty());
                grants.extend(words.map(|word| (prefix, word)));
            }
            (Form::Array | Form::WordsOrArray, Node::List(names)) => {
                for name in names {
                    grants.push((prefix, name.as_text().ok_or_else(|| self.misfit(value))?));
                }
            }
            (Form::MemberNames, Node::Object(members)) => {
                let granted = |node: &Node<'_>| !matches!(node, Node::Null | Node::Bool(false));
                let members = members.iter().filter(|(_, node)| granted(node));
                grants.extend(members.map(|(name, _)| (prefix, &**name)));
            }
            (Form::Map(map), Node::Text(_) | Node::List(_)) => {
                let items = if let Node::List(items) = value { items } else { from_ref(value) };
                for item in items {
                    let text = item.as_text().ok_or_else(|| self.misfit(value))?;
                    let granted = map.iter().filter(|(value, _)| value == text);
                    grants.extend(granted.flat_map(|(_, scopes)| scopes).map(|s| (prefix, &**s)));
                }
            }
            _ => return Err(self.misfit(value)),
        }
        Ok(())
    }

    #[cold]
    fn misfit(&self, value: &Node<'_>) -> GrantsError {
        let expected = match self.form {
            Form::Words => "a string of words",
            Form::Array => "an array of strings",
            Form::WordsOrArray => "a string of words or an array of strings",
            Form::MemberNames => "an object",
            Form::Map(_) => "a string or an array of strings",
        };
        let found = match value {
            Node::List(_) if !matches!(self.form, Form::Words | Form::MemberNames) => {
                "an array with something else than strings"
            }
            value => value.kind(),
        };
        GrantsError::Form { pointer: self.pointer.clone(), found, expected }
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
        // What one claim grants cannot pose as what another does. The scopes of a map are chosen by
        // the operator, not by the claim.
        if matches!(source.form, Form::Map(_)) {
            continue;
        }
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
#[path = "scope_sources_tests.rs"]
mod tests;
