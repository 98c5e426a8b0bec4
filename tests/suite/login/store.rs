//! Logins that are kept: what the files look like, and which are refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use grpc_auth::ClientAuthentication;
use grpc_auth::client::{DpopKey, OAuthClient};
use grpc_auth::login::AuthorizationCodeFlow;
use grpc_auth::login::{Login, TokenStore};
use grpc_auth::testing::TestAuthorizationServer;
use serde_json::Value;
use tests::told;

use super::{Kit, Running};

/// A directory that goes with the test.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("logins-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }

    pub(super) fn store(&self) -> TokenStore {
        TokenStore::at(&self.0)
    }

    /// The one login in it.
    pub(super) fn file(&self) -> PathBuf {
        let mut files = self.files().into_iter().filter(|path| path.extension().unwrap() == "json");
        let file = files.next().unwrap();
        assert_eq!(files.next(), None);
        file
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        let Ok(found) = fs::read_dir(&self.0) else { return Vec::new() };
        found.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A person logs in, and the login is stored.
pub(super) async fn log_in(kit: &Kit, directory: &Directory) -> Login<AuthorizationCodeFlow> {
    let login = kit.login().scopes(["read:orders"]).audience("orders").store(directory.store());
    let (running, visit) = kit.open(login.clone()).await;
    visit.answer().await.says(200, "You are logged in");
    running.end().await.unwrap();
    login
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

async fn refusal(login: &Login<AuthorizationCodeFlow>) -> String {
    told(&login.load().await.unwrap_err())
}

#[tokio::test]
async fn a_login_is_found_again_and_asks_nothing_while_its_token_lives() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    assert!(kit.login().store(directory.store()).load().await.unwrap().is_none());
    assert!(directory.files().is_empty(), "looking creates nothing");
    let login = log_in(&kit, &directory).await;
    let before = kit.server.requests();

    let stored = login.load().await.unwrap().unwrap();
    assert_eq!(stored.subject(), Some("alice"));
    assert_eq!((stored.can_renew(), stored.path()), (true, &*directory.file()));
    assert!(stored.expires_at() > kit.clock.now());
    let token = stored.tokens().token().await.unwrap();
    assert_eq!(token.token().expose_secret(), "at-1");
    assert_eq!(kit.server.requests(), before);
    let shown = format!("{stored:?} {login:?} {:?}", stored.tokens());
    assert!(!shown.contains("at-1") && !shown.contains("rt-1"), "{shown}");

    // A login by code asks for the same, so it is the same login.
    let by_code = kit.client().device_login().scopes(["read:orders"]).audience("orders");
    assert!(by_code.store(directory.store()).load().await.unwrap().is_some());
}

/// The next run has another key perhaps, and would present it in vain until it expires.
#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_not_kept() {
    let (issuer, directory) = (TestAuthorizationServer::start().await.unwrap(), Directory::new());
    issuer.add_client("orders", "s3cret", ["read:word"]);
    let orders = ClientAuthentication::client_secret_basic("orders", "s3cret");
    let client = OAuthClient::oidc(issuer.url(), orders).clock(issuer.clock().clone());
    let bound = client.client_credentials().dpop(DpopKey::generate().unwrap());
    for (request, is_kept) in [(client.client_credentials(), true), (bound, false)] {
        let token = request.clone().build().unwrap().token().await.unwrap();
        directory.store().keep(&request, &token).await.unwrap();
        let found = directory.store().access_token(&request).await.unwrap();
        assert_eq!(found.is_some(), is_kept, "{request:?}");
    }
}

#[tokio::test]
async fn what_is_renewed_is_stored() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    for number in 2..5 {
        kit.clock.advance(Duration::from_secs(601));
        let stored = login.load().await.unwrap().unwrap();
        let token = stored.tokens().token().await.unwrap();
        assert_eq!(token.token().expose_secret(), format!("at-{number}"));
        let file: Value = serde_json::from_slice(&fs::read(directory.file()).unwrap()).unwrap();
        assert_eq!(file["refresh_token"], format!("rt-{number}"));
        assert_eq!(file["subject"], "alice");
        assert_eq!(mode(&directory.file()), 0o600);
    }
}

#[tokio::test]
async fn only_the_owner_can_read_it_and_nothing_is_left_over() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let _ = log_in(&kit, &directory).await;
    assert_eq!(mode(&directory.0), 0o700);
    let files = directory.files();
    assert!(files.iter().all(|path| mode(path) == 0o600), "{files:?}");
    let mut kinds: Vec<_> = files.iter().map(|path| path.extension().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["json", "lock"]);
    let name = directory.file().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("127.0.0.1-"), "{name}");
}

#[tokio::test]
async fn a_file_is_replaced_and_never_written_over() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let _ = log_in(&kit, &directory).await;
    let file = directory.file();
    // What a process left that was killed, wide open.
    let temporary = file.with_extension("new");
    fs::write(&temporary, "half a login").unwrap();
    set_mode(&temporary, 0o644);
    let (before, old) = (fs::metadata(&file).unwrap().ino(), fs::File::open(&file).unwrap());
    let _ = log_in(&kit, &directory).await;
    assert_ne!(fs::metadata(&file).unwrap().ino(), before);
    // A program that had it open reads the old one to its end.
    let old: Value = serde_json::from_reader(old).unwrap();
    assert_eq!(old["access_token"], "at-1");
    assert_eq!(mode(&file), 0o600);
    assert!(!temporary.exists());
}

