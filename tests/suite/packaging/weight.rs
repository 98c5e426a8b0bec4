//! What `grpc-auth` adds to a tonic server, as cargo sees it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "weight"
version = "0.0.0"
edition = "2024"

[lib]
path = "lib.rs"

[dependencies]
prost = "0.14"
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
tonic = "0.14"
tonic-prost = "0.14"
GRPC_AUTH

[workspace]
"#;

#[test]
fn it_adds_at_most_75_crates_no_syn_and_one_tls_stack_to_a_tonic_server() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let bare = packages(root, "");
    let path = root.join("grpc-auth");
    let with = packages(root, &format!("grpc-auth = {{ path = {path:?} }}"));
    let added: Vec<_> = with.difference(&bare).collect();
    println!("{} crates added to {}: {added:?}", added.len(), bare.len());
    assert!(added.len() <= 75, "{} crates added: {added:?}", added.len());

    let versions_of =
        |name: &str| with.iter().filter(|package| package.split(' ').next() == Some(name)).count();
    assert!(
        !added.iter().any(|package| package.starts_with("syn ")),
        "a syn of its own: {added:?}"
    );
    assert_eq!(versions_of("aws-lc-rs"), 1);
    assert_eq!(versions_of("rustls"), 1);
    assert_eq!(versions_of("reqwest"), 1);
    for other in ["ring", "openssl", "native-tls", "rsa", "p256", "ed25519-dalek", "jsonwebtoken"] {
        assert_eq!(versions_of(other), 0, "{other}");
    }
}

/// Every crate that is compiled for it, on this platform, by name and version.
fn packages(root: &Path, dependency: &str) -> BTreeSet<String> {
    let folder: PathBuf = root.join("target/weight");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("lib.rs"), "").unwrap();
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("GRPC_AUTH", dependency)).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.split(" (").next().unwrap_or_default().to_owned())
        .filter(|package| !package.starts_with("weight "))
        .collect()
}
