//! Opening the browser as the desktop does, in an environment without the program's secrets.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use url::Url;

/// An opener that fails within this time is reported; one that runs for longer has the address.
const FAILURE_TIMEOUT: Duration = Duration::from_millis(250);
/// The thread only waits.
const STACK_SIZE: usize = 64 * 1024;

/// What browsers and desktop openers need, and no more: a program's environment holds its secrets,
/// and a browser keeps what it was started with, and passes it to its extensions and helpers. Names
/// are compared without case, as on Windows.
const KEPT: [&str; 50] = [
    // The person and the system.
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    // Which browser, and where its window opens.
    "BROWSER",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DESKTOP_STARTUP_ID",
    "GNOME_DESKTOP_SESSION_ID",
    "KDE_FULL_SESSION",
    "KDE_SESSION_VERSION",
    "GDK_BACKEND",
    "GDK_SCALE",
    "GTK_THEME",
    "QT_QPA_PLATFORM",
    "QT_QPA_PLATFORMTHEME",
    "MOZ_ENABLE_WAYLAND",
    "__CF_USER_TEXT_ENCODING",
    // Windows, and Linux on it.
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "USERNAME",
    "USERDOMAIN",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "ALLUSERSPROFILE",
    "PUBLIC",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PROGRAMW6432",
    "COMMONPROGRAMFILES",
    "WSL_DISTRO_NAME",
    "WSL_INTEROP",
    "WSLENV",
];
const KEPT_PREFIXES: [&str; 2] = ["LC_", "XDG_"];

/// Opens an address in the person's browser.
pub(crate) fn open(url: &Url) -> io::Result<()> {
    let mut failure = None;
    for mut command in open::commands(url.as_str()) {
        clean(&mut command);
        match start(command) {
            Ok(()) => return Ok(()),
            // An opener that was found says more than one that was not.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                failure.get_or_insert(error);
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// Leaves of this program's environment what is kept, beside what the command itself sets.
fn clean(command: &mut Command) {
    let own: Vec<(OsString, OsString)> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command.env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| is_kept(name)));
    command.envs(own);
}

fn is_kept(name: &OsStr) -> bool {
    // A name that is not UTF-8 is not in the list.
    let Some(name) = name.to_str().map(str::to_ascii_uppercase) else { return false };
    KEPT.contains(&&*name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Starts an opener, which may run for as long as the browser does.
fn start(mut command: Command) -> io::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C in the terminal ends this program, and not the browser.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let program = command.get_program().to_owned();
    let (sender, ended) = mpsc::channel();
    thread::Builder::new().stack_size(STACK_SIZE).spawn(move || {
        // The receiver may be gone; the process has to be waited for all the same.
        let _ = sender.send(command.spawn().and_then(|mut child| child.wait()));
    })?;
    match ended.recv_timeout(FAILURE_TIMEOUT) {
        Ok(Ok(status)) if !status.success() => Err(io::Error::other(format!(
            "`{}` cannot open it: {status}",
            program.to_string_lossy()
        ))),
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_hold_secrets_are_not_kept() {
        for name in [
            "GRPC_AUTH_CLIENT_SECRET",
            "AUTH0_CLIENT_SECRET",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "SSH_AUTH_SOCK",
            "PATH_TO_SECRET",
            "LC",
            "",
        ] {
            assert!(!is_kept(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "Path", "HOME", "DISPLAY", "LC_ALL", "XDG_RUNTIME_DIR", "SystemRoot"] {
            assert!(is_kept(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn what_the_command_itself_sets_stays() {
        let mut command = Command::new("opener");
        command.env("OPEN_RS_TARGET", "https://a.example/");
        clean(&mut command);
        let target = command.get_envs().find(|(name, _)| *name == "OPEN_RS_TARGET");
        assert_eq!(target.unwrap().1, Some(OsStr::new("https://a.example/")));
    }
}
