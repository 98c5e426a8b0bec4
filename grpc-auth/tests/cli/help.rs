//! The help texts, whole: they are to be read. To bless: `UPDATE_EXPECT=1 cargo test -p grpc-auth
//! --test cli help`.

use expect_test::{ExpectFile, expect_file};

use crate::program::Program;

async fn check(args: &[&str], expected: ExpectFile) {
    let ended = Program::new(args.iter().copied()).run().await.succeeds();
    expected.assert_eq(&ended.stdout);
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\u{1b}'), "no colours where the output is no terminal");
}

#[tokio::test]
async fn the_help_of_the_program_teaches() {
    check(&["--help"], expect_file!["help/grpc-auth.txt"]).await;
    check(&["-h"], expect_file!["help/summary.txt"]).await;
}

#[tokio::test]
async fn the_help_of_each_command_teaches() {
    check(&["token", "--help"], expect_file!["help/token.txt"]).await;
    check(&["login", "--help"], expect_file!["help/login.txt"]).await;
    check(&["logout", "--help"], expect_file!["help/logout.txt"]).await;
    check(&["inspect", "--help"], expect_file!["help/inspect.txt"]).await;
    check(&["doctor", "--help"], expect_file!["help/doctor.txt"]).await;
    check(&["serve-issuer", "--help"], expect_file!["help/serve-issuer.txt"]).await;
    check(&["completions", "--help"], expect_file!["help/completions.txt"]).await;
}

#[tokio::test]
async fn each_command_has_examples() {
    for command in ["token", "login", "logout", "inspect", "doctor", "serve-issuer", "completions"]
    {
        let ended = Program::new([command, "--help"]).run().await.succeeds();
        assert!(ended.stdout.contains("Examples:\n  "), "{command}");
    }
}

#[tokio::test]
async fn without_a_command_the_help_is_shown_as_an_error() {
    Program::new([]).run().await.fails(2, "Usage: grpc-auth");
    let ended = Program::new(["--json"]).run().await.fails(2, "");
    assert!(ended.json_error()["error"].is_string());
}

#[tokio::test]
async fn a_shell_gets_its_completions() {
    for (shell, mark) in [
        ("bash", "complete -F _grpc__auth"),
        ("zsh", "#compdef grpc-auth"),
        ("fish", "complete -c grpc-auth"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let ended = Program::new(["completions", shell]).run().await.succeeds();
        assert!(ended.stdout.contains(mark), "{shell}: {}", ended.stdout);
        assert!(ended.stdout.contains("serve-issuer"));
        // An option that exists to be refused is offered to nobody.
        let offers = |option: &str| {
            ended
                .stdout
                .split(|c: char| !(c.is_alphanumeric() || c == '-'))
                .any(|word| word == option)
        };
        assert!(!offers("--client-secret"), "{shell}: {}", ended.stdout);
        let ended = Program::new(["completions", shell, "--json"]).run().await.succeeds();
        assert!(ended.json()["script"].as_str().unwrap().contains(mark));
    }
    Program::new(["completions", "cmd"]).run().await.fails(2, "possible values: bash");
}
