//! What `#[protect]` costs the compiler: an impl of many annotated methods against the same impl
//! without annotations. `cargo bench -p tests --bench expansion` prints seconds and their ratio.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const METHODS: usize = 1_000;
const RUNS: usize = 3;

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = workspace.join("target/expansion-cost");
    write_crates(workspace, &folder);
    for command in ["check", "build"] {
        let plain = seconds(&folder, command, "plain");
        let protected = seconds(&folder, command, "protected");
        println!(
            "cargo {command}, {METHODS} methods: plain {plain:.2?}, protected {protected:.2?}, \
             {:.2} ms more a method, ratio {:.2}",
            (protected.saturating_sub(plain)).as_secs_f64() * 1000.0 / METHODS as f64,
            protected.as_secs_f64() / plain.as_secs_f64(),
        );
    }
}

/// The fastest of several runs over a changed file, with all dependencies built.
fn seconds(folder: &Path, command: &str, package: &str) -> Duration {
    let source = folder.join(package).join("src/lib.rs");
    let run = || {
        fs::write(&source, fs::read(&source).unwrap()).unwrap();
        let start = Instant::now();
        let status = Command::new(env!("CARGO"))
            .args([command, "--quiet", "-p", package])
            .current_dir(folder)
            .status();
        assert!(status.unwrap().success(), "cargo {command} -p {package}");
        start.elapsed()
    };
    run();
    (0..RUNS).map(|_| run()).min().unwrap()
}

fn write_crates(workspace: &Path, folder: &Path) {
    let write = |path: &str, text: &str| {
        let path: PathBuf = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let grpc_auth = workspace.join("grpc-auth").display().to_string();
    write(
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\"pb\", \"plain\", \"protected\"]\n",
    );
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let manifest = |name: &str, more: &str| {
        format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\ntonic = \"0.14\"\ntonic-prost = \"0.14\"\nprost = \"0.14\"\n{more}"
        )
    };
    let build = "\n[build-dependencies]\nprotox = \"0.10\"\nprost = \"0.14\"\ntonic-prost-build = \"0.14\"\n";
    write("pb/Cargo.toml", &manifest("pb", build));
    write(
        "pb/build.rs",
        "use prost::Message;\nfn main() {\n    let files = protox::compile([\"many.proto\"], \
         [\".\"]).unwrap();\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
         std::fs::write(out + \"/many.bin\", files.encode_to_vec()).unwrap();\n    \
         tonic_prost_build::compile_fds(files).unwrap();\n}\n",
    );
    write(
        "pb/src/lib.rs",
        "tonic::include_proto!(\"many\");\npub const DESCRIPTOR: &[u8] = \
         tonic::include_file_descriptor_set!(\"many\");\n",
    );

    let mut proto =
        "syntax = \"proto3\";\npackage many;\nmessage M {}\nservice Many {\n".to_owned();
    let head = "use pb::M;\nuse pb::many_server::{Many, ManyServer};\nuse tonic::{Request, \
                Response, Status};\npub struct Service;\npub type Server = \
                ManyServer<Service>;\n";
    let mut plain = format!("{head}#[tonic::async_trait]\nimpl Many for Service {{\n");
    let mut protected = format!(
        "{head}#[grpc_auth::protect(descriptor = pb::DESCRIPTOR)]\n#[tonic::async_trait]\n\
         impl Many for Service {{\n"
    );
    for n in 0..METHODS {
        let method = format!(
            "async fn do_thing{n}(&self, request: Request<M>) -> Result<Response<M>, Status> {{\n\
             Ok(Response::new(request.into_inner()))\n}}\n"
        );
        writeln!(proto, "rpc DoThing{n}(M) returns (M);").unwrap();
        plain.push_str(&method);
        writeln!(protected, "#[require_scopes(\"do:{n}\", any(\"a\", \"b\"))]\n{method}").unwrap();
    }
    proto.push('}');
    plain.push('}');
    protected.push('}');
    write("pb/many.proto", &proto);
    let depends = "pb = { path = \"../pb\" }\n";
    write("plain/Cargo.toml", &manifest("plain", depends));
    write("plain/src/lib.rs", &plain);
    let depends = format!("{depends}grpc-auth = {{ path = \"{grpc_auth}\" }}\n");
    write("protected/Cargo.toml", &manifest("protected", &depends));
    write("protected/src/lib.rs", &protected);
}
