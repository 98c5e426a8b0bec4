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
    Ok(())
}
