//! The claims of a token as a type of the user's, deserialized once and shared.

mod memo;

use std::any::type_name;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::json;
use crate::json::error::JsonError;

use memo::Memo;

/// The claims of the caller's token as a `T`.
///
/// A method asks for them as a parameter after its request, or takes them with
/// [`request.claims::<T>()`](crate::CallerExt::claims). They are deserialized at most once per
/// token and type; a clone copies a pointer. A token whose claims do not fit `T` is rejected with
/// PERMISSION_DENIED, and the log names the path that did not fit.
///
/// `T` is read from JSON by this crate's own reader: any type that derives `Deserialize`,
/// `serde_json::Value` included, but not `serde_json::value::RawValue`, which only serde_json can
/// read. Structs are read from objects.
///
/// `Debug` shows the type alone: claims are personal data.
pub struct Claims<T>(Arc<T>);

/// Claims that do not fit the type that was asked for.
///
/// It holds the path within the claims, never a value from them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token's claims do not fit `{type_name}` at `{path}`{}", if *.has_panicked { ": its `Deserialize` panicked, where it should return an error" } else { "" })]
pub struct ClaimsError {
    path: Box<str>,
    type_name: &'static str,
    has_panicked: bool,
}

impl ClaimsError {
    pub(crate) fn of<T>(error: &JsonError) -> Self {
        let (path, type_name) = (error.path().into(), type_name::<T>());
        Self { path, type_name, has_panicked: false }
    }

    /// Where in the claims, `address.city` or `roles[2]`; a missing member is named as well. `.` is
    /// all of them.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the type's `Deserialize` panicked.
    pub(crate) fn has_panicked(&self) -> bool {
        self.has_panicked
    }

    /// The type that the claims were to become.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }
}

impl<T> Clone for Claims<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Claims<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Claims<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims<{}>([redacted])", type_name::<T>())
    }
}

/// One token's claims in every type that was asked for. A misfit is found once as well.
#[derive(Default)]
pub(crate) struct ClaimsMemo(Memo);

impl ClaimsMemo {
    pub(crate) fn get_or_parse<T>(&self, json: &[u8]) -> &Result<Claims<T>, ClaimsError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.0.get_or_make(|| parse::<T>(json))
    }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<Claims<T>, ClaimsError> {
    // `T` is the user's code, and a panic in it rejects the call. Nothing of what it left behind is
    // looked at again.
    match catch_unwind(AssertUnwindSafe(|| json::read(json))) {
        Err(_) => {
            let type_name = type_name::<T>();
            Err(ClaimsError { path: ".".into(), type_name, has_panicked: true })
        }
        Ok(Ok(claims)) => Ok(Claims(Arc::new(claims))),
        Ok(Err(error)) => Err(ClaimsError::of::<T>(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::thread;

    use serde::{Deserialize, Deserializer};

    use super::*;

    static PARSED: AtomicUsize = AtomicUsize::new(0);

    struct Counted(String);

    impl Counted {
        fn tenant(&self) -> &str {
            &self.0
        }
    }

    impl<'de> Deserialize<'de> for Counted {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            PARSED.fetch_add(1, Relaxed);
            #[derive(Deserialize)]
            struct Wire {
                tenant: String,
            }
            Wire::deserialize(deserializer).map(|wire| Self(wire.tenant))
        }
    }

    #[derive(Debug, Deserialize)]
    struct Nested {
        #[expect(dead_code, reason = "only its type matters")]
        team: Team,
    }

    #[derive(Debug, Deserialize)]
    struct Team {
        #[expect(dead_code, reason = "only its type matters")]
        size: u8,
    }

    #[test]
    fn a_token_is_deserialized_once_per_type_whoever_asks_at_the_same_time() {
        let memo = ClaimsMemo::default();
        let json = br#"{"tenant":"blue"}"#;
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let other = memo.get_or_parse::<serde_json::Value>(json).as_ref().unwrap();
                    assert_eq!(other["tenant"], "blue");
                    let counted = memo.get_or_parse::<Counted>(json).as_ref().unwrap();
                    assert_eq!(counted.tenant(), "blue");
                });
            }
        });
        assert_eq!(PARSED.load(Relaxed), 1);
    }

    #[test]
    fn keys_that_are_data_are_not_shown() {
        type Tenants = std::collections::HashMap<String, std::collections::HashMap<String, u8>>;
        for (json, path) in [
            (r#"{"tenants":{"canary@example.com":"x"}}"#, "tenants.*"),
            ("{\"a\\nb\":1}", "*"),
            (r#"{"https://example.com/roles":{"a":-1}}"#, "https://example.com/roles.a"),
        ] {
            let memo = ClaimsMemo::default();
            let error = memo.get_or_parse::<Tenants>(json.as_bytes()).as_ref().unwrap_err();
            assert_eq!(error.path(), path, "{json}");
        }
    }

    #[derive(Debug)]
    struct Fragile;

    impl<'de> Deserialize<'de> for Fragile {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("canary")
        }
    }

    #[test]
    fn a_type_that_panics_does_not_fit_whoever_asks() {
        let memo = ClaimsMemo::default();
        for _ in 0..2 {
            let error = memo.get_or_parse::<Fragile>(b"{}").as_ref().unwrap_err();
            assert_eq!(error.path(), ".");
            assert!(error.to_string().ends_with("it should return an error"), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        assert!(memo.get_or_parse::<serde_json::Value>(b"{}").is_ok());
    }

    #[test]
    fn a_misfit_names_its_path_and_no_value() {
        for (json, path) in [
            (r#"{"team":{"size":"canary"}}"#, "team.size"),
            (r#"{"team":{"canary":1}}"#, "team.size"),
            (r#"{"canary":1}"#, "team"),
            (r#"{"team":["canary"]}"#, "team"),
        ] {
            let memo = ClaimsMemo::default();
            let error = memo.get_or_parse::<Nested>(json.as_bytes()).as_ref().unwrap_err();
            assert_eq!(error.path(), path, "{json}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            assert!(error.type_name().ends_with("Nested"));
        }
    }
}
