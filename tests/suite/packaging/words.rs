//! Words that make a sentence hard to read do not come back: the actor is named, and the field's
//! term is used.

use std::fs;
use std::path::{Path, PathBuf};

/// The rule: the subject of a sentence is a thing in the code or a role.
const WORDS: [&str; 22] = [
    "nobody",
    "whoever",
    "stranger",
    "strangers",
    "somebody",
    "as good as",
    "is none",
    "are none",
    "stands in",
    "is told",
    "let go",
    "lets go",
    "believed",
    "believe",
    "believes",
    "whomever",
    "someone",
    "anybody",
    "asked about",
    "are told",
    "be told",
    "spelt",
];

/// Every line of these is read, in files of code the string literals too.
const PLACES: [&str; 8] = [
    "grpc-auth/src",
    "grpc-auth-macros/src",
    "examples",
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "tests/README.md",
];

/// Of these comments are read, and documents whole.
const TESTS: [&str; 6] = [
    "tests/benches",
    "tests/fuzz/targets",
    "tests/interop",
    "tests/models/src",
    "tests/src",
    "tests/suite",
];

/// A line may have a word for a reason: its file, a part of it, the reason.
const EXCEPTIONS: [(&str, &str, &str); 1] =
    [("README.md", "unwrap_or(\"someone\")", "a value that the example prints")];

fn is_read(path: &str, line: &str) -> bool {
    let is_code_of_tests =
        TESTS.iter().any(|place| path.starts_with(place)) && !path.ends_with(".md");
    !is_code_of_tests || line.trim_start().starts_with("//")
}

/// Without what a build made.
fn files(place: &Path, found: &mut Vec<PathBuf>) {
    if place.ends_with("target") {
        return;
    }
    if place.is_dir() {
        for entry in fs::read_dir(place).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    } else if place.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
        found.push(place.to_owned());
    }
}

/// Whether the line has the words as words of their own.
fn has(line: &str, words: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(words).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + words.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[test]
fn hard_words_do_not_come_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    PLACES.iter().chain(&TESTS).for_each(|place| files(&root.join(place), &mut all));
    assert!(all.len() > 350, "{}", all.len());
    let mut found = Vec::new();
    for path in all {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let lower = line.to_lowercase();
            let is_exception =
                |(file, part, _): &(&str, &str, &str)| name == *file && line.contains(part);
            if !is_read(&name, line) || EXCEPTIONS.iter().any(is_exception) {
                continue;
            }
            for word in WORDS.iter().filter(|word| has(&lower, word)) {
                found.push(format!("{name}:{}: `{word}`: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "name the actor (the caller, the client, the issuer, ..) and use the field's term:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_word_is_found_as_a_word_alone() {
    assert!(has("so nobody calls", "nobody"));
    assert!(has("which is none.", "is none"));
    assert!(!has("entry.is_none()", "is none"));
    assert!(!has("unbelieved", "believed"));
    assert!(is_read("tests/suite/main.rs", "    // so nobody calls"));
    assert!(!is_read("tests/suite/main.rs", "let nobody = 1;"));
    assert!(is_read("grpc-auth/src/lib.rs", "let nobody = 1;"));
}
