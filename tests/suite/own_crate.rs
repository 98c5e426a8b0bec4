//! The README's server in a crate of its own, outside this workspace, with `grpc-auth` as the only
//! dependency that a tonic server does not have anyway; and the crate under another name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BUILD: &str = r#"
fn main() -> Result<(), Box<dyn std::error::Error>> {
    tonic_prost_build::configure().compile_fds(protox::compile(["echo.proto"], ["."])?)?;
    Ok(())
}
"#;

/// What a tonic server depends on anyway.
const MANIFEST: &str = r#"
[package]
name = "own-crate"
version = "0.0.0"
edition = "2024"

[dependencies]
prost = "0.14"
serde = { version = "1", features = ["derive"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
tonic = "0.14"
tonic-prost = "0.14"
GRPC_AUTH

[build-dependencies]
protox = "0.10"
tonic-prost-build = "0.14"

[profile.dev]
debug = "line-tables-only"

[workspace]
"#;

/// Both programs in one crate share a build; the name `grpc_auth` exists for one of them alone.
#[test]
fn the_readme_server_compiles_in_a_crate_of_its_own_under_its_name_and_another() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let server = rust_blocks(&readme).into_iter().find(|block| block.contains("fn main")).unwrap();
    let renamed = server
        .replace("grpc_auth::protect", "renamed::protect(crate = renamed)")
        .replace("grpc_auth::", "renamed::");
    assert!(!renamed.contains("grpc_auth"), "{renamed}");

    let path = root().join("grpc-auth");
    check(&format!("grpc-auth = {{ path = {path:?} }}"), &server);
    check(&format!("renamed = {{ package = \"grpc-auth\", path = {path:?} }}"), &renamed);
}

fn check(dependency: &str, program: &str) {
    let folder = root().join("target/own-crate");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::copy(root().join("tests/proto/echo.proto"), folder.join("echo.proto")).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(folder.join("build.rs"), BUILD).unwrap();
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("GRPC_AUTH", dependency)).unwrap();
    fs::write(folder.join("src/main.rs"), program).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet"])
        .env("RUSTFLAGS", "-D warnings")
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .current_dir(&folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{dependency}:\n{stderr}");
}

fn rust_blocks(markdown: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = markdown;
    while let Some((_, start)) = rest.split_once("```rust") {
        let (_, code) = start.split_once('\n').unwrap();
        let (block, after) = code.split_once("```").unwrap();
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
