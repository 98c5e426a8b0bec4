//! A login by the browser: authorization code with PKCE.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use url::Url;

use super::attempt::{Attempt, check_method};
use super::callback::{Callback, Event, Hit, Port, Question};
use super::error::LoginError;
use super::launch_page::StartFile;
use super::logged_in::LoginOutcome;
use super::pages::Pages;
use super::{Login, Party, opener, pkce};
use crate::error::ConfigError;

const TIMEOUT: Duration = Duration::from_secs(300);
const MAX_TIMEOUT: Duration = Duration::from_secs(3600);

type Open = dyn Fn(&Url) -> io::Result<()> + Send + Sync;
type Announce = dyn Fn(&Url) + Send + Sync;

/// By the browser on this machine.
#[derive(Clone)]
pub struct AuthorizationCodeFlow {
    open: Arc<Open>,
    announce: Option<Arc<Announce>>,
    prompt: Option<String>,
    /// If it is another than the issuer's own.
    path: Option<String>,
    timeout: Duration,
    pages: Pages,
}

impl AuthorizationCodeFlow {
    pub(crate) fn new() -> Self {
        Self {
            open: Arc::new(opener::open),
            announce: None,
            prompt: None,
            path: None,
            timeout: TIMEOUT,
            pages: Pages::new(),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let is_path_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let is_path = self.path.as_ref().is_none_or(|path| {
            path.starts_with('/') && path.len() <= 256 && path.bytes().all(is_path_byte)
        });
        let problem = if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            ("timeout", "write more than nothing and at most an hour")
        } else if !is_path {
            ("callback_path", "write it like `/callback`: letters, digits, `/`, `-`, `.`, `_`, `~`")
        } else {
            return Ok(());
        };
        let (setting, help) = problem;
        Err(ConfigError::setting("client", setting, help))
    }

    fn path(&self, party: &Party) -> String {
        self.path.clone().unwrap_or_else(|| path_of(&party.issuer))
    }
}

/// A path of this issuer's own. `~` and two hexadecimal digits are a byte that a path may not have.
///
/// A malicious server can send the browser on to an honest one, with the redirect URI of its own
/// login, and get the honest one's code that way (RFC 9700 §4.4). The honest one rejects that
/// redirect URI if each issuer has another; ports do not count there (RFC 8252 §7.3).
fn path_of(issuer: &str) -> String {
    let name = issuer.split_once("://").map_or(issuer, |(_, name)| name);
    let mut path = "/callback/".to_owned();
    for character in name.trim_end_matches('/').bytes().map(char::from) {
        if character.is_ascii_alphanumeric() || "/:-._".contains(character) {
            path.push(character);
        } else {
            // A String takes everything.
            let _ = write!(path, "~{:02X}", u32::from(character));
        }
    }
    path
}

impl Login<AuthorizationCodeFlow> {
    /// Opens the browser so. Default as the system does: `xdg-open`, `open` or PowerShell, with an
    /// environment that has the variables that desktops and browsers need and no other, so that
    /// none of the program's secrets gets there.
    ///
    /// The address is that of a file (`file:`), which only this user can read, and which leads to
    /// the one that [`announce`](Self::announce) shows. So it may stand in the arguments of a
    /// process, where everybody on the machine can read it. The file is gone when the login is over.
    pub fn browser(
        mut self,
        open: impl Fn(&Url) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.way.open = Arc::new(open);
        self
    }

    /// Shows the person where to go, before the browser is opened: it may open in another session,
    /// not be allowed to read the file, or not open at all. With this a browser that does not open
    /// ends nothing.
    ///
    /// The address begins the login, on a page of the login's own port, and is good in one browser:
    /// a second one ends the login. Another person who sees the address can begin the login in your
    /// place, and log your program in as themselves: show it to the person, and keep it out of logs
    /// and of the arguments of processes.
    pub fn announce(mut self, announce: impl Fn(&Url) + Send + Sync + 'static) -> Self {
        self.way.announce = Some(Arc::new(announce));
        self
    }

