//! A sign of life on a terminal, while a person or a network is waited for.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use grpc_auth::Clock;
use tokio::task::JoinHandle;

const FRAMES: [char; 4] = ['-', '\\', '|', '/'];
const INTERVAL: Duration = Duration::from_millis(120);
/// To the first column, and nothing to the right of it.
const CLEAR: &str = "\r\u{1b}[K";

/// Turns until it is dropped, and leaves nothing behind.
#[must_use]
pub(crate) struct Spinner(Option<JoinHandle<()>>);

impl Spinner {
    /// Without a text there is nothing to be seen.
    pub(crate) fn start(text: Option<&str>) -> Self {
        Self(text.map(|text| tokio::spawn(turn(text.to_owned()))))
    }
}

async fn turn(text: String) {
    for frame in FRAMES.into_iter().cycle() {
        // Where it cannot be shown it is not missed.
        let _ = write!(io::stderr(), "\r{frame} {text}");
        Clock::system().sleep(INTERVAL).await;
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            clear();
        }
    }
}

/// Clears the line, if it is shown.
pub(crate) fn clear() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "{CLEAR}");
    }
}
