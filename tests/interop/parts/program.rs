//! A program that runs as long as a test needs it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

/// A running program. Dropping it kills it, by its id.
///
/// ```ignore
/// let mut command = Command::new("redis-server");
/// command.args(["--port", "7000"]);
/// let redis = Part::start("redis", command, "Ready to accept connections").await;
/// ```
#[derive(Debug)]
pub(crate) struct Part {
    child: Child,
    said: String,
}

/// For programs that never get ready.
const PATIENCE: Duration = Duration::from_secs(60);

impl Part {
    /// Starts a program and waits for the line with the sign that it is ready.
    ///
    /// Its standard input stays open as long as the part lives: a program that ends when its input
    /// does is gone even if the tests are killed.
    pub(crate) async fn start(name: &str, command: Command, sign: &'static str) -> Self {
        let log = log_file(name);
        match Self::attempt(&log, command, sign).await {
            Ok(part) => part,
            Err(why) => {
                let log = fs::read_to_string(&log).unwrap_or_default();
                panic!("{name} did not start: {why}; it printed:\n{log}");
            }
        }
    }

    async fn attempt(log: &Path, mut command: Command, sign: &'static str) -> Result<Self, String> {
        let mut log = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let output = child.stdout.take().ok_or("it has no standard output")?;
        let (ready, said) = oneshot::channel();
        // It ends with the program.
        thread::spawn(move || {
            let mut ready = Some(ready);
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
                if let Some((_, said)) = line.split_once(sign)
                    && let Some(ready) = ready.take()
                {
                    let _ = ready.send(said.trim().to_owned());
                }
            }
        });
        let mut part = Self { child, said: String::new() };
        part.said = tokio::time::timeout(PATIENCE, said)
            .await
            .map_err(|_| format!("no {sign:?} within {PATIENCE:?}"))?
            .map_err(|_| "it ended".to_owned())?;
        Ok(part)
    }

    /// What followed the sign on its line.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // One that ended by itself is gone all the same.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Named after the test, whose thread has its name.
pub(super) fn log_file(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let logs = super::installed("logs");
    let thread = thread::current();
    let test = thread.name().unwrap_or("main").replace("::", "-");
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    logs.join(format!("{test}-{name}-{count}.log"))
}
