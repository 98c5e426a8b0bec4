//! Reading what was logged while a test ran.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The log lines of this thread, from TRACE up, since it was made.
///
/// One subscriber serves the whole process: a subscriber for each thread would miss lines, since
/// `tracing` caches for all threads which lines anyone wants.
#[derive(Debug)]
pub struct Logs(());

/// An event, a span, or values that were told of a span later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Whether it is a span.
    pub is_span: bool,
    /// Who emitted it.
    pub target: String,
    /// `INFO`
    pub level: String,
    /// A span's name, or an event's message.
    pub name: String,
    /// The fields it may have, the message apart.
    pub declared: Vec<&'static str>,
    /// Those that it has.
    pub values: Vec<(&'static str, String)>,
}

thread_local! {
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    static RECORDS: RefCell<Vec<Record>> = const { RefCell::new(Vec::new()) };
}

static SUBSCRIBER: Once = Once::new();

impl Logs {
    /// Starts to listen on this thread.
    #[must_use]
    pub fn capture() -> Self {
        SUBSCRIBER.call_once(|| {
            let lines = tracing_subscriber::fmt::layer().with_ansi(false).without_time();
            tracing_subscriber::registry().with(lines.with_writer(Lines)).with(Records).init();
        });
        LINES.set(Some(Vec::new()));
        RECORDS.take();
        Self(())
    }

    /// What was logged so far.
    #[must_use]
    pub fn text(&self) -> String {
        LINES.with_borrow(|lines| {
            String::from_utf8_lossy(lines.as_deref().unwrap_or_default()).into_owned()
        })
    }

    /// All events and spans so far, with what each of them holds.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        RECORDS.with_borrow(Clone::clone)
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
        RECORDS.take();
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

struct Records;

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Records {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        keep(span.metadata(), |record| span.record(record));
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, S>) {
        if let Some(metadata) = context.metadata(id) {
            keep(metadata, |record| values.record(record));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        keep(event.metadata(), |record| event.record(record));
    }
}

fn keep(metadata: &'static Metadata<'static>, fill: impl FnOnce(&mut Record)) {
    if LINES.with_borrow(Option::is_none) {
        return;
    }
    let fields = metadata.fields().iter().map(|field| field.name());
    let mut record = Record {
        is_span: metadata.is_span(),
        target: metadata.target().into(),
        level: metadata.level().to_string(),
        name: metadata.name().into(),
        declared: fields.filter(|name| *name != "message").collect(),
        values: Vec::new(),
    };
    fill(&mut record);
    RECORDS.with_borrow_mut(|records| records.push(record));
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "message" => self.name = value,
            name => self.values.push((name, value)),
        }
    }
}
