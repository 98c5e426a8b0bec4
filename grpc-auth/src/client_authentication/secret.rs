//! What a client and its authorization server both know.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::error::ConfigError;
use crate::lock::locked;

/// A client's secret, from a string or from a file.
///
/// It is wiped when it is dropped, and its `Debug` shows nothing of it. One that is in a file is
/// read when the client is made, and again when the authorization server does not accept it: a
/// secret that was rotated is found without a restart.
///
/// ```
/// use grpc_auth::ClientSecret;
///
/// assert_eq!(format!("{:?}", ClientSecret::from("s3cret")), "ClientSecret([redacted])");
/// assert!(ClientSecret::from_file("/nowhere").is_err());
/// ```
#[derive(Clone)]
pub struct ClientSecret(Source);

#[derive(Clone)]
enum Source {
    Value(SecretString),
    File(Arc<File>),
}

struct File {
    path: PathBuf,
    read: Mutex<SecretString>,
}

impl ClientSecret {
    /// Reads the secret from a file, without the white space at its end.
    ///
    /// # Errors
    /// [`ConfigError::File`] when the file cannot be read, or is no UTF-8.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let path = path.into();
        let secret = read(&path)?;
        Ok(Self(Source::File(Arc::new(File { path, read: Mutex::new(secret) }))))
    }

    /// The secret as it was read last.
    pub(crate) fn current(&self) -> SecretString {
        match &self.0 {
            Source::Value(secret) => secret.clone(),
            Source::File(file) => locked(&file.read).clone(),
        }
    }

    /// Reads the file again, and tells whether it has another secret than the one that was
    /// sent. (Another request may have read it since.)
    pub(crate) fn has_changed(&self, sent: &SecretString) -> bool {
        let Source::File(file) = &self.0 else { return false };
        let Ok(secret) = read(&file.path) else { return false };
        let changed = sent.expose_secret() != secret.expose_secret();
        *locked(&file.read) = secret;
        changed
    }
}

fn read(path: &Path) -> Result<SecretString, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
        path: path.into(),
        expected: "a file with the client secret",
        source,
    })?;
    let secret = SecretString::from(text.trim_end());
    drop(SecretString::from(text));
    Ok(secret)
}

impl From<String> for ClientSecret {
    fn from(secret: String) -> Self {
        Self(Source::Value(secret.into()))
    }
}

impl From<&str> for ClientSecret {
    fn from(secret: &str) -> Self {
        Self(Source::Value(secret.into()))
    }
}

impl From<SecretString> for ClientSecret {
    fn from(secret: SecretString) -> Self {
        Self(Source::Value(secret))
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Value(_) => f.write_str("ClientSecret([redacted])"),
            Source::File(file) => write!(f, "ClientSecret({:?})", file.path),
        }
    }
}
