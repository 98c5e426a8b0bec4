//! The file that a browser is opened with. Every user of the machine can read the arguments of
//! a process, and so the file's name; only this user can read the file.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use url::Url;

use super::pages;
use crate::private_file;

const FOLDER: &str = "grpc-auth-login-";
const NAME: &str = "login.html";

/// A file that leads to an address, in a folder that only this user may enter. Both are gone when
/// it is dropped.
pub(crate) struct StartFile {
    folder: PathBuf,
}

impl StartFile {
    /// Writes it where a browser can read it.
    pub(crate) fn write(address: &str) -> io::Result<Self> {
        Self::write_in_first(folders(), address)
    }

    fn write_in_first(
        folders: impl IntoIterator<Item = PathBuf>,
        address: &str,
    ) -> io::Result<Self> {
        let mut outcome = Err(io::Error::other(
            "there is no folder for the page to begin with, in which others cannot rename what is this \
             user's: set `TMPDIR` to one",
        ));
        for parent in folders.into_iter().filter(|folder| !private_file::others_may_rename(folder))
        {
            outcome = Self::write_in(&parent, address);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn write_in(parent: &Path, address: &str) -> io::Result<Self> {
        // From here on it is removed, whatever happens.
        let this = Self { folder: private_file::new_folder(parent, FOLDER)? };
        private_file::write_new(&this.folder.join(NAME), pages::start_file(address).as_bytes())?;
        Ok(this)
    }

    /// Its own address.
    pub(crate) fn url(&self) -> io::Result<Url> {
        let no_url = |()| io::Error::other("the page to begin with has no absolute path");
        Url::from_file_path(self.folder.join(NAME)).map_err(no_url)
    }
}

impl Drop for StartFile {
    fn drop(&mut self) {
        // What cannot be removed is of no use when the login is over.
        let _ = fs::remove_file(self.folder.join(NAME));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Browsers from snaps read files of the home folder, and none elsewhere.
fn folders() -> impl Iterator<Item = PathBuf> {
    use etcetera::BaseStrategy;

    let has_snaps = Path::new("/var/lib/snapd").exists();
    let home = has_snaps.then(|| etcetera::home_dir().ok()).flatten();
    let system = etcetera::base_strategy::choose_native_strategy();
    let runtime = system.ok().and_then(|system| system.runtime_dir());
    home.into_iter().chain(runtime).chain([env::temp_dir()])
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const ADDRESS: &str = "http://127.0.0.1:4000/callback/the-start";

    #[test]
    fn only_this_user_can_read_it_and_it_is_gone_afterwards() {
        let file = StartFile::write(ADDRESS).unwrap();
        let path = file.url().unwrap().to_file_path().unwrap();
        let html = fs::read_to_string(&path).unwrap();
        assert!(html.contains(&format!("content=\"0; url={ADDRESS}\"")), "{html}");
        let folder = path.parent().unwrap().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
        assert_ne!(StartFile::write(ADDRESS).unwrap().folder, folder);
        drop(file);
        assert!(!folder.exists());
    }

    #[test]
    fn it_is_written_where_that_is_possible() {
        let nowhere = || [PathBuf::from("/dev/null"), "/proc/self/nothing".into()];
        let file =
            StartFile::write_in_first(nowhere().into_iter().chain([env::temp_dir()]), ADDRESS);
        assert!(file.unwrap().folder.starts_with(env::temp_dir()));
        assert!(StartFile::write_in_first(nowhere(), ADDRESS).is_err());
        assert!(StartFile::write_in_first([], ADDRESS).is_err());
    }

    /// A user who may rename a folder can replace it, with a page of their own.
    #[test]
    fn it_is_not_written_where_others_could_replace_it() {
        use std::os::unix::fs::PermissionsExt;

        let parent = private_file::new_folder(&env::temp_dir(), FOLDER).unwrap();
        for (mode, is_written) in [(0o777, false), (0o770, false), (0o1777, true), (0o755, true)] {
            fs::set_permissions(&parent, fs::Permissions::from_mode(mode)).unwrap();
            let file = StartFile::write_in_first([parent.clone()], ADDRESS);
            assert_eq!(file.is_ok(), is_written, "{mode:o}");
            if let Err(error) = file {
                assert!(error.to_string().contains("set `TMPDIR`"), "{error}");
            }
        }
        fs::remove_dir(parent).unwrap();
    }
}
