//! Servers and clients as processes, each on a core of its own.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::columns::Column;
use crate::load::{BEGIN, END};
use crate::mode::Mode;
use crate::tokens::Algorithm;

const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";

/// A server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(
        column: Column,
        folder: &Path,
        algorithm: Algorithm,
    ) -> Result<Self, Box<dyn Error>> {
        let mut process = on_core(SERVER_CORE)?
            .args(["serve", &column.to_string(), &algorithm.to_string()])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut port = String::new();
        BufReader::new(process.stdout.take().ok_or("no stdout")?).read_line(&mut port)?;
        let mut server = Self { process, port: 0 };
        server.port = port.trim().parse().map_err(|_| format!("{column} did not start"))?;
        Ok(server)
    }

    /// Time on a processor so far, of all its threads.
    fn cpu(&self) -> Result<Duration, Box<dyn Error>> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            let on_cpu = text.split(' ').next().ok_or("an empty schedstat")?;
            nanoseconds += on_cpu.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Calls that were answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) in_window: usize,
    pub(crate) in_all: usize,
    /// The server's time on a processor in the window.
    pub(crate) cpu: Duration,
}

/// Calls a server from another process.
pub(crate) fn call(
    server: &Server,
    mode: Mode,
    window: Duration,
    folder: &Path,
    tokens: usize,
) -> Result<Answered, Box<dyn Error>> {
    let mut client = on_core(CLIENT_CORE)?
        .args(["load", &server.port.to_string(), &mode.to_string()])
        .args([window.as_secs_f64().to_string(), tokens.to_string()])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(client.stdout.take().ok_or("no stdout")?).lines();
    let mut expect = |word: &str| match lines.next() {
        Some(Ok(line)) if word.is_empty() || line == word => Ok(line),
        line => Err(format!("the client says {line:?}")),
    };
    expect(BEGIN)?;
    let before = server.cpu()?;
    expect(END)?;
    let cpu = server.cpu()? - before;
    let counts = expect("")?;
    client.wait()?;
    let (in_window, in_all) = counts.split_once(' ').ok_or("no counts")?;
    Ok(Answered { in_window: in_window.parse()?, in_all: in_all.parse()?, cpu })
}

/// This program again, pinned.
fn on_core(core: &str) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(std::env::current_exe()?);
    Ok(command)
}
