//! Each row of the README's denial table has a test, which `tests/README.md` names.

use std::fs;
use std::path::{Path, PathBuf};

/// The first two cells of each row of the first table after this heading.
fn rows(text: &str, heading: &str) -> Vec<(String, String)> {
    let table = text.split_once(heading).unwrap().1;
    let lines = table.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ");
        let mut cell = || cells.next().unwrap_or_default().trim().to_owned();
        (cell(), cell())
    })
    .collect()
}

fn code(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            code(&path, found);
        } else {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn each_row_of_the_denial_table_has_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(tests.join(path)).unwrap();
    let table = rows(&read("../README.md"), "## What is denied by default");
    let listed = rows(&read("README.md"), "## The tests of the README's denial table");
    assert_eq!(table.len(), listed.len());
    let mut all = String::new();
    code(&tests.join("suite"), &mut all);
    for ((row, _), (start, names)) in table.iter().zip(&listed) {
        assert!(row.starts_with(start), "`{row}` is listed as `{start}`");
        let mut names = names.split(", ").map(|name| name.trim_matches('`')).peekable();
        assert!(names.peek().is_some_and(|name| !name.is_empty()), "`{start}` has no test");
        for name in names {
            assert!(all.contains(&format!("fn {name}()")), "there is no test `{name}`");
        }
    }
}