#[tokio::test]
async fn each_client_audience_and_set_of_scopes_has_its_own() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let _ = log_in(&kit, &directory).await;
    let login = || kit.login().store(directory.store());
    for other in [
        login(),
        login().scopes(["read:orders"]),
        login().audience("orders"),
        login().scopes(["read:orders", "write:orders"]).audience("orders"),
        login().scopes(["read:orders"]).audience("orders").only_these_scopes(),
        login().scopes(["read:orders"]).audience("orders").organization("org"),
        login().scopes(["read:orders"]).audience("orders").resource("https://o.example"),
        login().scopes(["read:orders"]).audience("orders").parameter("connection", "c"),
    ] {
        assert!(other.load().await.unwrap().is_none(), "{other:?}");
    }
    // A file under another name does not become another login.
    let moved = login();
    let (running, visit) = kit.open(moved.clone()).await;
    visit.answer().await;
    running.end().await.unwrap();
    let path = moved.load().await.unwrap().unwrap().path().to_owned();
    let files = directory.files();
    let first = files.iter().find(|file| **file != path && file.extension().unwrap() == "json");
    fs::copy(first.unwrap(), &path).unwrap();
    assert!(refusal(&moved).await.contains("the login of another client"));
}

#[tokio::test]
async fn what_others_can_get_at_is_refused_with_the_command_that_mends_it() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let file = directory.file();
    for exposed in [0o640, 0o604, 0o660, 0o610] {
        set_mode(&file, exposed);
        let error = refusal(&login).await;
        let wanted = format!("(mode {exposed:04o}): run `chmod 600 '{}'`", file.display());
        assert!(error.contains(&wanted), "{error}");
    }
    set_mode(&file, 0o600);
    login.load().await.unwrap().unwrap();
    set_mode(&directory.0, 0o755);
    let error = refusal(&login).await;
    assert!(error.contains(&format!("`chmod 700 '{}'`", directory.0.display())), "{error}");
    // No person logs in for nothing.
    let before = kit.server.requests();
    let error = Running::start(login).error().await;
    assert!(error.contains("chmod 700"), "{error}");
    assert_eq!(kit.server.requests(), before);
}

#[tokio::test]
async fn what_belongs_to_someone_else_is_refused() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let file = directory.file();
    let error = if fs::metadata(&file).unwrap().uid() == 0 {
        chown(&file, Some(65534), None).unwrap();
        refusal(&login).await
    } else {
        // Only root gives files away; this directory is root's.
        told(&login.store(TokenStore::at("/usr")).load().await.unwrap_err())
    };
    assert!(error.contains("belongs to another user"), "{error}");
}

#[tokio::test]
async fn links_and_directories_are_no_logins() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let file = directory.file();
    let elsewhere = directory.0.join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    let error = refusal(&login).await;
    assert!(error.contains("is a symbolic link"), "{error}");
    // A login replaces the link, and leaves alone what it leads to.
    let before = fs::read(&elsewhere).unwrap();
    let _ = log_in(&kit, &directory).await;
    assert!(!fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(fs::read(&elsewhere).unwrap(), before);

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let error = refusal(&login).await;
    assert!(error.contains("is no file"), "{error}");
    // Nor is a lock taken through a link.
    fs::remove_dir(&file).unwrap();
    let lock = file.with_extension("lock");
    fs::remove_file(&lock).unwrap();
    symlink(&elsewhere, &lock).unwrap();
    let error = told(&login.log_out().await.unwrap_err());
    assert!(error.contains("is a symbolic link"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_login_is_named_and_the_next_login_replaces_it() {
    let (kit, directory) = (Kit::start().await, Directory::new());
    let login = log_in(&kit, &directory).await;
    let file = directory.file();
    let good = fs::read_to_string(&file).unwrap();
    for (text, reason) in [
        (String::new(), "it is not valid JSON: it ends early"),
        (good[..good.len() / 2].into(), "it is not valid JSON"),
        (good.replace("\"at-1\"", "\"a b\""), "its access token is invalid"),
        (good.replace("\"Bearer\"", "\"Basic\""), "its token type is unknown"),
        (good.replace("\"version\": 1", "\"version\": 2"), "another version"),
        (good.replace("\"orders\"", "\"other\""), "another client, server or audience"),
        (good.replacen('{', "{\"version\": 1,", 1), "the member `version` occurs twice"),
        (" ".repeat(300_000), "over 256 KiB"),
    ] {
        fs::write(&file, text).unwrap();
        let error = refusal(&login).await;
        assert!(error.contains(reason) && error.contains("grpc-auth login"), "{error}");
        assert!(error.contains(file.to_str().unwrap()), "{error}");
    }
    let _ = log_in(&kit, &directory).await;
    assert!(login.load().await.unwrap().is_some());
}

#[test]
fn the_store_of_the_person_is_where_the_system_keeps_state() {
    let store = TokenStore::open().unwrap();
    let own = std::env::var_os("GRPC_AUTH_STATE_DIR").map(PathBuf::from);
    let is_default = store.directory().ends_with("grpc-auth");
    assert!(own.map_or(is_default, |own| own == store.directory()), "{store:?}");
}
