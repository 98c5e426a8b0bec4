//! Judges a corpus: lines of JSON on standard input, `id`, `accept` or `reject`, and the reason on
//! standard output, divided by tabs. Invalid lines go to standard error, and to the exit code.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use tests::judge::{Judge, Judgement};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    let mut judge = Judge::default();
    let mut output = io::stdout().lock();
    let mut code = ExitCode::SUCCESS;
    for (number, line) in (1_u64..).zip(io::stdin().lock().split(b'\n')) {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match judge.judge(&line).await {
            Ok(Judgement { id, verdict }) => {
                let (verdict, reason) = match &verdict {
                    Ok(()) => ("accept", ""),
                    Err(reason) => ("reject", &**reason),
                };
                writeln!(output, "{}\t{verdict}\t{}", plain(&id), plain(reason))?;
            }
            Err(error) => {
                eprintln!("line {number} is not one of a corpus: {}", plain(&error));
                code = ExitCode::from(2);
            }
        }
    }
    output.flush()?;
    Ok(code)
}

/// One field of one line.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
