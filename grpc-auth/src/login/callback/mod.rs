//! The port that the browser begins at, and that it is sent back to (RFC 8252 §7.3).
//!
//! One browser begins: it has the address of the start page from the person, gets a cookie there,
//! and is sent on to the authorization server. Another one that begins as well ends the login, for
//! it is unknown which of them is the person's.
//!
//! It takes one answer, from the browser that began. Until then every other request is refused and
//! the wait goes on, so that no other program ends a login by guessing its port; while the answer is dealt
//! with, further ones get a page that says they come too late; then the port is closed.

mod connection;
pub(crate) mod filter;

pub(super) use filter::judge_any;
pub(super) use filter::{Answer, NotTheAnswer};

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use url::Url;

use super::error::LoginError;
use super::pages::{Page, Pages};
use crate::clock::Clock;
use crate::lock::locked;
use filter::{Cookie, Door, Visit};

/// At a time. A browser opens a few to spare.
const MAX_CONNECTIONS: usize = 32;
/// In one login. A program that opens more keeps the person from logging in.
const MAX_CONNECTIONS_IN_ALL: usize = 1000;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For the browser to take the last page.
const LAST_PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// A port that is open; nothing is taken yet.
pub(crate) struct Port {
    listener: TcpListener,
    host: String,
    path: String,
}

/// What one login asks of the browser.
pub(crate) struct Question {
    /// The authorization request.
    pub(crate) url: Url,
    /// What the answer has to repeat.
    pub(crate) state: SecretString,
    /// What stands at the end of the start page's path.
    pub(crate) start: SecretString,
    /// The value of the browser's cookie.
    pub(crate) cookie: SecretString,
    /// How long it waits.
    pub(crate) timeout: Duration,
    pub(crate) pages: Pages,
}

/// A port that waits for one answer.
pub(crate) struct Callback {
    redirect_uri: String,
    start_url: SecretString,
    shared: Arc<Shared>,
    events: mpsc::Receiver<Event>,
    acceptor: JoinHandle<()>,
}

/// What a login has to deal with.
pub(crate) enum Event {
    /// The answer.
    Answered(Hit),
    /// Another browser has begun as well.
    OpenedTwice,
    /// The browser did not open.
    NoBrowser(io::Error),
    /// There were too many connections.
    Flooded,
}

/// The answer, and the browser that brought it.
pub(crate) struct Hit {
    pub(crate) answer: Answer,
    page: oneshot::Sender<Page>,
    written: oneshot::Receiver<()>,
}

struct Shared {
    door: Door,
    url: Url,
    timeout: Duration,
    progress: Mutex<Progress>,
    pages: Pages,
    clock: Clock,
    events: mpsc::Sender<Event>,
}

#[derive(Default)]
struct Progress {
    is_begun: bool,
    is_opened_twice: bool,
    is_answered: bool,
    is_settled: bool,
    last_refused: Option<NotTheAnswer>,
}

impl Port {
    /// Opens a free port of 127.0.0.1, and no other address: a name could lead elsewhere
    /// (RFC 8252 §8.3).
    pub(crate) async fn open(path: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let host = listener.local_addr()?.to_string();
        Ok(Self { listener, host, path: path.into() })
    }

    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://{}{}", self.host, self.path)
    }

    /// Waits for the browser.
    pub(crate) fn ask(self, question: Question, clock: Clock) -> Callback {
        let redirect_uri = self.redirect_uri();
        // Under the callback's own path, for the cookie has to reach both and should reach no more.
        let start =
            format!("{}/{}", self.path.trim_end_matches('/'), question.start.expose_secret());
        let start_url = format!("http://{}{start}", self.host).into();
        // Cookies are shared by all ports of an address.
        let port = self.host.rsplit(':').next().unwrap_or_default();
        let cookie = Cookie { name: format!("grpc-auth-login-{port}"), value: question.cookie };
        let (state, path) = (question.state, self.path);
        let (sender, events) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            door: Door { host: self.host, path, start: start.into(), state, cookie },
            url: question.url,
            timeout: question.timeout,
            progress: Mutex::default(),
            pages: question.pages,
            clock,
            events: sender,
        });
        let acceptor = tokio::spawn(accept(self.listener, Arc::clone(&shared)));
        Callback { redirect_uri, start_url, shared, events, acceptor }
    }
}

impl Callback {
    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The page that begins the login. It is secret: only the person may know it.
    pub(crate) fn start_url(&self) -> &SecretString {
        &self.start_url
    }

    /// For what happens elsewhere.
    pub(crate) fn events(&self) -> mpsc::Sender<Event> {
        self.shared.events.clone()
    }

