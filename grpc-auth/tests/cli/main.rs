//! The program `grpc-auth`, run as people run it: arguments, environment and standard input in; exit
//! code, standard output and standard error out.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod doctor;
mod help;
mod inspect;
mod inspect_refusals;
mod issuer;
mod login;
mod program;
mod secrets;
#[cfg(unix)]
mod terminal;
mod token;
