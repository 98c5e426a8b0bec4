//! Chromium, and a person at it.

use std::fs::File;
use std::process::Stdio;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::program::log_file;
use super::{installed, node};

/// A running Chromium with an empty profile.
///
/// ```ignore
/// let mut person = Chromium::start().await;
/// person.go(url.as_str()).await;
/// person.fill("User name", "alice").await;
/// person.press("Sign in").await;
/// person.shoot("consent").await;
/// ```
#[derive(Debug)]
pub(crate) struct Chromium {
    /// It ends when its standard input does; with it, Chromium.
    _process: Child,
    steps: ChildStdin,
    outcomes: Lines<BufReader<ChildStdout>>,
}

/// What came of a step.
#[derive(Debug, Deserialize)]
struct Outcome {
    /// Why it cannot be done, and what the page says.
    error: Option<String>,
    /// The widths at which the page is wider than the window.
    overflows: Vec<u32>,
}

impl Chromium {
    /// Opens it.
    pub(crate) async fn start() -> Self {
        let mut command = Command::from(node("chromium.mjs"));
        command.arg(installed("bin/chromium")).arg(installed("screenshots"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(log_file("chromium")).unwrap());
        let mut process = command.spawn().unwrap();
        let steps = process.stdin.take().unwrap();
        let mut outcomes = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(outcomes.next_line().await.unwrap().as_deref(), Some("READY"), "Chromium");
        Self { _process: process, steps, outcomes }
    }

    /// Goes to an address.
    pub(crate) async fn go(&mut self, address: &str) {
        self.step(json!({ "go": address })).await;
    }

    /// Writes into the field with this label.
    pub(crate) async fn fill(&mut self, label: &str, text: &str) {
        self.step(json!({ "fill": [label, text] })).await;
    }

    /// Presses the button, or the link.
    pub(crate) async fn press(&mut self, text: &str) {
        self.step(json!({ "press": text })).await;
    }

    /// Waits until the page says this.
    pub(crate) async fn see(&mut self, text: &str) {
        self.step(json!({ "see": text })).await;
    }

    /// Keeps a picture of the page, as wide as a desk and as a telephone.
    pub(crate) async fn shoot(&mut self, name: &str) {
        let overflows = self.step(json!({ "shoot": name })).await.overflows;
        assert!(overflows.is_empty(), "{name} is wider than {overflows:?}");
    }

    /// Opens the address again in another tab.
    pub(crate) async fn again(&mut self) {
        self.step(json!({ "again": true })).await;
    }

    /// Opens the address again in another tab, where nothing answers any more.
    pub(crate) async fn again_in_vain(&mut self) {
        let error = self.try_step(json!({ "again": true })).await.error.unwrap();
        assert!(error.contains("ERR_CONNECTION_REFUSED"), "{error}");
    }

    /// Closes that tab.
    pub(crate) async fn back(&mut self) {
        self.step(json!({ "back": true })).await;
    }

    async fn step(&mut self, step: Value) -> Outcome {
        let outcome = self.try_step(step.clone()).await;
        assert_eq!(outcome.error, None, "{step}");
        outcome
    }

    async fn try_step(&mut self, step: Value) -> Outcome {
        self.steps.write_all(format!("{step}\n").as_bytes()).await.unwrap();
        serde_json::from_str(&self.outcomes.next_line().await.unwrap().unwrap()).unwrap()
    }
}
