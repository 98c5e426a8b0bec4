//! What the program says: results on stdout, everything else on stderr. Colours where a terminal
//! shows them and they are not switched off (`NO_COLOR`), which is anstream's to find out.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::failure::{Exit, Failure};
use crate::printable::{compact, pretty, printable};
use crate::spinner::{self, Spinner};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HEADING: Style = Style::new().bold();
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// A text in a style.
pub(crate) fn styled(style: Style, text: impl Display) -> impl Display {
    struct Styled<T>(Style, T);
    impl<T: Display> Display for Styled<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}{}{:#}", self.0, self.1, self.0)
        }
    }
    Styled(style, text)
}

/// How results are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Writes the result, in the form that was asked for. The text holds styles; what others
    /// wrote in it was made printable.
    pub(crate) fn result(self, json: &Value, text: &str) -> Result<(), Failure> {
        if self.json {
            return written(writeln!(io::stdout(), "{}", pretty(json)));
        }
        let mut stdout = anstream::stdout();
        let text = text.trim_end_matches('\n');
        written(writeln!(stdout, "{text}").and_then(|()| stdout.flush()))
    }

    /// The same on one line, for a program that goes on afterwards.
    pub(crate) fn event(self, json: &Value, text: &str) -> Result<(), Failure> {
        if self.json {
            return written(writeln!(io::stdout(), "{}", compact(json)));
        }
        self.result(json, text)
    }

    /// Says something to the person at the terminal; it is no part of the result. Programs do without.
    pub(crate) fn note(self, text: impl Display) {
        if !self.json {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// Says what a person is to do before this goes on: on stderr, for the result is still to come.
    pub(crate) fn instruction(self, json: &Value, text: &str) {
        let mut stderr = anstream::stderr();
        let _ = if self.json {
            writeln!(stderr, "{}", compact(json))
        } else {
            spinner::clear();
            writeln!(stderr, "{text}")
        };
    }

    /// Shows that something is waited for.
    pub(crate) fn waiting(self, text: &str) -> Spinner {
        let is_shown = !self.json && io::stderr().is_terminal();
        Spinner::start(is_shown.then_some(text))
    }

    /// Says what went wrong.
    pub(crate) fn failure(self, failure: &Failure) -> Exit {
        if self.json {
            let _ = writeln!(io::stderr(), "{}", compact(&failure.to_json()));
            return failure.exit;
        }
        let mut text = format!("{} {}\n", styled(BAD, "error:"), printable(&failure.message));
        for cause in &failure.causes {
            text += &format!("  {} {}\n", styled(FAINT, "because"), printable(cause));
        }
        if let Some(help) = &failure.help {
            text += &format!("  {} {}\n", styled(GOOD, "help:"), printable(help));
        }
        let _ = write!(anstream::stderr(), "{text}");
        failure.exit
    }
}

/// The reader has read enough (`| head`): that is no failure.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Failed, "the result cannot be written").cause(&error))
        }
        _ => Ok(()),
    }
}
