//! Files that only their owner can read.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use super::error::StoreError;
use crate::private_file;

const MAX_BYTES: u64 = 256 * 1024;

/// Makes the directory if it is missing, and checks it.
pub(crate) fn prepare(directory: &Path) -> Result<(), StoreError> {
    if check_directory(directory)? {
        return Ok(());
    }
    private_file::create_folder(directory).map_err(failure("create", directory))?;
    check_directory(directory).map(|_| ())
}

/// Whether it exists, and only this user can write in it: others could replace its files.
pub(crate) fn check_directory(directory: &Path) -> Result<bool, StoreError> {
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {
            check_owner(directory, &metadata, "700").map(|()| true)
        }
        Ok(_) => Err(not_a_file(directory, "no directory")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failure("open", directory)(error)),
    }
}

/// Nothing if there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let file = match open(OpenOptions::new().read(true), path) {
        Ok(file) => file,
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(failure("read", path))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(StoreError::Corrupt {
            path: path.into(),
            problem: "it is over 256 KiB".into(),
        });
    }
    Ok(Some(bytes))
}

/// Writes a file in place of an older one. The lock is held.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    private_file::write(path, bytes).map_err(failure("write", path))
}

pub(crate) fn delete(path: &Path) -> Result<(), StoreError> {
    private_file::remove(path).map_err(failure("remove", path))
}

pub(crate) fn open_lock(path: &Path) -> Result<File, StoreError> {
    open(OpenOptions::new().write(true).create(true).truncate(false), path)
}

/// Opens what is a file itself, follows no link, and checks what was opened: between a look at a
/// name and its use another process may change what it names.
fn open(options: &mut OpenOptions, path: &Path) -> Result<File, StoreError> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;

        // A pipe would keep us waiting.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path).map_err(|error| {
        let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        if is_link { not_a_file(path, "a symbolic link") } else { failure("open", path)(error) }
    })?;
    let metadata = file.metadata().map_err(failure("open", path))?;
    if !metadata.is_file() {
        return Err(not_a_file(path, "no file"));
    }
    check_owner(path, &metadata, "600")?;
    Ok(file)
}

#[cfg(unix)]
fn check_owner(path: &Path, metadata: &Metadata, wanted: &'static str) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;

    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(StoreError::ForeignOwner { path: path.into() });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Exposed { path: path.into(), mode, wanted });
    }
    Ok(())
}

/// The access list of the profile's directory decides.
#[cfg(not(unix))]
fn check_owner(_: &Path, _: &Metadata, _: &'static str) -> Result<(), StoreError> {
    Ok(())
}

fn not_a_file(path: &Path, problem: &'static str) -> StoreError {
    StoreError::NotAFile { path: path.into(), problem }
}

pub(super) fn failure(
    action: &'static str,
    path: &Path,
) -> impl Fn(io::Error) -> StoreError + use<> {
    let path = PathBuf::from(path);
    move |source| StoreError::Io { action, path: path.clone(), source }
}
