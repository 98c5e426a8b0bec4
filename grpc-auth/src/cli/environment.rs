//! Settings from the environment.

use std::env;

use secrecy::SecretString;

/// A variable that is set, and not to nothing.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The same for a secret.
pub(crate) fn secret(name: &str) -> Option<SecretString> {
    variable(name).map(SecretString::from)
}
