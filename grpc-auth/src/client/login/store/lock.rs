//! One process at a time changes a login.

use std::fs::File;
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};
use tokio::sync::oneshot;

use super::StoreError;
use super::file;

/// The lock of one login, until it is dropped. Its file stays: if it were removed, two processes
/// could lock two files of one name.
#[must_use]
#[derive(Debug)]
pub(in crate::client::login) struct Lock(#[expect(dead_code, reason = "it is held")] File);

impl Lock {
    pub(super) async fn take(directory: PathBuf, path: PathBuf) -> Result<Self, StoreError> {
        let (sender, taken) = oneshot::channel();
        let failed = failure(&path);
        // A thread that the runtime does not wait for when it ends: the other process may never let
        // go. If nobody waits any more, the lock is dropped with the message.
        std::thread::Builder::new()
            .name("grpc-auth-lock".into())
            .spawn(move || drop(sender.send(wait(&directory, &path))))
            .map_err(&failed)?;
        taken.await.unwrap_or_else(|_| Err(failed(std::io::ErrorKind::Interrupted.into())))
    }
}

fn wait(directory: &Path, path: &Path) -> Result<Lock, StoreError> {
    file::prepare(directory)?;
    let file = file::open_lock(path)?;
    match FileExt::try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => FileExt::lock(&file).map_err(failure(path))?,
        Err(TryLockError::Error(error)) => return Err(failure(path)(error)),
    }
    Ok(Lock(file))
}

fn failure(path: &Path) -> impl Fn(std::io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { action: "lock", path: path.clone(), source }
}
