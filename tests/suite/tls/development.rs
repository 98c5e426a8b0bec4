//! The development CA: shared by processes, kept from others, made again in time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use grpc_auth::testing::ManualClock;
use grpc_auth::tls::{CertificateFacts, ClientTls, DevelopmentCa, Identity};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A folder in which an authority may live, and its clock.
struct Place {
    root: TempDir,
    clock: ManualClock,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), clock: ManualClock::new() }
    }

    fn folder(&self) -> PathBuf {
        self.root.path().join("deep/dev-tls")
    }

    /// As each process makes one of its own.
    fn ca(&self) -> DevelopmentCa {
        DevelopmentCa::new(self.folder()).clock(self.clock.clone())
    }

    fn facts(&self, name: &str) -> CertificateFacts {
        let der = CertificateDer::from_pem_file(self.folder().join(name)).unwrap();
        CertificateFacts::of(&der).unwrap()
    }

    /// All files by name, with what is in them.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(self.folder())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
            })
            .collect();
        files.sort();
        files
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    let place = Place::new();
    place.ca().server_tls().unwrap();
    place.ca().identity("alice").unwrap();
    assert_eq!(mode(&place.folder()), 0o700);
    let names: Vec<_> = place.files().into_iter().map(|(name, _)| name).collect();
    let expected = [
        ".lock",
        "ca-key.pem",
        "ca.pem",
        "client-alice-key.pem",
        "client-alice.pem",
        "server-key.pem",
        "server.pem",
    ];
    assert_eq!(names, expected, "nothing half written is left");
    for name in names.iter().filter(|name| *name != ".lock") {
        assert_eq!(mode(&place.folder().join(name)), 0o600, "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    fs::create_dir_all(place.folder()).unwrap();
    for mode in [0o777, 0o770, 0o707] {
        fs::set_permissions(place.folder(), fs::Permissions::from_mode(mode)).unwrap();
        let error = place.ca().client_tls().unwrap_err().to_string();
        assert!(
            error.contains("others may write to it") && error.contains("chmod go-w"),
            "{error}"
        );
    }
    assert!(place.files().is_empty());
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    place.ca().client_tls().unwrap();
}

/// A user who made it first, in a folder where all users may, would be the authority trusted here.
#[cfg(unix)]
#[test]
fn a_folder_of_somebody_elses_is_refused() {
    use std::os::unix::fs::{MetadataExt, chown};
    let place = Place::new();
    place.ca().client_tls().unwrap();
    // Only root gives folders away; other users have none of a third one's to show.
    if fs::metadata(place.folder()).unwrap().uid() == 0 {
        chown(place.folder(), Some(65534), None).unwrap();
        let error = place.ca().client_tls().unwrap_err().to_string();
        assert!(error.contains("others may write to it"), "{error}");
        chown(place.folder(), Some(0), None).unwrap();
    }
    place.ca().client_tls().unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_said_with_its_path() {
    let place = Place::new();
    fs::write(place.root.path().join("deep"), "a file").unwrap();
    let error = format!("{:?}", place.ca().server_tls().unwrap_err());
    assert!(error.contains("deep/dev-tls` of the development CA cannot be used"), "{error}");
    assert!(error.contains("write a folder that this program can make"), "{error}");
    assert!(error.contains("caused by"), "{error}");
}

#[test]
fn everyone_who_starts_at_once_gets_the_same_authority() {
    let place = Place::new();
    let chains: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|nth| {
                let ca = place.ca();
                scope.spawn(move || {
                    if nth % 2 == 0 {
                        ca.client_tls().unwrap();
                    } else {
                        ca.server_tls().unwrap();
                    }
                    fs::read(ca.ca_file()).unwrap()
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(chains.iter().all(|chain| *chain == chains[0]));
}

#[test]
fn what_was_made_is_used_until_it_is_about_to_expire() {
    let place = Place::new();
    place.ca().server_tls().unwrap();
    let made = place.files();
    place.clock.advance(334 * DAY);
    place.ca().server_tls().unwrap();
    place.ca().client_tls().unwrap();
    assert_eq!(place.files(), made);

    place.clock.advance(2 * DAY);
    place.ca().server_tls().unwrap();
    let again = place.files();
    for ((name, before), (_, after)) in made.iter().zip(&again) {
        assert_eq!(before == after, name == ".lock", "{name}");
    }
    for name in ["ca.pem", "server.pem"] {
        let remaining = place.facts(name).remaining(&place.clock.clone().into()).unwrap();
        assert!(remaining > 364 * DAY, "{name}: {remaining:?}");
    }
    assert_eq!(place.facts("server.pem").issuer, place.facts("ca.pem").subject);
}

#[test]
fn a_client_alone_renews_the_authority_and_the_server_follows() {
    let place = Place::new();
    place.ca().server_tls().unwrap();
    place.clock.advance(400 * DAY);
    // The client starts first; what the server has is not of this authority any more.
    place.ca().client_tls().unwrap();
    assert_ne!(place.facts("server.pem").issuer, place.facts("ca.pem").subject);
    place.ca().server_tls().unwrap();
    assert_eq!(place.facts("server.pem").issuer, place.facts("ca.pem").subject);
}

#[test]
fn a_clock_that_was_wrong_does_not_leave_a_certificate_of_the_future() {
    let place = Place::new();
    place.clock.advance(100 * DAY);
    place.ca().server_tls().unwrap();
    place.clock.rewind(100 * DAY);
    place.ca().server_tls().unwrap();
    for name in ["ca.pem", "server.pem"] {
        assert!(place.facts(name).remaining(&place.clock.clone().into()).is_some(), "{name}");
    }
}

#[test]
fn names_are_added_and_what_is_no_name_is_refused() {
    let place = Place::new();
    place.ca().server_tls().unwrap();
    let authority = fs::read(place.ca().ca_file()).unwrap();
    place.ca().name("echo.local").name("10.0.0.1").server_tls().unwrap();
    let names = place.facts("server.pem").names;
    assert_eq!(names, ["localhost", "127.0.0.1", "::1", "echo.local", "10.0.0.1"]);
    assert_eq!(fs::read(place.ca().ca_file()).unwrap(), authority);
    // Fewer are among them.
    let made = place.files();
    place.ca().server_tls().unwrap();
    assert_eq!(place.files(), made);

    let error = place.ca().name("https://echo").server_tls().unwrap_err().to_string();
    assert!(error.contains("the server name \"https://echo\""), "{error}");
    for wrong in ["", "../ca", "a/b", "a.b", "ca\0"] {
        let error = place.ca().identity(wrong).unwrap_err().to_string();
        assert!(error.contains("cannot be used"), "{wrong}: {error}");
    }
    assert_eq!(place.files(), made);
}

#[test]
fn what_is_damaged_or_of_another_is_made_again() {
    let place = Place::new();
    place.ca().server_tls().unwrap();
    let other = Place::new();
    other.ca().server_tls().unwrap();
    let path = |place: &Place, name: &str| place.folder().join(name);

    for name in ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem"] {
        // Gone, cut off, another's.
        fs::remove_file(path(&place, name)).unwrap();
        place.ca().server_tls().unwrap();
        fs::write(path(&place, name), "-----BEGIN").unwrap();
        place.ca().server_tls().unwrap();
        fs::copy(path(&other, name), path(&place, name)).unwrap();
        place.ca().server_tls().unwrap();
    }
    for name in ["server.pem", "server-key.pem"] {
        fs::copy(path(&other, name), path(&place, name)).unwrap();
    }
    place.ca().server_tls().unwrap();
    assert_eq!(place.facts("server.pem").issuer, place.facts("ca.pem").subject);
    assert!(Identity::from_pem_files(path(&place, "ca.pem"), path(&place, "ca-key.pem")).is_ok());
    assert!(ClientTls::ca_file(place.ca().ca_file()).is_ok());
}
