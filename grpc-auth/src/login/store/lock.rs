//! One process at a time changes a login.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::{FileExt, TryLockError};

use super::error::StoreError;
use super::file;

/// How long until the lock is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// The lock of one login, until it is dropped. Its file stays: if it were removed, two processes
/// could lock two files of one name.
#[must_use]
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held")] File);

impl Lock {
    /// Looks again and again. The other process may never release it, and a thread that waited for it
    /// could not be called back: each attempt would leave one behind.
    pub(crate) async fn take(directory: PathBuf, path: PathBuf) -> Result<Self, StoreError> {
        loop {
            let attempt = tokio::task::spawn_blocking({
                let (directory, path) = (directory.clone(), path.clone());
                move || try_to_take(&directory, &path)
            });
            let gone =
                |_| Err(file::failure("lock", &path)(std::io::ErrorKind::Interrupted.into()));
            if let Some(lock) = attempt.await.unwrap_or_else(gone)? {
                return Ok(lock);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn try_to_take(directory: &Path, path: &Path) -> Result<Option<Lock>, StoreError> {
    file::prepare(directory)?;
    let file = file::open_lock(path)?;
    match FileExt::try_lock(&file) {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(file::failure("lock", path)(error)),
    }
}
