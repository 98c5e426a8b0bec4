//! Reading what was logged while a test ran.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use tracing_subscriber::fmt::MakeWriter;

/// The log lines of this thread, from TRACE up, since it was made.
///
/// One subscriber serves the whole process: a subscriber for each thread would miss lines, since
/// `tracing` caches for all threads which lines anyone wants.
#[derive(Debug)]
pub struct Logs(());

thread_local! {
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

static SUBSCRIBER: Once = Once::new();

impl Logs {
    /// Starts to listen on this thread.
    #[must_use]
    pub fn capture() -> Self {
        SUBSCRIBER.call_once(|| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .without_time()
                .with_writer(Lines)
                .init();
        });
        LINES.set(Some(Vec::new()));
        Self(())
    }

    /// What was logged so far.
    #[must_use]
    pub fn text(&self) -> String {
        LINES.with_borrow(|lines| {
            String::from_utf8_lossy(lines.as_deref().unwrap_or_default()).into_owned()
        })
    }

    /// The only line of this crate that contains the text.
    #[must_use]
    pub fn line_with(&self, text: &str) -> String {
        let all = self.text();
        let lines: Vec<_> =
            all.lines().filter(|line| line.contains("grpc_auth") && line.contains(text)).collect();
        assert_eq!(lines.len(), 1, "lines with {text:?} in:\n{all}");
        lines.concat()
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        LINES.set(None);
    }
}

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| {
            lines.iter_mut().for_each(|lines| lines.extend_from_slice(bytes))
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
