//! Why a login cannot be kept or found.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

/// Why a [`TokenStore`](super::TokenStore) cannot be used. Each text says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no place for it.
    #[error(
        "there is no home directory to keep logins in: set `GRPC_AUTH_STATE_DIR` to a directory \
         that is the person's own"
    )]
    NoDirectory,
    /// Others may read or write it: the tokens may have been stolen.
    #[error(
        "others can get at `{}` (mode {mode:04o}): run `chmod {} '{}'`, and if anyone else uses \
         this machine log out and in again", .path.display(), .wanted, .path.display()
    )]
    Exposed {
        /// Which file or directory.
        path: PathBuf,
        /// The permissions that it has.
        mode: u32,
        /// The permissions that it should have: `600` or `700`.
        wanted: &'static str,
    },
    /// Another user can change it at any time.
    #[error(
        "`{}` belongs to another user: remove it, or set `GRPC_AUTH_STATE_DIR` to a directory of \
         your own", .path.display()
    )]
    ForeignOwner {
        /// Which file or directory.
        path: PathBuf,
    },
    /// It is a symbolic link, a directory, or something else that is no file.
    #[error("`{}` is {problem}: remove it, and log in again with `grpc-auth login`", .path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
        /// What it is.
        problem: &'static str,
    },
    /// It is not what was written there.
    #[error(
        "the stored login `{}` cannot be read: {problem}; log in again with `grpc-auth login`, \
         which replaces it", .path.display()
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Cow<'static, str>,
    },
    /// Another process renews this login, and does not come to an end.
    #[error("another process holds `{}`: wait for it to end, or end it", .path.display())]
    Locked {
        /// Its lock.
        path: PathBuf,
    },
    /// The file system says no.
    #[error("cannot {action} `{}`: look at its permissions and the free space there", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}
