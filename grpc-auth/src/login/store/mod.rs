//! Where logins are kept between two runs of a program.

mod document;
pub(crate) mod error;
mod file;
mod kept;
mod lock;

pub(super) use lock::Lock;

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::Url;

pub(crate) use error::StoreError;

use super::Party;
use super::tokens::Tokens;
use crate::client::error::TokenError;
use crate::client::request::Parameters;
use crate::clock::Clock;
use document::Key;

/// Another directory than the system's.
const DIRECTORY: &str = "GRPC_AUTH_STATE_DIR";
/// Longer than a renewal takes, and less than a call waits for its token.
const LOCK_TIMEOUT: Duration = Duration::from_secs(25);
/// How long until the lock is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Of the hash of what a login is for.
const NAME_BYTES: usize = 16;

/// A directory with one file for each login: for each issuer, client, audience and set of scopes.
///
/// The files hold tokens, and every reader of them is logged in. The directory is made with mode
/// 0700, the files with 0600. A file or a directory that others may read, that belongs to another user
/// else, or that is a symbolic link where a file should be is refused, with the command that mends
/// it. On Windows the directory has the access list of the person's profile, and nothing more is
/// checked.
///
/// A file is replaced as a whole. Several processes can use the same login at the same time: they
/// take a lock to renew it, and what one of them got the others read.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_auth::ClientAuthentication;
/// use grpc_auth::client::OAuthClient;
/// use grpc_auth::login::TokenStore;
///
/// # let directory = std::env::temp_dir().join(format!("grpc-auth-store-{}", std::process::id()));
/// let client = OAuthClient::oidc("https://login.example.com/", ClientAuthentication::none("cli"));
/// let login = client.login().store(TokenStore::at(&directory));
/// assert!(login.load().await?.is_none(), "there is no login");
///
/// # #[cfg(unix)] {
/// use std::os::unix::fs::PermissionsExt;
///
/// std::fs::create_dir(&directory)?;
/// std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755))?;
/// let refused = login.load().await.unwrap_err();
/// assert!(refused.to_string().contains("chmod 700"));
/// # std::fs::remove_dir(&directory)?;
/// # }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStore {
    directory: PathBuf,
}

/// One login in a store.
#[derive(Clone)]
pub(crate) struct Entry {
    directory: PathBuf,
    path: PathBuf,
    key: Key,
}

/// A login, as it was kept.
pub(crate) struct Stored {
    pub(crate) tokens: Tokens,
    pub(crate) subject: Option<String>,
}

impl TokenStore {
    /// The store of the person who runs the program: `GRPC_AUTH_STATE_DIR`, or `grpc-auth` in
    /// `$XDG_STATE_HOME` (`~/.local/state`), in `~/Library/Application Support`, or in
    /// `%LOCALAPPDATA%`. Nothing is created before a login is kept.
    ///
    /// # Errors
    /// [`StoreError::NoDirectory`] when the person has no home directory.
    pub fn open() -> Result<Self, StoreError> {
        use etcetera::BaseStrategy;

        if let Some(directory) = std::env::var_os(DIRECTORY).filter(|path| !path.is_empty()) {
            return Ok(Self::at(directory));
        }
        let system = etcetera::base_strategy::choose_native_strategy();
        let system = system.map_err(|_| StoreError::NoDirectory)?;
        // Tokens do not roam with a profile on Windows: there the cache is what stays local.
        let local = if cfg!(windows) { system.cache_dir() } else { system.data_dir() };
        Ok(Self::at(system.state_dir().unwrap_or(local).join("grpc-auth")))
    }

    /// The store in this directory, which holds nothing else.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn entry(&self, key: Key) -> Entry {
        let directory = self.directory.clone();
        Entry { path: directory.join(key.file_name()), directory, key }
    }
}

