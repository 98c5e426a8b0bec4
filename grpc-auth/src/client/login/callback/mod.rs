//! The address that the browser is sent back to (RFC 8252 §7.3).
//!
//! It takes one answer. Until then every other request is refused and the wait goes on, so that
//! nobody ends a login by guessing its port; while the answer is dealt with, further ones are told
//! that they come too late; then the port is closed.

mod connection;
mod door;

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

pub(super) use door::{Answer, NotTheAnswer, Refused};

use self::door::Door;
use super::pages::{Page, Pages};
use crate::clock::Clock;

/// At a time. A browser opens a few to spare.
const MAX_CONNECTIONS: usize = 32;
/// In one login. Whoever opens more keeps the person from logging in.
const MAX_CONNECTIONS_IN_ALL: usize = 1000;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For the browser to take the last page.
const LAST_PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// A port that waits for one answer.
pub(super) struct Callback {
    redirect_uri: String,
    shared: Arc<Shared>,
    events: mpsc::Receiver<Event>,
    acceptor: JoinHandle<()>,
}

/// What a login has to deal with.
pub(super) enum Event {
    /// The answer.
    Answered(Hit),
    /// The browser did not open.
    NoBrowser(io::Error),
    /// There were too many connections.
    Flooded,
}

/// The answer, and the browser that brought it.
pub(super) struct Hit {
    pub(super) answer: Answer,
    page: oneshot::Sender<Page>,
    written: oneshot::Receiver<()>,
}

struct Shared {
    door: Door,
    is_answered: AtomicBool,
    last_refused: Mutex<Option<NotTheAnswer>>,
    pages: Pages,
    clock: Clock,
    events: mpsc::Sender<Event>,
}

impl Callback {
    /// Listens on a free port of 127.0.0.1, and no other address: a name could lead elsewhere
    /// (RFC 8252 §8.3).
    pub(super) async fn listen(
        path: &str,
        state: SecretString,
        pages: Pages,
        clock: Clock,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let host = listener.local_addr()?.to_string();
        let redirect_uri = format!("http://{host}{path}");
        let (sender, events) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            door: Door { host, path: path.into(), state },
            is_answered: AtomicBool::new(false),
            last_refused: Mutex::new(None),
            pages,
            clock,
            events: sender,
        });
        let acceptor = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { redirect_uri, shared, events, acceptor })
    }

    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// For what happens elsewhere.
    pub(super) fn events(&self) -> mpsc::Sender<Event> {
        self.shared.events.clone()
    }

    pub(super) async fn next(&mut self) -> Event {
        // This end holds a sender: there is always a next one.
        self.events.recv().await.unwrap_or(Event::Flooded)
    }

    /// Why the last request that was not the answer was none.
    pub(super) fn last_refused(&self) -> Option<NotTheAnswer> {
        *self.shared.last_refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows how it ended, and closes the port.
    pub(super) async fn finish(self, hit: Hit, page: Page) {
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
    /// Whether this answer is the first.
    fn is_first(&self) -> bool {
        !self.is_answered.swap(true, Ordering::AcqRel)
    }

    fn refused(&self, problem: NotTheAnswer) {
        tracing::debug!(%problem, "a request to the login's port is not its answer");
        *self.last_refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
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
            if shared.is_answered.load(Ordering::Acquire) {
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
