//! The modules of the runtime form layers: each imports lower ones alone, and no files import each
//! other, but a parent and its children.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules, from the lowest. `CONTRIBUTING.md` says what is in each.
const ORDER: [&str; 28] = [
    "sync",
    "lock",
    "panics",
    "json",
    "sanitize_untrusted",
    "private_file",
    "clock",
    "error",
    "single_flight",
    "jose",
    "http",
    "token",
    "policy",
    "metrics",
    "danger",
    "tls",
    "redis",
    "client_authentication",
    "jwks",
    "issuer",
    "verify",
    "introspection",
    "proof_of_possession",
    "server",
    "client",
    "login",
    "doctor",
    "testing",
];

/// The crate root, what macros name, and the program, which has modules of its own.
const ABOVE: [&str; 4] = ["lib", "__private", "observability", "cli"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../grpc-auth/src")
}

/// Every module of the library by its path, `server::guard`, with the code of its file.
fn modules() -> BTreeMap<String, String> {
    fn read(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let module = if prefix.is_empty() { name.clone() } else { format!("{prefix}::{name}") };
            if path.is_dir() {
                read(&path, &module, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = if name == "mod" { prefix.to_owned() } else { module };
                found.insert(module, code(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    let mut found = BTreeMap::new();
    read(&source(), "", &mut found);
    found.retain(|module, _| !ABOVE.contains(&top(module)) && !module.contains("tests"));
    found
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

/// Without comments and without the unit tests, which stand at the end of a file.
fn code(text: &str) -> String {
    let text = text.find("#[cfg(test)]\nmod tests").map_or(text, |end| &text[..end]);
    let text = text.find("#[cfg(test)]\n#[path").map_or(text, |end| &text[..end]);
    text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The paths of `use` items and those written in the code, as they are written.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for item in code.split(';') {
        let begin = item.rfind("\nuse ").map(|at| at + 5).or(item.rfind(" use ").map(|at| at + 5));
        match begin {
            Some(begin) => flatten("", &item[begin..], &mut found),
            None => found.extend(inline(item)),
        }
    }
    found.extend(code.split(';').filter(|item| item.contains("use ")).flat_map(|item| {
        let end = item.rfind("use ").unwrap_or(item.len());
        inline(&item[..end])
    }));
    found
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn flatten(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or(tree);
        found.push(format!("{prefix}{name}"));
        return;
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut from) = (0, 0);
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[from..at].trim().is_empty() {
                    flatten(&prefix, &inner[from..at], found);
                }
                from = (at + 1).min(inner.len());
            }
            _ => {}
        }
    }
}

fn inline(code: &str) -> Vec<String> {
    let is_path = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    code.split(|letter| !is_path(letter))
        .filter(|path| path.starts_with("crate::") || path.starts_with("super::"))
        .map(str::to_owned)
        .collect()
}

/// The module that a path in this module leads to, if it is one of the library.
fn resolve(module: &str, path: &str, modules: &BTreeMap<String, String>) -> Option<String> {
    let mut here: Vec<&str> = module.split("::").collect();
    let mut path: Vec<&str> = path.split("::").collect();
    let is_child = modules.contains_key(&format!("{module}::{}", path[0]));
    let absolute = match path[0] {
        "crate" => path.split_off(1),
        "super" | "self" => {
            while let Some("super" | "self") = path.first().copied() {
                if path.remove(0) == "super" {
                    here.pop();
                }
            }
            [here, path].concat()
        }
        _ if is_child => [here, path].concat(),
        _ => return None,
    };
    (1..=absolute.len())
        .rev()
        .map(|length| absolute[..length].join("::"))
        .find(|name| modules.contains_key(name))
}

fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let modules = modules();
    let of = |(module, code): (&String, &String)| {
        let found = paths(code).into_iter().filter_map(|path| resolve(module, &path, &modules));
        (module.clone(), found.filter(|other| other != module).collect())
    };
    modules.iter().map(of).collect()
}

#[test]
fn a_module_imports_lower_ones_alone() {
    let place = |module: &str| ORDER.iter().position(|name| *name == top(module));
    let mut wrong = Vec::new();
    let imports = imports();
    for (module, others) in &imports {
        let Some(own) = place(module) else {
            panic!("`{module}` is in no layer: add it to `ORDER` and to CONTRIBUTING.md")
        };
        for other in others.iter().filter(|other| top(other) != top(module)) {
            if place(other).is_none_or(|place| place > own) {
                wrong.push(format!("`{module}` imports `{other}`, which is above it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The test would see nothing if it read nothing.
    assert!(imports["server::admission"].contains("policy::index"), "{imports:?}");
    assert!(imports.len() > 150, "{}", imports.len());
}

#[test]
fn no_files_import_each_other() {
    let is_family = |one: &str, other: &str| {
        one.starts_with(&format!("{other}::")) || other.starts_with(&format!("{one}::"))
    };
    let mut graph = imports();
    for (module, others) in &mut graph {
        others.retain(|other| !is_family(module, other));
    }
    // What imports nothing that is left is in no circle.
    loop {
        let done: Vec<_> = graph
            .iter()
            .filter(|(_, others)| others.is_empty())
            .map(|(name, _)| name.clone())
            .collect();
        if done.is_empty() {
            break;
        }
        for name in done {
            graph.remove(&name);
            graph.values_mut().for_each(|others| {
                others.remove(&name);
            });
        }
    }
    let told: Vec<_> = graph.iter().map(|(name, others)| format!("{name} -> {others:?}")).collect();
    assert!(told.is_empty(), "these files are in a circle, or import one:\n{}", told.join("\n"));
}

#[test]
fn use_trees_and_paths_are_read() {
    let mut found = Vec::new();
    flatten("", "crate::a::{b, c::{d as x, e}}", &mut found);
    assert_eq!(found, ["crate::a::b", "crate::a::c::d", "crate::a::c::e"]);
    let code = "fn f() {}\nuse super::g;\nfn h() { crate::i::j(); }";
    let mut found = paths(code);
    found.sort();
    assert_eq!(found, ["crate::i::j", "super::g"]);
}

#[test]
fn the_map_in_contributing_has_every_module() {
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("../CONTRIBUTING.md");
    let map = fs::read_to_string(map).unwrap();
    let map = &map[map.find("```text").unwrap()..];
    let words: BTreeSet<&str> =
        map.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<_> = ORDER.iter().filter(|module| !words.contains(**module)).collect();
    assert!(missing.is_empty(), "CONTRIBUTING.md does not say what is in {missing:?}");
}
