//! Why a document was rejected, in words that never quote a value from it.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::MAX_DEPTH;

/// Longest member name that a message shows.
const MAX_SHOWN_NAME: usize = 128;
/// Longest path that a message shows, and what stands for the rest.
const MAX_SHOWN_PATH: usize = 256;
const CUT: &str = "..";

/// Why a JSON document was rejected.
///
/// Its text names the member, the type that was found and the type that was expected. It holds no
/// value of the document, so that it can be logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JsonError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    problem: Problem,
    /// From the outermost member to the innermost: `realm_access.roles[2]`.
    path: String,
    line: usize,
    column: usize,
}

/// The kinds of mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The text is not JSON (RFC 8259).
    Syntax(&'static str),
    /// A string or a number that the grammar allows and that has no value: half of a surrogate pair,
    /// an infinite number.
    NoValue(&'static str),
    TooLong,
    TooDeep,
    /// An object has two members of one name.
    Duplicate,
    /// A member has a name that serde_json gives a meaning of its own.
    Reserved,
    Type {
        found: &'static str,
        expected: String,
    },
    Missing,
    /// A member, or a variant, that the type does not have.
    Unknown {
        expected: String,
    },
    /// A type rejected its value; its own words may quote the value and are left out.
    Value,
}

impl JsonError {
    #[cold]
    pub(super) fn new(problem: Problem) -> Self {
        Self(Box::new(Inner { problem, path: String::new(), line: 0, column: 0 }))
    }

    #[cold]
    pub(super) fn no_value(what: &'static str) -> Self {
        Self::new(Problem::NoValue(what))
    }

    #[cold]
    pub(super) fn syntax(what: &'static str) -> Self {
        Self::new(Problem::Syntax(what))
    }

    /// The error of the value of a member.
    #[cold]
    pub(super) fn in_member(self, name: &str) -> Self {
        self.within(shown(name))
    }

    /// The error of an item of an array.
    #[cold]
    pub(super) fn in_item(self, index: usize) -> Self {
        self.within(&format!("[{index}]"))
    }

    /// A sender chooses the names: only the innermost ones are kept.
    fn within(mut self, outer: &str) -> Self {
        if self.0.path.len() + outer.len() > MAX_SHOWN_PATH {
            if !self.0.path.starts_with(CUT) {
                self.0.path.insert_str(0, CUT);
            }
            return self;
        }
        let separator = match self.0.path.chars().next() {
            None | Some('[') => "",
            Some(_) => ".",
        };
        self.0.path = format!("{outer}{separator}{}", self.0.path);
        self
    }

    /// Names the member, if it is one that the type does not have.
    #[cold]
    pub(super) fn of_name(self, name: &str) -> Self {
        match self.0.problem {
            Problem::Unknown { .. } => self.in_member(name),
            _ => self,
        }
    }

    #[cold]
    pub(super) fn at(mut self, text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let last_line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.0.line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        self.0.column = before.len() - last_line;
        self
    }

    pub(crate) fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Which member it is about, like `address.city` or `roles[2]`; `.` is the whole document.
    pub(crate) fn path(&self) -> &str {
        if self.0.path.is_empty() { "." } else { &self.0.path }
    }

    /// Where reading stopped, from 1; column 0 is before the first character.
    pub(crate) fn line_and_column(&self) -> (usize, usize) {
        (self.0.line, self.0.column)
    }

    /// Whether a value is of another type than expected, or out of range.
    pub(crate) fn is_misfit(&self) -> bool {
        matches!(self.0.problem, Problem::Type { .. } | Problem::NoValue(_))
    }

    /// Whether the document is no JSON object at all.
    pub(crate) fn is_no_object(&self) -> bool {
        match self.0.problem {
            Problem::Syntax(_) => true,
            Problem::Type { .. } => self.0.path.is_empty(),
            _ => false,
        }
    }
}

/// A name may come from the document: only what looks like a name is shown.
fn shown(name: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/#".contains(&byte);
    let is_shown = !name.is_empty() && name.len() <= MAX_SHOWN_NAME && name.bytes().all(is_plain);
    if is_shown { name } else { "*" }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { problem, path, line, column } = &*self.0;
        let member = |f: &mut fmt::Formatter<'_>| match &**path {
            "" => f.write_str("it"),
            path => write!(f, "`{path}`"),
        };
        match problem {
            Problem::Syntax(what) => {
                write!(f, "it is not valid JSON: {what} at line {line}, column {column}")
            }
            Problem::NoValue(what) => {
                member(f)?;
                write!(f, " cannot be read: {what}")
            }
            Problem::TooLong => f.write_str("it is longer than 1 MiB"),
            Problem::TooDeep => write!(f, "it is nested deeper than {MAX_DEPTH} levels"),
            Problem::Duplicate => write!(f, "the member `{path}` occurs twice"),
            Problem::Reserved => {
                f.write_str("a member name begins with `$serde_json::private::`, which is reserved")
            }
            Problem::Type { found, expected } => {
                member(f)?;
                write!(f, " is {found}, expected {expected}")
            }
            Problem::Missing => write!(f, "`{path}` is missing"),
            Problem::Unknown { expected } => {
                member(f)?;
                write!(f, " is unknown, expected {expected}")
            }
            Problem::Value => {
                member(f)?;
                f.write_str(" has a value that its type rejects")
            }
        }
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonError({self})")
    }
}

impl std::error::Error for JsonError {}

/// The kind of a value, without the value.
fn kind(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map | Unexpected::StructVariant => "an object",
        _ => "another value",
    }
}

/// What a type expects, in words of JSON: serde names types of Rust.
fn plain(expected: &str) -> String {
    match expected {
        "f32" | "f64" => "a number".into(),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128"
        | "isize" => format!("an integer in the range of {expected}"),
        "a sequence" => "an array".into(),
        "a map" => "an object".into(),
        "unit" => "null".into(),
        other => match other.starts_with("struct ") {
            true => "an object".into(),
            false => other.into(),
        },
    }
}

fn one_of(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "none".into(),
        [one] => one.clone(),
        _ => format!("one of {}", names.join(", ")),
    }
}

impl de::Error for JsonError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new(Problem::Value)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::Type { found: kind(&found), expected: plain(&expected.to_string()) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        let found = "of another length";
        Self::new(Problem::Type { found, expected: plain(&expected.to_string()) })
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::Unknown { expected: one_of(expected) })
    }

    /// The name may be a value, where a type reads one as if it were a name. The reader adds the name
    /// of a member.
    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::Unknown { expected: one_of(expected) })
    }

    fn missing_field(name: &'static str) -> Self {
        Self::new(Problem::Missing).in_member(name)
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::new(Problem::Duplicate).in_member(name)
    }
}