    /// Asks the server to show something in any case: `login`, `consent`, `select_account`, or
    /// several of them with spaces between (OpenID Connect Core §3.1.2.1). Some servers grant
    /// `offline_access` with `consent` alone.
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.way.prompt = Some(prompt.into());
        self
    }

    /// Waits so long for the person. Default 5 minutes, at most an hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.way.timeout = timeout;
        self
    }

    /// Is sent back to this path, where the client is registered with another. Default `/callback/`
    /// and the issuer without `https://`: see [`redirect_uri`](Self::redirect_uri).
    ///
    /// A program that logs people in at several issuers needs another path for each: with one path
    /// a malicious one of them can get a code of another (RFC 9700 §4.4), unless both name
    /// themselves in their answers (RFC 9207).
    pub fn callback_path(mut self, path: impl Into<String>) -> Self {
        self.way.path = Some(path.into());
        self
    }

    /// What to register at the authorization server as the client's redirect URI, for any port
    /// (RFC 8252 §7.3). It is compared byte for byte there.
    ///
    /// ```
    /// use grpc_auth::ClientAuthentication;
    /// use grpc_auth::client::OAuthClient;
    ///
    /// # fn main() -> Result<(), grpc_auth::ConfigError> {
    /// let program = ClientAuthentication::none("orders-cli");
    /// let client = OAuthClient::oidc("https://login.example.com/realms/a", program);
    /// let own = "http://127.0.0.1/callback/login.example.com/realms/a";
    /// assert_eq!(client.login().redirect_uri()?, own);
    /// let registered = client.login().callback_path("/callback");
    /// assert_eq!(registered.redirect_uri()?, "http://127.0.0.1/callback");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Setting`] when the path cannot be one, or no issuer is set.
    pub fn redirect_uri(&self) -> Result<String, ConfigError> {
        self.way.check()?;
        Ok(format!("http://127.0.0.1{}", self.way.path(&self.wanted.party()?)))
    }

    /// Says this in the browser when it is done. Default "You are logged in", and that the window
    /// can be closed.
    pub fn success_page(mut self, heading: impl Into<String>, text: impl Into<String>) -> Self {
        self.way.pages.success = (heading.into(), text.into());
        self
    }

    /// Says this in the browser when it failed, above the reason. Default "You are not logged in",
    /// and that the program says what to do.
    pub fn failure_page(mut self, heading: impl Into<String>, text: impl Into<String>) -> Self {
        self.way.pages.failure = (heading.into(), text.into());
        self
    }

    /// The language of these two, as BCP 47 names it. Default `en`.
    pub fn page_language(mut self, language: impl Into<String>) -> Self {
        self.way.pages.language = language.into();
        self
    }

    /// Opens the browser, waits for the person, and redeems the code.
    ///
    /// A free port of 127.0.0.1 is open meanwhile. It takes one answer, with this login's `state`,
    /// from the browser that began; everything else is refused and changes nothing. Dropping the
    /// future ends the login.
    ///
    /// # Other users of the machine
    /// They can read the arguments of every process and connect to every port of 127.0.0.1. From the
    /// authorization request they could take `state` and `code_challenge`, log in as themselves, and
    /// send the program *their* code: it would go on as them, with the person's data. So the request
    /// is in no argument. The browser is opened with a file of mode 0600 in a folder of mode
    /// 0700, which leads to a page of this port under a random path; that gives the browser a cookie
    /// (`HttpOnly`, `SameSite=Lax`, for the callback's path) and sends it on. The answer has to bring
    /// the cookie, and a second browser at that page ends the login.
    ///
    /// The file is in `$XDG_RUNTIME_DIR` or the folder for temporary files, and where there are
    /// snaps in the home folder, as their browsers read no other. One that cannot read it, as those
    /// outside of a container, needs the address that [`announce`](Self::announce) shows. A browser
    /// that changes its profile or its container on the way has no cookie: log in by
    /// a device code there.
    ///
    /// # Errors
    /// [`LoginError`], which says what to do next.
    pub async fn run(&self) -> Result<LoginOutcome, LoginError> {
        self.way.check()?;
        let party = self.wanted.party()?;
        party.prepare_store().await?;
        let endpoints = party.server.endpoints().await?;
        check_method(&endpoints)?;

        let attempt = Attempt::new(&party, &endpoints)?;
        let path = self.way.path(&party);
        let port = Port::open(&path).await.map_err(LoginError::Listen)?;
        let prompt = self.way.prompt.as_deref();
        let question = Question {
            url: attempt.url(&endpoints, &port.redirect_uri(), prompt)?,
            state: attempt.state().clone(),
            start: pkce::random()?,
            cookie: pkce::random()?,
            timeout: self.way.timeout,
            pages: self.way.pages.clone(),
        };
        let mut callback = port.ask(question, party.server.clock().clone());
        // It stays to the end: a browser that comes late has to be seen to come.
        let _file = self.send_there(&callback).await?;

        let answer = self.answer(&mut callback);
        let waited = party.server.clock().timeout(self.way.timeout, answer);
        let hit = waited.await.unwrap_or_else(|| {
            Err(LoginError::TimedOut {
                after: self.way.timeout,
                refused: callback.last_refused().map(Into::into),
                redirect_uri: format!("http://127.0.0.1{path}").into(),
            })
        })?;
        let done = attempt.redeem(&endpoints, &hit.answer, &callback).await;
        let page = match &done {
            Ok(_) => self.way.pages.success(),
            Err(error) => self.way.pages.failure(error),
        };
        callback.finish(hit, page).await;
        done
    }

    /// Opens the browser with a file; none if that cannot be written.
    async fn send_there(&self, callback: &Callback) -> Result<Option<StartFile>, LoginError> {
        let address = callback.start_url().clone();
        if let Some(announce) = &self.way.announce
            && let Ok(url) = Url::parse(address.expose_secret())
        {
            announce(&url);
        }
        let written = tokio::task::spawn_blocking(move || {
            let file = StartFile::write(address.expose_secret())?;
            file.url().map(|url| (file, url))
        });
        let written = written.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()));
        let (file, url) = match written {
            Ok(written) => written,
            Err(error) => return self.no_browser(error).map(|()| None),
        };
        let (open, events) = (Arc::clone(&self.way.open), callback.events());
        // It may wait for a browser in the terminal.
        tokio::task::spawn_blocking(move || {
            if let Err(error) = open(&url) {
                // If the login is over, its task is gone.
                let _ = events.blocking_send(Event::NoBrowser(error));
            }
        });
        Ok(Some(file))
    }

    fn no_browser(&self, error: io::Error) -> Result<(), LoginError> {
        if self.way.announce.is_none() {
            return Err(LoginError::Browser(error));
        }
        tracing::debug!(%error, "the browser cannot be opened: the address was shown");
        Ok(())
    }

    async fn answer(&self, callback: &mut Callback) -> Result<Hit, LoginError> {
        loop {
            match callback.next().await {
                Event::Answered(hit) => return Ok(hit),
                Event::OpenedTwice => return Err(LoginError::OpenedTwice),
                Event::Flooded => return Err(LoginError::Flooded),
                Event::NoBrowser(error) => self.no_browser(error)?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_issuer_has_a_path_of_its_own() {
        let paths = [
            ("https://tenant.eu.auth0.com/", "/callback/tenant.eu.auth0.com"),
            ("https://a.example/realms/one", "/callback/a.example/realms/one"),
            ("https://a.example/realms/two", "/callback/a.example/realms/two"),
            ("http://127.0.0.1:4000/", "/callback/127.0.0.1:4000"),
            ("https://a.example/~7E", "/callback/a.example/~7E7E"),
            ("https://a.example/%7E", "/callback/a.example/~257E"),
            ("https://a.example/\u{e9};a b", "/callback/a.example/~C3~A9~3Ba~20b"),
        ];
        for (issuer, path) in paths {
            assert_eq!(path_of(issuer), path);
        }
    }
}
