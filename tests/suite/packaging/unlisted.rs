//! A file of tests that no module lists would never run.

use std::fs;
use std::path::Path;

/// The files in this folder that their parent, `listing`, does not list.
fn unlisted(folder: &Path, listing: &Path, found: &mut Vec<String>) -> usize {
    let text = fs::read_to_string(listing).unwrap();
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let inside = path.join("mod.rs");
            let beside = folder.join(format!("{name}.rs"));
            files += unlisted(&path, if inside.is_file() { &inside } else { &beside }, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files += 1;
            let is_listed = text.lines().any(|line| {
                line == format!("mod {name};") || line.ends_with(&format!(" mod {name};"))
            });
            let is_root = path == *listing || name == "mod";
            if !is_listed && !is_root {
                found.push(path.display().to_string());
            }
        }
    }
    files
}

#[test]
fn every_file_of_tests_is_listed() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite");
    let mut found = Vec::new();
    let files = unlisted(&suite, &suite.join("main.rs"), &mut found);
    assert!(files > 100, "{files}");
    assert!(found.is_empty(), "no module lists these files:\n{}", found.join("\n"));
}
