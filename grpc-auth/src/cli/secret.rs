//! Secrets: from files, standard input, a hidden prompt or the environment, and never from an
//! argument, which every process on the machine can read.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::failure::{Exit, Failure};

/// More than any token, which has at most 64 KiB, or key, with what stands around it.
const MAX_BYTES: u64 = 65 * 1024;

/// Refuses an option that would hold a secret, with what there is in its place.
pub(crate) fn given_away(option: &str) -> Option<Failure> {
    let instead = match option {
        "--client-secret" | "--secret" => {
            "write it to a file for `--client-secret-file`, or into GRPC_AUTH_CLIENT_SECRET"
        }
        "--token" => {
            "pipe it in (`grpc-auth token | grpc-auth inspect`, `.. | grpc-auth doctor --token-file -`), \
             or write it to a file"
        }
        "--client-key" => "write it to a file for `--client-key-file`",
        _ => return None,
    };
    let message = format!(
        "`{option}` is not taken: every process on this machine can read the arguments, and the shell \
         keeps them"
    );
    Some(
        Failure::usage(message).help(format!("{instead}; and replace the one that was just shown")),
    )
}

/// Reads a secret from a file, or from standard input for `-`: prompted for where that is a
/// terminal. White space around it is no part of it.
pub(crate) fn read(what: &str, path: &Path) -> Result<SecretString, Failure> {
    let text = text(what, path).map_err(|error| {
        Failure::new(Exit::Failed, format!("the {what} cannot be read from {}", place(path)))
            .cause(&error)
    })?;
    if text.len() as u64 > MAX_BYTES {
        let message = format!("what is in {} is no {what}: it is over 64 KiB", place(path));
        return Err(Failure::usage(message));
    }
    let secret = text.trim();
    if secret.is_empty() {
        return Err(Failure::usage(format!("there is no {what} in {}", place(path))));
    }
    Ok(secret.into())
}

/// What is there, up to one byte more than a secret may have.
fn text(what: &str, path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    if path != Path::new("-") {
        File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    } else if io::stdin().is_terminal() {
        // Asked for on the terminal itself, and not echoed.
        let mut name = what.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        return rpassword::prompt_password(format!("{name}: ")).map(Zeroizing::new);
    } else {
        io::stdin().take(MAX_BYTES + 1).read_to_string(&mut text)?;
    }
    Ok(text)
}

fn place(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".into();
    }
    format!("the file `{}`", path.display())
}

/// Whether this is a token, written where a file's name should be.
pub(crate) fn looks_like_a_token(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    text.len() > 20 && text.starts_with(b"eyJ") && text.contains(&b'.')
}

/// Takes `Bearer` off, as in a header.
pub(crate) fn without_scheme(token: &SecretString) -> &str {
    let token = token.expose_secret();
    let token = after("authorization:", token).unwrap_or(token);
    after("bearer ", token).or_else(|| after("dpop ", token)).unwrap_or(token)
}

/// What follows this, in capitals or not.
fn after<'a>(prefix: &str, text: &'a str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| rest.trim_start())
}
