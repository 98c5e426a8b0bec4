//! Comparing a table with a `FileDescriptorSet` while the user's crate compiles.
//!
//! It walks the protobuf encoding itself: nothing but `const fn` runs at that time. Field numbers
//! are those of `google/protobuf/descriptor.proto`.

#![expect(clippy::panic, reason = "it runs while compiling: a panic is a compile error")]

use super::service_policy::same;

const FILE: u64 = 1;
const FILE_PACKAGE: u64 = 2;
const FILE_SERVICE: u64 = 6;
const SERVICE_NAME: u64 = 1;
const SERVICE_METHOD: u64 = 2;
const METHOD_NAME: u64 = 1;

/// Checks that the service has exactly the RPCs that have rows.
///
/// # Panics
/// In a constant, a compile error that names every RPC without a row and every row without one.
#[track_caller]
pub(crate) const fn check_descriptor(descriptor: &[u8], service: &str, rows: &[&str]) {
    let Some(methods) = find_service(descriptor, service) else {
        let message = Text::new()
            .add("the descriptor does not contain the service `")
            .add(service)
            .add("`\n\nhelp: give `descriptor = ..` the file descriptor set of this service");
        panic!("{}", message.as_str());
    };
    let mut problems = Text::new();
    let mut position = 0;
    let mut rest = methods;
    while let Some((number, field, tail)) = next_field(rest) {
        rest = tail;
        if number != SERVICE_METHOD {
            continue;
        }
        let Some(rpc) = find_field(field, METHOD_NAME) else { continue };
        // Rows mostly stand in the order of the `.proto` file.
        if !contains_near(rows, position, rpc) {
            problems = problems
                .add("\nthe RPC `")
                .add_bytes(rpc)
                .add("` of `")
                .add(service)
                .add("` has no row: annotate its method, with `rpc = \"")
                .add_bytes(rpc)
                .add("\"` if the method's name does not tell it");
        }
        position += 1;
    }
    let mut rest = rows;
    let mut cursor = methods;
    while let [row, tail @ ..] = rest {
        rest = tail;
        match find_method(cursor, row) {
            Some(after) => cursor = after,
            None if find_method(methods, row).is_some() => {}
            None => {
                problems = problems
                    .add("\nthe row `")
                    .add(row)
                    .add("` is no RPC of `")
                    .add(service)
                    .add("`: write `rpc = \"..\"` with the name in the `.proto` file");
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.as_str());
}

/// The `ServiceDescriptorProto` with this full name.
#[track_caller]
const fn find_service<'a>(descriptor: &'a [u8], service: &str) -> Option<&'a [u8]> {
    let mut files = descriptor;
    while let Some((number, file, tail)) = next_field(files) {
        files = tail;
        if number != FILE {
            continue;
        }
        let package: &[u8] = match find_field(file, FILE_PACKAGE) {
            Some(package) => package,
            None => &[],
        };
        let mut fields = file;
        while let Some((number, candidate, tail)) = next_field(fields) {
            fields = tail;
            if number != FILE_SERVICE {
                continue;
            }
            if let Some(name) = find_field(candidate, SERVICE_NAME)
                && is_full_name(service.as_bytes(), package, name)
            {
                return Some(candidate);
            }
        }
    }
    None
}

/// `package.name`, or `name` in a file without a package.
const fn is_full_name(full: &[u8], package: &[u8], name: &[u8]) -> bool {
    let Some((start, end)) = full.split_at_checked(full.len().saturating_sub(name.len())) else {
        return false;
    };
    if !same_bytes(end, name) {
        return false;
    }
    match start {
        [] => package.is_empty(),
        [start @ .., b'.'] => !package.is_empty() && same_bytes(start, package),
        _ => false,
    }
}

/// What follows the method of this name in a `ServiceDescriptorProto`.
#[track_caller]
const fn find_method<'a>(service: &'a [u8], rpc: &str) -> Option<&'a [u8]> {
    let mut rest = service;
    while let Some((number, field, tail)) = next_field(rest) {
        rest = tail;
        if number == SERVICE_METHOD
            && let Some(name) = find_field(field, METHOD_NAME)
            && same_bytes(name, rpc.as_bytes())
        {
            return Some(rest);
        }
    }
    None
}

const fn contains_near(rows: &[&str], position: usize, rpc: &[u8]) -> bool {
    let (before, after) = match rows.split_at_checked(position) {
        Some(halves) => halves,
        None => (rows, rows.split_at(rows.len()).1),
    };
    contains(after, rpc) || contains(before, rpc)
}

const fn contains(rows: &[&str], rpc: &[u8]) -> bool {
    let mut rest = rows;
    while let [row, tail @ ..] = rest {
        if same_bytes(row.as_bytes(), rpc) {
            return true;
        }
        rest = tail;
    }
    false
}

/// The first length-delimited field of this number. A string given twice counts with its last
/// value in protobuf; compilers write it once.
#[track_caller]
const fn find_field(message: &[u8], wanted: u64) -> Option<&[u8]> {
    let mut rest = message;
    while let Some((number, field, tail)) = next_field(rest) {
        if number == wanted {
            return Some(field);
        }
        rest = tail;
    }
    None
}

/// The next field: its number, its bytes if it is length-delimited, and what follows.
#[track_caller]
const fn next_field(message: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    if message.is_empty() {
        return None;
    }
    let (key, rest) = varint(message);
    let (length, rest) = match key & 7 {
        0 => return Some((key >> 3, &[], varint(rest).1)),
        1 => (8, rest),
        2 => varint(rest),
        5 => (4, rest),
        _ => panic!("`descriptor` is no file descriptor set"),
    };
    match rest.split_at_checked(length as usize) {
        Some((field, tail)) => Some((key >> 3, field, tail)),
        None => panic!("`descriptor` is no file descriptor set: it ends early"),
    }
}

#[track_caller]
const fn varint(bytes: &[u8]) -> (u64, &[u8]) {
    let mut rest = bytes;
    let mut value = 0;
    let mut shift = 0;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        value |= ((*byte & 0x7f) as u64) << shift;
        shift += 7;
        if *byte & 0x80 == 0 {
            return (value, rest);
        }
        assert!(shift < 64, "`descriptor` is no file descriptor set: a number is too long");
    }
    panic!("`descriptor` is no file descriptor set: it ends early")
}

const fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    match (std::str::from_utf8(a), std::str::from_utf8(b)) {
        (Ok(a), Ok(b)) => same(a, b),
        _ => false,
    }
}

/// A string put together while compiling; what does not fit is cut off.
struct Text {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl Text {
    const CAPACITY: usize = 4096;

    const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], length: 0 }
    }

    const fn add(self, text: &str) -> Self {
        self.add_bytes(text.as_bytes())
    }

    const fn add_bytes(mut self, text: &[u8]) -> Self {
        let mut rest = text;
        while let [byte, tail @ ..] = rest {
            let Some((_, [slot, ..])) = self.bytes.split_at_mut_checked(self.length) else {
                return self;
            };
            *slot = *byte;
            self.length += 1;
            rest = tail;
        }
        self
    }

    const fn is_empty(&self) -> bool {
        self.length == 0
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "the descriptor and the table differ",
        }
    }
}
