//! `grpc-auth completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use crate::args::Cli;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Writes a script that completes this program's commands in your shell
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  bash:  source <(grpc-auth completions bash)       in ~/.bashrc
  zsh:   source <(grpc-auth completions zsh)        in ~/.zshrc, after compinit
  fish:  grpc-auth completions fish | source        in ~/.config/fish/config.fish";

pub(crate) fn run(args: CompletionsArgs, output: Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "grpc-auth", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.result(&json!({ "shell": args.shell.to_string(), "script": script }), &script)?;
    Ok(Exit::Done)
}
