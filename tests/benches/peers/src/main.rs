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
use process::{Address, Server};
use report::{Measured, Results};
use tokens::Algorithm;
use tokio::task::LocalSet;

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
        ["load", mode, warm_up, window, tokens, folder, ref servers @ ..] => {
            let mode = Mode::parse(mode).ok_or("no such mode")?;
            let times = [warm_up.parse()?, window.parse()?].map(Duration::from_secs_f64);
            let (tokens, folder) = (tokens.parse()?, Path::new(folder));
            let servers =
                servers.iter().map(|text| text.parse()).collect::<Outcome<Vec<Address>>>()?;
            let calling = load::run(&servers, mode, times, folder, tokens);
            let samples = LocalSet::new().block_on(&runtime, calling)?;
            println!("{}", serde_json::to_string(&samples)?);
            Ok(())
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
                ["--rounds", rounds] => options.rounds = rounds.parse().map_err(|_| USAGE)?,
                ["--seconds", seconds] => {
                    let seconds = seconds.parse().map_err(|_| USAGE)?;
                    options.window = Duration::try_from_secs_f64(seconds)?;
                }
                ["--tokens", tokens] => options.tokens = tokens.parse().map_err(|_| USAGE)?,
                ["--algorithm", name] => {
                    options.algorithm = Algorithm::parse(name).ok_or(USAGE)?;
                }
                ["--svg", file] => options.svg = Some(file.into()),
                _ => return Err(USAGE.into()),
            }
        }
        if options.window.is_zero() {
            return Err("--seconds has to be more than 0".into());
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
    let mut holds = true;
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
            holds &= measured.holds(mode)?;
        }
    }
    if let Some(file) = &options.svg {
        fs::write(file, chart::draw(&results)?)?;
    }
    if holds { Ok(()) } else { Err("fewer calls a second than the limit: see UNDER".into()) }
}

/// A column that authenticates accepts the good token and refuses each bad one, and none; one
/// that does not accepts all.
fn check(column: Column, folder: &Path, algorithm: Algorithm) -> Outcome<()> {
    let server = Server::start(column, folder, algorithm)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let is_accepted =
        |token: Option<&str>| runtime.block_on(load::is_accepted(server.address.port, token));
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

/// A server's first calls make it fetch memory from the system; they do not count.
const WARM_UP: Duration = Duration::from_secs(1);

fn measure(options: &Options, mode: Mode, folder: &Path) -> Outcome<Results> {
    let mut columns =
        Column::ALL.map(|column| Measured { name: column.to_string(), rounds: Vec::new() });
    for round in 1..=options.rounds {
        eprintln!("{mode}: round {round} of {}", options.rounds);
        // Where a process happens to lie in memory is worth a percent: no one decides.
        let servers = Column::ALL
            .iter()
            .map(|&column| Server::start(column, folder, options.algorithm))
            .collect::<Outcome<Vec<_>>>()?;
        let times = [WARM_UP, options.window];
        let samples = process::call(&servers, mode, times, folder, options.tokens)?;
        for (column, samples) in columns.iter_mut().zip(samples) {
            column.rounds.push(samples);
        }
    }
    Ok(Results {
        mode: mode.to_string(),
        algorithm: options.algorithm.to_string(),
        seconds: options.window.as_secs_f64(),
        columns: columns.into(),
    })
}
