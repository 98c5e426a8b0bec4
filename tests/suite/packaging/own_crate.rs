//! The README's server, with the README's manifest, build script and `.proto` file, in a crate of its
//! own outside this workspace: under the name `grpc-auth`, and under another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The blocks that a reader copies.
struct Readme {
    server: String,
    test: String,
    build: String,
    manifest: String,
    proto: String,
}

#[test]
fn the_readme_server_compiles_in_a_crate_of_its_own_under_its_name_and_another() {
    let readme = Readme::read();
    let path = root().join("grpc-auth");
    let named = |name: &str, package: &str| {
        readme
            .manifest
            .replace("grpc-auth = \"0.1\"", &format!("{name} = {{ {package}path = {path:?} }}"))
            .replace(
                "grpc-auth = { version = \"0.1\", ",
                &format!("{name} = {{ {package}path = {path:?}, "),
            )
    };
    let program = format!(
        "{}\n#[cfg(test)]\nmod tests {{\n{}\n}}\n",
        readme.server.trim_start(),
        readme.test
    );
    check(&readme, &named("grpc-auth", ""), &program);

    // The name `grpc_auth` does not exist here.
    let renamed = program
        .replace("grpc_auth::protect", "renamed::protect(crate = renamed)")
        .replace("grpc_auth::", "renamed::");
    assert!(!renamed.contains("grpc_auth"), "{renamed}");
    check(&readme, &named("renamed", "package = \"grpc-auth\", "), &renamed);
}

/// Checks the program and its test, warnings denied.
fn check(readme: &Readme, manifest: &str, program: &str) {
    let folder = root().join("target/own-crate");
    let head = "[package]\nname = \"own-crate\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n";
    let lints = "[lints.rust]\nwarnings = \"deny\"\n";
    // With the profile and the target folder of the tests, build scripts and the C code of
    // aws-lc-sys are not compiled again.
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let profile = &workspace[workspace.find("[profile.dev").unwrap()..];
    let tests = std::env::current_exe().unwrap();
    let target = tests.ancestors().nth(3).unwrap();
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(
        folder.join("Cargo.toml"),
        format!("{head}{manifest}\n{lints}\n{profile}\n[workspace]\n"),
    )
    .unwrap();
    fs::write(folder.join("build.rs"), &readme.build).unwrap();
    fs::write(folder.join("echo.proto"), &readme.proto).unwrap();
    fs::write(folder.join("src/main.rs"), program).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--all-targets", "--quiet"])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(&folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{manifest}\n{stderr}");
}

impl Readme {
    fn read() -> Self {
        let text = fs::read_to_string(root().join("README.md")).unwrap();
        let block = |start: &str, mark: &str| {
            let blocks = text.split(start).skip(1).filter_map(|rest| rest.split("```").next());
            blocks.map(ToOwned::to_owned).find(|block| block.contains(mark)).unwrap()
        };
        Self {
            server: block("```rust,no_run\n", "auth.protect(EchoService)"),
            test: block("```rust\n", "#[tokio::test]"),
            build: block("```rust,no_run\n", "protox::compile"),
            manifest: block("```toml\n", "[dependencies]"),
            proto: block("```protobuf\n", "service Echo"),
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
