//! `grpc-auth` beside what else a tonic server can authenticate with, end to end in one run.
//!
//! Servers and clients are this same program, as processes of their own.

mod chart;
mod columns;
mod load;
mod mode;
mod process;
mod report;
#[path = "../../tokens/mod.rs"]
mod tokens;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use columns::Column;
use mode::Mode;
use process::Server;
use report::{Measured, Results, Sample};
use tokens::Algorithm;

const USAGE: &str = "\
cargo run --release -p compare -- [--mode one-token|1024-tokens|streaming|distinct].. [--rounds N]
    [--seconds S] [--tokens N] [--algorithm RS256|ES256|EdDSA] [--svg FILE]
--rounds 0 draws the last results";

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Options {
    modes: Vec<Mode>,
    rounds: usize,
    window: Duration,
    tokens: usize,
    algorithm: Algorithm,
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match *arguments {
        ["serve", column, algorithm, folder] => {
            let column = Column::parse(column).ok_or("no such column")?;
            let algorithm = Algorithm::parse(algorithm).ok_or("no such algorithm")?;
            runtime.block_on(columns::serve(column, Path::new(folder), algorithm))
        }
        ["load", port, mode, seconds, tokens, folder] => {
            let mode = Mode::parse(mode).ok_or("no such mode")?;
            let window = Duration::from_secs_f64(seconds.parse()?);
            let (port, tokens) = (port.parse()?, tokens.parse()?);
            runtime.block_on(load::run(port, mode, window, Path::new(folder), tokens))
        }
        _ => compare(&Options::parse(&arguments)?),
    }
}

impl Options {
    fn parse(arguments: &[&str]) -> Outcome<Self> {
        let mut options = Self {
            modes: Vec::new(),
            rounds: 7,
            window: Duration::from_millis(1500),
            tokens: 131_072,
            algorithm: Algorithm::Rs256,
            svg: None,
        };
        for pair in arguments.chunks(2) {
            match *pair {
                ["--mode", mode] => options.modes.push(Mode::parse(mode).ok_or(USAGE)?),
                ["--rounds", rounds] => options.rounds = rounds.parse()?,
                ["--seconds", seconds] => {
                    options.window = Duration::try_from_secs_f64(seconds.parse()?)?;
                }
                ["--tokens", tokens] => options.tokens = tokens.parse()?,
                ["--algorithm", name] => {
                    options.algorithm = Algorithm::parse(name).ok_or(USAGE)?;
                }
                ["--svg", file] => options.svg = Some(file.into()),
                _ => return Err(USAGE.into()),
            }
        }
        if options.modes.is_empty() {
            options.modes = Mode::ALL.into();
        }
        Ok(options)
    }

    /// A key and its tokens, made once: signing takes a minute.
    fn folder(&self, target: &Path) -> Outcome<PathBuf> {
        let count = if self.modes.contains(&Mode::Distinct) { self.tokens } else { 1024 };
        let folder = target.join(format!("tokens/{}-{count}", self.algorithm));
        if !folder.exists() {
            eprintln!("signing {count} tokens");
            let unfinished = folder.with_extension("unfinished");
            tokens::write(&unfinished, self.algorithm, count)?;
            fs::rename(unfinished, &folder)?;
        }
        Ok(folder)
    }
}

fn compare(options: &Options) -> Outcome<()> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).ok_or("not in a target folder")?;
    let results = target.join("results");
    if options.rounds > 0 {
        let folder = options.folder(target)?;
        for column in Column::ALL {
            check(column, &folder, options.algorithm)?;
        }
        println!("every column accepts and refuses what it should\n");
        for &mode in &options.modes {
            let measured = measure(options, mode, &folder)?;
            measured.write(&results, mode)?;
            println!("{}", measured.table(mode)?);
        }
    }
    if let Some(file) = &options.svg {
        fs::write(file, chart::draw(&results)?)?;
    }
    Ok(())
}

/// A column that authenticates accepts the good token and refuses each bad one, and none; one
/// that does not accepts all.
fn check(column: Column, folder: &Path, algorithm: Algorithm) -> Outcome<()> {
    let server = Server::start(column, folder, algorithm)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let is_accepted = |token: Option<&str>| runtime.block_on(load::is_accepted(server.port, token));
    for good in tokens::good(folder, 1)? {
        // Twice: what was remembered of a token is good as well.
        if !is_accepted(Some(&good))? || !is_accepted(Some(&good))? {
            return Err(format!("{column} refuses a good token").into());
        }
    }
    let mut others = vec![("no".to_owned(), None)];
    others.extend(tokens::bad(folder)?.into_iter().map(|(kind, token)| (kind, Some(token))));
    for (kind, token) in others {
        if is_accepted(token.as_deref())? == column.authenticates() {
            return Err(format!("{column} does the wrong thing with {kind} token").into());
        }
    }
    Ok(())
}

/// After so many rounds there are new servers.
const ROUNDS_OF_A_SERVER: usize = 2;
/// A server's first connections make it fetch memory from the system; they do not count.
const WARM_UP: Duration = Duration::from_millis(700);

fn measure(options: &Options, mode: Mode, folder: &Path) -> Outcome<Results> {
    let start = |column| Server::start(column, folder, options.algorithm);
    let mut columns = Vec::new();
    for column in Column::ALL {
        let measured = Measured { name: column.to_string(), samples: Vec::new() };
        columns.push((column, start(column)?, measured));
    }
    for round in 0..options.rounds {
        eprintln!("{mode}: round {} of {}", round + 1, options.rounds);
        // Each round begins with another column.
        let (head, tail) = columns.split_at_mut(round % Column::ALL.len());
        for (column, server, measured) in tail.iter_mut().chain(head) {
            // Tokens of an earlier round would come twice to a server that remembers them.
            if mode == Mode::Distinct && round > 0 {
                *server = start(*column)?;
            }
            // Where a process happens to lie in memory is worth a percent: no one decides.
            if mode != Mode::Distinct && round % ROUNDS_OF_A_SERVER == 0 {
                *server = start(*column)?;
                process::call(server, mode, WARM_UP, folder, options.tokens)?;
            }
            measured.samples.push(sample(options, mode, *column, server, folder)?);
        }
    }
    Ok(Results {
        mode: mode.to_string(),
        algorithm: options.algorithm.to_string(),
        seconds: options.window.as_secs_f64(),
        columns: columns.into_iter().map(|(.., measured)| measured).collect(),
    })
}

fn sample(
    options: &Options,
    mode: Mode,
    column: Column,
    server: &Server,
    folder: &Path,
) -> Outcome<Sample> {
    let answered = process::call(server, mode, options.window, folder, options.tokens)?;
    if mode == Mode::Distinct && column.authenticates() && answered.in_all > options.tokens {
        let calls = answered.in_all;
        return Err(format!("{column}: {calls} calls, so tokens came twice; --tokens more").into());
    }
    Ok(Sample {
        calls_per_second: answered.in_window as f64 / options.window.as_secs_f64(),
        cpu_microseconds: answered.cpu.as_secs_f64() * 1e6 / answered.in_window as f64,
    })
}