impl Party {
    pub(crate) fn entry(&self) -> Option<Entry> {
        let store = self.wanted.store.as_ref()?;
        Some(store.entry(Key {
            issuer: self.issuer.clone(),
            client_id: self.client_id().into(),
            has_defaults: self.wanted.has_defaults,
            parameters: self.wanted.parameters.clone(),
        }))
    }

    pub(crate) async fn prepare_store(&self) -> Result<(), StoreError> {
        match self.entry() {
            Some(entry) => entry.blocking(|entry| file::prepare(&entry.directory)).await,
            None => Ok(()),
        }
    }
}

impl Key {
    /// A name that a person recognises, and a hash of all of it.
    fn file_name(&self) -> String {
        let all = json!(self).to_string();
        let hash = digest::digest(&digest::SHA256, all.as_bytes());
        let hash = hash.as_ref().get(..NAME_BYTES).unwrap_or_default();
        let host = Url::parse(&self.issuer).ok();
        let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
        let is_plain = |character: &char| character.is_ascii_alphanumeric() || *character == '.';
        let mut name: String = host.chars().filter(is_plain).take(64).collect();
        // A String takes everything.
        let _ = write!(name, "-{}.json", URL_SAFE_NO_PAD.encode(hash));
        name
    }
}

impl Entry {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `None` if no person has logged in.
    pub(crate) async fn read(&self) -> Result<Option<Stored>, StoreError> {
        self.blocking(|entry| {
            if !file::check_directory(&entry.directory)? {
                return Ok(None);
            }
            let bytes = file::read(&entry.path)?;
            bytes.map(|bytes| document::read(&bytes, &entry.key, &entry.path)).transpose()
        })
        .await
    }

    /// Replaces what is there.
    pub(crate) async fn write(
        &self,
        tokens: &Tokens,
        subject: Option<&str>,
        _: &Lock,
    ) -> Result<(), StoreError> {
        let bytes = document::write(tokens, subject, &self.key);
        self.blocking(move |entry| {
            file::prepare(&entry.directory)?;
            file::replace(&entry.path, &bytes)
        })
        .await
    }

    /// Forgets the login.
    pub(crate) async fn delete(&self, _: &Lock) -> Result<(), StoreError> {
        self.blocking(|entry| file::delete(&entry.path)).await
    }

    /// Waits until no other process changes this login.
    pub(crate) async fn lock(&self, clock: &Clock) -> Result<Lock, StoreError> {
        let path = self.path.with_extension("lock");
        let waited = clock.timeout(LOCK_TIMEOUT, self.take_lock(&path)).await;
        waited.unwrap_or(Err(StoreError::Locked { path }))
    }

    /// Looks again and again. The other process may never release it, and a thread that waited for it
    /// could not be called back: each attempt would leave one behind.
    async fn take_lock(&self, path: &Path) -> Result<Lock, StoreError> {
        loop {
            let path = path.to_owned();
            let attempt = self.blocking(move |entry| {
                file::prepare(&entry.directory)?;
                Lock::try_take(&path)
            });
            if let Some(lock) = attempt.await? {
                return Ok(lock);
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
    }

    /// Files are read and written on a thread that may wait.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.unwrap_or_else(|_| {
            Err(StoreError::Io {
                action: "use",
                path: self.path.clone(),
                source: std::io::ErrorKind::Interrupted.into(),
            })
        })
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("path", &self.path).finish_non_exhaustive()
    }
}

impl From<StoreError> for TokenError {
    fn from(error: StoreError) -> Self {
        Self::Custom(std::sync::Arc::new(error))
    }
}

/// Reads what a file holds, as the login of this client, for fuzzers.
pub(crate) fn read_any(json: &[u8], issuer: &str, client_id: &str) -> Result<(), StoreError> {
    let key = Key {
        issuer: issuer.into(),
        client_id: client_id.into(),
        has_defaults: false,
        parameters: Parameters::default(),
    };
    document::read(json, &key, Path::new("login")).map(drop)
}
