//! A file of tests that no module lists would never run; a setting that no test uses may do nothing.

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

/// The files with the setters of a builder.
const SETTINGS: [&str; 4] =
    ["client/oauth_client.rs", "login/browser.rs", "login/device.rs", "login/mod.rs"];

#[test]
fn every_setting_of_a_client_and_of_a_login_is_used_by_a_test() {
    fn read(folder: &Path, tests: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, tests);
            } else {
                tests.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    read(&folder.join("suite"), &mut tests);
    let mut settings = 0;
    for file in SETTINGS {
        let source = fs::read_to_string(folder.join("../grpc-auth/src").join(file)).unwrap();
        let methods = source.split("pub fn ").skip(1);
        let is_setter = |method: &&str| method.split(')').next().unwrap().contains("mut self");
        for setter in methods.filter(is_setter) {
            let name = setter.split(['(', '<']).next().unwrap();
            settings += 1;
            assert!(tests.contains(&format!(".{name}(")), "no test uses `{name}` of {file}");
        }
    }
    assert!(settings > 14, "{settings}");
}
