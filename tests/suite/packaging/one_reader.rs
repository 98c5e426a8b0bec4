//! The runtime reads JSON that others wrote with its own reader alone: `grpc-auth/src/json`.

use std::fs;
use std::path::{Path, PathBuf};

/// What would read JSON with serde_json, whose verdict depends on features that any crate of a
/// program can switch on.
const OTHER_READERS: [&str; 6] = [
    "serde_json::from_",
    "serde_json::Deserializer",
    "serde_json::StreamDeserializer",
    "serde_json::value::RawValue",
    "use serde_json::from_",
    ".json()",
];

/// Where another reader is meant: it judges what this one accepted.
const ORACLES: [&str; 1] = ["testing/fuzz/mod.rs"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The lines that are neither comments nor tests.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| *line != "#[cfg(test)]");
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn no_other_reader_of_json_is_used() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("grpc-auth/src");
    let (mut seen, mut found) = (0, Vec::new());
    for path in files(&source) {
        let name = path.strip_prefix(&source).unwrap().to_str().unwrap().replace('\\', "/");
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        let is_source = name.ends_with(".rs") && !is_test;
        if !is_source || ORACLES.contains(&&*name) {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).unwrap();
        for (line, code) in code(&text) {
            if OTHER_READERS.iter().any(|reader| code.contains(reader)) {
                found.push(format!("grpc-auth/src/{name}:{}: {}", line + 1, code.trim()));
            }
        }
    }
    assert!(seen > 200, "{seen} files");
    assert!(found.is_empty(), "read it with `crate::json::read` instead:\n{}", found.join("\n"));
}
