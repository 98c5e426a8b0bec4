//! Generates the services of the tests without `protoc`.

use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["echo.proto", "kit.proto"], ["proto"])?;
    let descriptor = PathBuf::from(std::env::var("OUT_DIR")?).join("kit_descriptor.bin");
    std::fs::write(descriptor, files.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(files)?;
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .use_arc_self(true)
        .compile_fds(protox::compile(["stubs.proto"], ["proto"])?)?;
    readme()
}

/// Makes the README's blocks run: the server becomes a module, its test a program that uses it.
fn readme() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../README.md");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let readme = std::fs::read_to_string("../README.md")?;
    let server = readme
        .split_once("```rust,no_run\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(server, _)| server)
        .ok_or("the README has no server")?;
    std::fs::write(out.join("readme_server.rs"), server)?;

    let test = "async fn only_readers_get_an_echo()";
    if !readme.contains(test) {
        return Err("the README has no test".into());
    }
    let runnable = readme
        .replace("use super::{", "use tests::readme::{")
        .replace("#[tokio::test]", "#[tokio::main(flavor = \"current_thread\")]")
        .replace(test, "async fn main()");
    std::fs::write(out.join("readme.md"), runnable)?;
    Ok(())
}
