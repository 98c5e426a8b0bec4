//! Servers and the client as processes, each on a core of its own.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use crate::columns::Column;
use crate::mode::Mode;
use crate::report::Sample;
use crate::tokens::Algorithm;

const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";
/// When glibc has so many bytes to give back to the system. By default it is 128 KiB: what a burst
/// of calls takes is given back after it and fetched again for the next one, which costs a server a
/// fifth of its calls, or not, as what it keeps happens to lie.
const TRIM_THRESHOLD: [&str; 2] = ["MALLOC_TRIM_THRESHOLD_", "67108864"];

/// A server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    pub(crate) address: Address,
}

/// Where the client finds a server, and what it takes of the processor; `COLUMN@PORT/PROCESS` as
/// an argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) column: Column,
    pub(crate) port: u16,
    pub(crate) process: u32,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.column, self.port, self.process)
    }
}

impl FromStr for Address {
    type Err = Box<dyn Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (column, rest) = text.split_once('@').ok_or("no @")?;
        let (port, process) = rest.split_once('/').ok_or("no process")?;
        let column = Column::parse(column).ok_or("no such column")?;
        Ok(Self { column, port: port.parse()?, process: process.parse()? })
    }
}

impl Server {
    pub(crate) fn start(
        column: Column,
        folder: &Path,
        algorithm: Algorithm,
    ) -> Result<Self, Box<dyn Error>> {
        let [variable, bytes] = TRIM_THRESHOLD;
        let mut process = on_core(SERVER_CORE)?
            .env(variable, bytes)
            .args(["serve", &column.to_string(), &algorithm.to_string()])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut port = String::new();
        BufReader::new(process.stdout.take().ok_or("no stdout")?).read_line(&mut port)?;
        let address = Address { column, port: 0, process: process.id() };
        let mut server = Self { process, address };
        server.address.port = port.trim().parse().map_err(|_| format!("{column} did not start"))?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A process's time on a processor so far, of all its threads; exact while they sleep.
pub(crate) fn cpu(process: u32) -> Result<Duration, Box<dyn Error>> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_cpu = text.split(' ').next().ok_or("an empty schedstat")?;
        nanoseconds += on_cpu.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Calls the servers from another process, as [`load::run`](crate::load::run) does.
pub(crate) fn call(
    servers: &[Server],
    mode: Mode,
    [warm_up, window]: [Duration; 2],
    folder: &Path,
    tokens: usize,
) -> Result<Vec<Vec<Sample>>, Box<dyn Error>> {
    let output = on_core(CLIENT_CORE)?
        .args(["load", &mode.to_string()])
        .args([warm_up, window].map(|time| time.as_secs_f64().to_string()))
        .arg(tokens.to_string())
        .arg(folder)
        .args(servers.iter().map(|server| server.address.to_string()))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the client ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// This program again, pinned.
fn on_core(core: &str) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(std::env::current_exe()?);
    Ok(command)
}