    pub(crate) async fn next(&mut self) -> Event {
        // This end holds a sender: there is always a next one.
        self.events.recv().await.unwrap_or(Event::Flooded)
    }

    /// Why the last request that was not the answer was none.
    pub(crate) fn last_refused(&self) -> Option<NotTheAnswer> {
        self.shared.progress().last_refused
    }

    /// Whether one browser has begun and ended the login, and no other has begun. From here on
    /// others come too late for that.
    pub(crate) fn settle(&self) -> bool {
        let mut progress = self.shared.progress();
        progress.is_settled = !progress.is_opened_twice;
        progress.is_settled
    }

    /// Shows how it ended, and closes the port.
    pub(crate) async fn finish(self, hit: Hit, page: Page) {
        // The browser may be gone; the login is what it is.
        if hit.page.send(page).is_ok() {
            self.shared.clock.timeout(LAST_PAGE_TIMEOUT, hit.written).await;
        }
    }
}

/// The connections go with the task that accepts them.
impl Drop for Callback {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

impl Shared {
    /// Whether the login is where this request fits.
    fn admit(&self, visit: Visit) -> Result<Visit, NotTheAnswer> {
        let mut progress = self.progress();
        if progress.is_settled {
            return Err(NotTheAnswer::AnsweredBefore);
        }
        if let Visit::Start { is_known } = visit {
            progress.is_opened_twice |= progress.is_begun && !is_known;
            progress.is_begun = true;
        }
        if progress.is_opened_twice {
            return Err(NotTheAnswer::OpenedTwice);
        }
        if progress.is_answered {
            return Err(NotTheAnswer::AnsweredBefore);
        }
        progress.is_answered = matches!(visit, Visit::Answer(_));
        Ok(visit)
    }

    /// Sends a browser on, which is known from then on.
    fn begin(&self) -> Page {
        let Cookie { name, value } = &self.door.cookie;
        // A browser that stays open for weeks would collect them, and send them all.
        let cookie = format!(
            "{name}={}; Path={}; Max-Age={}; HttpOnly; SameSite=Lax",
            value.expose_secret(),
            self.door.path,
            self.timeout.as_secs().max(1),
        );
        Page::send_on(&self.url, &cookie)
    }

    fn refuse(&self, problem: NotTheAnswer) -> Page {
        tracing::debug!(%problem, "a request to the login's port is not its answer");
        self.progress().last_refused = Some(problem);
        match problem {
            NotTheAnswer::OpenedTwice => {
                self.pages.failure(&LoginError::OpenedTwice).with_status(problem.status())
            }
            _ => self.pages.not_the_answer(problem),
        }
    }

    /// Never across an await.
    fn progress(&self) -> MutexGuard<'_, Progress> {
        locked(&self.progress)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut open = VecDeque::<AbortHandle>::new();
    for _ in 0..MAX_CONNECTIONS_IN_ALL {
        let Ok((stream, _)) = listener.accept().await else {
            shared.clock.sleep(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {}
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MAX_CONNECTIONS {
            // One of those that are open has the answer.
            if shared.progress().is_answered {
                continue;
            }
            // Silent ones must not keep the browser out.
            if let Some(oldest) = open.pop_front() {
                oldest.abort();
            }
        }
        let shared = Arc::clone(&shared);
        open.push_back(connections.spawn(async move { connection::serve(stream, &shared).await }));
    }
    drop(listener);
    let _ = shared.events.send(Event::Flooded).await;
    while connections.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn login() -> Callback {
        let question = Question {
            url: Url::parse("https://issuer.example/authorize").unwrap(),
            state: "state".into(),
            start: "start".into(),
            cookie: "cookie".into(),
            timeout: Duration::from_secs(60),
            pages: Pages::new(),
        };
        Port::open("/callback").await.unwrap().ask(question, Clock::system())
    }

    #[tokio::test]
    async fn another_browser_ends_a_login_until_it_is_settled() {
        let begin = |login: &Callback| login.shared.admit(Visit::Start { is_known: false }).err();
        let [contested, alone] = [login().await, login().await];
        assert_eq!(begin(&contested), None);
        assert_eq!(begin(&contested), Some(NotTheAnswer::OpenedTwice));
        assert!(!contested.settle());
        assert_eq!(begin(&contested), Some(NotTheAnswer::OpenedTwice));

        assert_eq!(begin(&alone), None);
        assert!(alone.settle());
        // What is kept from here on is kept: the pages say so.
        assert_eq!(begin(&alone), Some(NotTheAnswer::AnsweredBefore));
        assert!(alone.settle());
    }
}
