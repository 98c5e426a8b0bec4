//! What an example shows, step by step, and whether it is what it promises.

use std::fmt::Display;
use std::process::ExitCode;

use tonic::{Code, Status};

/// The steps so far.
#[derive(Debug, Default)]
pub struct Steps {
    surprises: usize,
}

impl Steps {
    /// Prints what was found, beside what was promised if that is something else.
    pub fn show<T: Display + PartialEq>(&mut self, step: &str, found: T, promised: T) {
        if found == promised {
            println!("  {step:<64} {found}");
        } else {
            println!("  {step:<64} {found}, expected {promised}");
            self.surprises += 1;
        }
    }

    /// Prints how a call ended.
    pub fn call<T>(&mut self, step: &str, answer: &Result<T, Status>, promised: Code) {
        let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
        self.show(step, format!("{code:?}"), format!("{promised:?}"));
    }

    /// Fails if anything was not as promised.
    #[must_use]
    pub fn end(self) -> ExitCode {
        if self.surprises == 0 {
            return ExitCode::SUCCESS;
        }
        eprintln!("{} steps did not show what they promise", self.surprises);
        ExitCode::FAILURE
    }
}
