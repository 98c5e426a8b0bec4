//! Generates the Echo service without `protoc`.

use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["echo.proto"], ["proto"])?;
    let descriptor = PathBuf::from(std::env::var("OUT_DIR")?).join("echo_descriptor.bin");
    std::fs::write(descriptor, files.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
