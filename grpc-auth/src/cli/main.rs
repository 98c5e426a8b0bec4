//! The program `grpc-auth`: tokens on the command line.

mod args;
mod client;
mod completions;
mod doctor;
mod end;
mod environment;
mod failure;
mod inspect;
mod login;
mod output;
mod printable;
mod secret;
mod serve_issuer;
mod server;
mod spinner;
mod times;
mod token;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::{Exit, Failure};
use output::Output;

fn main() -> ExitCode {
    let Cli { json, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return args::not_understood(error).into(),
    };
    let output = Output { json };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failure(&Failure::of(Exit::Failed, &error)).into(),
    };
    let ended = runtime.block_on(run(command, output));
    // A thread that waits for a browser or for a lock is not waited for.
    runtime.shutdown_background();
    ended.unwrap_or_else(|failure| output.failure(&failure)).into()
}

async fn run(command: Command, output: Output) -> Result<Exit, Failure> {
    match command {
        Command::Token(args) => token::run(args, output).await,
        Command::Login(args) => login::log_in(args, output).await,
        Command::Logout(args) => login::log_out(args, output).await,
        Command::Inspect(args) => inspect::run(args, output).await,
        Command::Doctor(args) => doctor::run(args, output).await,
        Command::ServeIssuer(args) => serve_issuer::run(args, output).await,
        Command::Completions(args) => completions::run(args, output),
    }
}
