//! One process at a time changes a login.

use std::fs::File;
use std::path::Path;

use fs4::{FileExt, TryLockError};

use super::error::StoreError;
use super::file;

/// The lock of one login, until it is dropped. Its file stays: if it were removed, two processes
/// could lock two files of one name.
#[must_use]
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held")] File);

impl Lock {
    /// Takes the lock, unless another process has it.
    pub(crate) fn try_take(path: &Path) -> Result<Option<Self>, StoreError> {
        let file = file::open_lock(path)?;
        match FileExt::try_lock(&file) {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(file::failure("lock", path)(error)),
        }
    }
}
