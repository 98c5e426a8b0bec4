//! Files that only this user may read, written whole or not at all.

use std::fs;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::path::PathBuf;

use aws_lc_rs::rand;

/// Makes a folder and its parents, which only this user may enter. One that is there is left as it is.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    own_folder().recursive(true).create(path)
}

/// Makes a folder with a random name, which only this user may enter.
pub(crate) fn new_folder(parent: &Path, prefix: &str) -> io::Result<PathBuf> {
    let path = parent.join(format!("{prefix}{}", random_name()?));
    // Nothing that stands there is taken.
    own_folder().create(&path)?;
    Ok(path)
}

fn own_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn random_name() -> io::Result<String> {
    let mut random = [0; 8];
    rand::fill(&mut random).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(format!("{:016x}", u64::from_ne_bytes(random)))
}

/// Whether others than this user could put files of their own into a folder: by its mode, or because
/// it is theirs. Root needs no folder for that.
pub(crate) fn others_may_write(folder: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        let is_own = [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid());
        Ok(!is_own || metadata.mode() & 0o022 != 0)
    }
    #[cfg(not(unix))]
    return Ok(metadata.permissions().readonly() && false);
}

/// Whether others than this user could rename what is in a folder: they may write to it, and it has
/// no sticky bit.
pub(crate) fn others_may_rename(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        // The code that uses it finds out that it is missing.
        std::fs::metadata(folder)
            .is_ok_and(|metadata| metadata.mode() & 0o022 != 0 && metadata.mode() & 0o1000 == 0)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        false
    }
}

/// Writes a file with the mode 0600. A reader sees the old one or the new one, never a part, also
/// after the power has failed. The caller holds a lock: what stands under the temporary name, `.new`,
/// is left over from a process that was killed.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    remove(&temporary)?;
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first failure is reported.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // Windows writes a rename down by itself.
    #[cfg(unix)]
    {
        // The parent of a name without a folder is empty.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Removes a file, if there is one.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file with the mode 0600 where none is yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // Nothing that stands there is followed or overwritten.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
