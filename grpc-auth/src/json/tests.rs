mod comparison;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::thread;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::node::Node;
use super::raw::Raw;
use super::*;

struct Nothing;

impl<'de> Members<'de> for Nothing {
    fn take<A: MapAccess<'de>>(&mut self, _: &str, _: &mut A) -> Result<bool, A::Error> {
        Ok(false)
    }
}

fn problem(json: &str) -> Option<String> {
    read_object(json.as_bytes(), &mut Nothing).err().map(|error| error.to_string())
}

fn misfit<T: DeserializeOwned>(json: &str) -> String {
    match read::<T>(json.as_bytes()) {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn strict_objects_are_read() {
    let many: Vec<_> = (0..100).map(|n| format!("\"{n}\":{n}")).collect();
    for json in [
        "{}",
        " { } ",
        r#"{"a":{"b":[1,-1,1.5,"x",null,true]},"b":{}}"#,
        &format!("{{{}}}", many.join(",")),
    ] {
        assert_eq!(problem(json), None, "{json}");
    }
}

#[test]
fn everything_else_is_rejected_by_its_reason() {
    let many: Vec<_> = (0..100).map(|n| format!("\"{n}\":{n}")).collect();
    let reserved = "a member name begins with `$serde_json::private::`, which is reserved";
    for (json, expected) in [
        (r#"{"a":1,"a":2}"#, "the member `a` occurs twice"),
        (r#"{"a":1,"\u0061":2}"#, "the member `a` occurs twice"),
        (r#"{"x":[0,{"a":1,"a":2}]}"#, "the member `x[1].a` occurs twice"),
        (r#"{"\u001b[2J":1,"\u001b[2J":2}"#, "the member `*` occurs twice"),
        (&format!("{{{},\"50\":0}}", many.join(",")), "the member `50` occurs twice"),
        (&format!("{{{},\"5\":0}}", many.join(",")), "the member `5` occurs twice"),
        (r#"{"$serde_json::private::RawValue":"{}"}"#, reserved),
        (r#"{"a":[{"\u0024serde_json::private::Number":"1"}]}"#, reserved),
        (r#"{"$serde_json::private::":1}"#, reserved),
        ("{} {}", "it is not valid JSON: something follows the document at line 1, column 3"),
        ("{}x", "it is not valid JSON: something follows the document at line 1, column 2"),
        ("\u{feff}{}", "it is not valid JSON: a value is missing at line 1, column 0"),
        ("", "it is not valid JSON: it ends early at line 1, column 0"),
        ("{\n\"a\":\n", "it is not valid JSON: it ends early at line 3, column 0"),
        ("{\"a\":NaN}", "it is not valid JSON: a value is missing at line 1, column 5"),
        ("{\"a\":1e999}", "`a` cannot be read: a number is out of range"),
        ("{\"a\":01}", "it is not valid JSON: a number is malformed at line 1, column 7"),
        ("{'a':1}", "it is not valid JSON: a member has no name at line 1, column 1"),
        ("{\"a\" 1}", "it is not valid JSON: a colon is missing at line 1, column 5"),
        ("{\"a\":1,}", "it is not valid JSON: a comma has nothing after it at line 1, column 7"),
        (
            "{\"a\":1 \"b\":1}",
            "it is not valid JSON: a comma or the end is missing at line 1, column 7",
        ),
        ("{\"a\":\"\\ud800\"}", "`a` cannot be read: a string has half of a surrogate pair"),
        ("[]", "it is an array, expected an object"),
        ("null", "it is null, expected an object"),
    ] {
        assert_eq!(problem(json).as_deref(), Some(expected), "{json}");
    }
    let error = read_object(b"{\"a\":\"\xff\"}", &mut Nothing).unwrap_err();
    assert_eq!(error.problem(), &Problem::Syntax("it is not UTF-8"));
}

#[test]
fn size_and_depth_are_bounded() {
    let padded = |bytes: usize| format!("{{{}}}", " ".repeat(bytes - 2));
    assert_eq!(problem(&padded(MAX_BYTES)), None);
    assert_eq!(problem(&padded(MAX_BYTES + 1)).as_deref(), Some("it is longer than 1 MiB"));
    let deep =
        |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
    assert_eq!(problem(&deep(127)), None);
    let too_deep = "it is nested deeper than 127 levels";
    assert_eq!(problem(&deep(128)).as_deref(), Some(too_deep));
    // The same for what is kept, what is ignored, and what is read later.
    assert_eq!(misfit::<Value>(&deep(128)), too_deep);
    assert_eq!(misfit::<HashMap<String, IgnoredAny>>(&deep(128)), too_deep);
    let later = deep(200_000);
    let later: HashMap<String, Raw<'_>> = read(later.as_bytes()).unwrap();
    let error = read::<Node<'_>>(later["a"].as_bytes()).unwrap_err();
    assert_eq!(error.problem(), &Problem::TooDeep);
}

/// A backslash is written `\u005c`: each level of escapes then grows by few characters.
fn escaped(json: &str) -> String {
    json.replace('\\', "\\u005c").replace('"', "\\u0022")
}

/// A document of documents: each inside a string of the one before, which serde_json's `RawValue`
/// parses anew, 126 levels deeper.
fn bomb(levels: usize) -> String {
    let mut inner = "1".to_owned();
    for level in 0..levels {
        let (depth, close) = if level + 1 == levels { (0, "}") } else { (125, "") };
        let name = "$serde_json::private::RawValue";
        inner = format!("{}{{\"{name}\":\"{}\"{close}", "[".repeat(depth), escaped(&inner));
    }
    inner
}

#[test]
fn nothing_ends_a_thread_with_a_small_stack() {
    let bomb = bomb(60);
    assert!(bomb.len() > 39_000);
    let nested: String = (0..2000).map(|_| r#"{"a":["#).collect();
    let inner = format!("{}{}", "[".repeat(126), "]".repeat(126));
    let deepest = format!(r#"{{"a":{inner}}}"#);
    let run = move || {
        for json in [&bomb, &format!(r#"{{"keys":[{bomb}]}}"#), &nested, &"[".repeat(200_000)] {
            assert!(read::<Value>(json.as_bytes()).is_err());
            assert!(read::<Node<'_>>(json.as_bytes()).is_err());
            assert!(read::<IgnoredAny>(json.as_bytes()).is_err());
            assert!(read_object(json.as_bytes(), &mut Nothing).is_err());
        }
        assert!(read::<Value>(deepest.as_bytes()).is_ok());
        assert!(read::<Node<'_>>(deepest.as_bytes()).is_ok());
        assert!(read::<IgnoredAny>(deepest.as_bytes()).is_ok());
    };
    // tokio's workers have 2 MiB; a quarter of it is enough.
    let thread = thread::Builder::new().stack_size(512 * 1024).spawn(run).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_value_that_is_read_later_is_checked_then() {
    let json = br#"{"keys":[{"a":1,"a":2}, [1 , {"b":[]}],"x" , {} ]}"#;
    let read_later: HashMap<String, Vec<Raw<'_>>> = read(json).unwrap();
    let keys = &read_later["keys"];
    let texts: Vec<_> = keys.iter().map(|raw| str::from_utf8(raw.as_bytes()).unwrap()).collect();
    assert_eq!(texts, [r#"{"a":1,"a":2}"#, r#"[1 , {"b":[]}]"#, r#""x""#, "{}"]);
    let error = read::<Node<'_>>(keys[0].as_bytes()).unwrap_err();
    assert_eq!(error.problem(), &Problem::Duplicate);
    for json in [
        r#"["#,
        r#"[[1,]]"#,
        r#"[{"a":}]"#,
        r#"[{"a" 1}]"#,
        r#"[{1:1}]"#,
        r#"[[1}]"#,
        r#"["\q"]"#,
        r#"["\u00"]"#,
        r#"["\ud800\q"]"#,
        "[tru]",
    ] {
        assert!(read::<Vec<Raw<'_>>>(json.as_bytes()).is_err(), "{json}");
    }
    // What has no value spoils itself alone.
    let json = br#"[{"a":"\ud800\"x"},1e999,{"\udfff":-1e999,"b":[]},2]"#;
    let texts: Vec<Raw<'_>> = read(json).unwrap();
    let values = texts.iter().map(|raw| read::<Node<'_>>(raw.as_bytes()));
    let readable: Vec<_> = values.map(|value| value.is_ok()).collect();
    assert_eq!(readable, [false, false, false, true]);
    // Only this reader hands out such texts.
    assert!(serde_json::from_str::<Raw<'_>>(r#""x""#).is_err());
}

#[derive(Debug, Deserialize, PartialEq)]
enum Shape {
    Unit,
    Newtype(u8),
    Pair(u8, String),
    Struct { size: u8 },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Tagged {
    Circle { radius: f64 },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Either {
    Number(u64),
    Text(String),
}

#[derive(Debug, Deserialize, PartialEq)]
struct Everything<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    plain: &'a str,
    letter: char,
    small: i8,
    large: u64,
    float: f32,
    wide: u128,
    flag: bool,
    missing: Option<u8>,
    null: Option<u8>,
    unit: (),
    tuple: (u8, String),
    shapes: Vec<Shape>,
    by_number: BTreeMap<u16, bool>,
    by_flag: BTreeMap<bool, u8>,
    tagged: Tagged,
    either: Vec<Either>,
    #[serde(flatten)]
    rest: HashMap<String, f64>,
}

#[test]
fn types_are_read_as_serde_json_reads_them() {
    let json = r#"{
        "text":"a\n\u00e9\ud83d\ude00\/","plain":"p","letter":"\u00fc","small":-5,
        "large":18446744073709551615,"float":1.5,"wide":7,"flag":true,"null":null,"unit":null,
        "tuple":[1,"x"],"shapes":["Unit",{"Newtype":1},{"Pair":[2,"y"]},{"Struct":{"size":3}}],
        "by_number":{"7":true,"65535":false},"by_flag":{"true":1},
        "tagged":{"radius":2,"type":"circle"},"either":[1,"one"],"more":1,"half":5e-1
    }"#;
    let ours: Everything<'_> = read(json.as_bytes()).unwrap();
    assert_eq!(ours.text, "a\né😀/");
    assert_eq!((ours.rest["more"], ours.rest["half"]), (1.0, 0.5));
    assert_eq!(ours.tagged, Tagged::Circle { radius: 2.0 });
    assert_eq!(ours.shapes.len(), 4);
    assert!(ours.by_number[&7] && !ours.by_number[&65535]);
    let value: Value = read(json.as_bytes()).unwrap();
    assert_eq!(value["shapes"][2]["Pair"][1], "y");
}

#[test]
fn a_misfit_names_the_member_and_the_types_and_no_value() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the types matter")]
    struct Outer {
        list: Vec<Inner>,
        shape: Option<Shape>,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the types matter")]
    struct Inner {
        size: u8,
    }
    #[derive(Debug, Deserialize)]
    #[serde(field_identifier, rename_all = "lowercase")]
    enum Role {
        Admin,
        User,
    }
    // A type that reads a value as if it were a name.
    let found = misfit::<HashMap<String, Role>>(r#"{"role":"canary"}"#);
    assert_eq!(found, "`role` is unknown, expected one of `admin`, `user`");
    assert!(read::<HashMap<u16, u8>>(br#"{"7":1,"65535":2}"#).is_ok());
    for name in ["007", "+7", "7 ", "65536", "x"] {
        let found = misfit::<HashMap<u16, u8>>(&format!(r#"{{"7":1,"{name}":2}}"#));
        assert_ne!(found, "accepted", "{name}");
    }
    let name = "n".repeat(128);
    let deep = format!("{}1{}", format!("{{\"{name}\":").repeat(100), "}".repeat(100));
    let deep = deep.replacen('1', r#"{"a":1,"a":2}"#, 1);
    let found = misfit::<IgnoredAny>(&deep);
    assert!(found.starts_with("the member `..n") && found.len() < 320, "{found}");
    let shown =
        |length| misfit::<HashMap<String, u8>>(&format!(r#"{{"{}":""}}"#, "n".repeat(length)));
    assert!(shown(128).starts_with(&format!("`{name}` is a string")), "{}", shown(128));
    assert!(shown(129).starts_with("`*` is a string"), "{}", shown(129));
    for (json, expected) in [
        (r#"{"list":[{"size":1}]}"#, "accepted"),
        (
            r#"{"list":[{"size":1},{"size":"canary"}]}"#,
            "`list[1].size` is a string, expected an integer in the range of u8",
        ),
        (
            r#"{"list":[{"size":777}]}"#,
            "`list[0].size` is a number, expected an integer in the range of u8",
        ),
        (r#"{"list":[{"canary":1}]}"#, "`list[0].size` is missing"),
        (r#"{"list":[["canary"]]}"#, "`list[0]` is an array, expected an object"),
        (r#"{"list":"canary"}"#, "`list` is a string, expected an array"),
        (r#"{}"#, "`list` is missing"),
        (r#"{"list":[],"other":1}"#, "`other` is unknown, expected one of `list`, `shape`"),
        (
            r#"{"list":[],"shape":"canary"}"#,
            "`shape` is unknown, expected one of `Unit`, `Newtype`, `Pair`, `Struct`",
        ),
        (
            r#"{"list":[],"shape":7}"#,
            "`shape` is a number, expected a string, or an object with one member",
        ),
        (
            r#"{"list":[],"shape":{}}"#,
            "`shape` is another value, expected an object with one member",
        ),
        (
            r#"{"list":[],"shape":{"Newtype":1,"Unit":null}}"#,
            "`shape` is an object, expected an object with one member",
        ),
        (
            r#"{"list":[],"shape":{"Newtype":"canary"}}"#,
            "`shape.Newtype` is a string, expected an integer in the range of u8",
        ),
    ] {
        assert_eq!(misfit::<Outer>(json), expected, "{json}");
    }
    assert_eq!(misfit::<(u8, u8)>("[1,2,3]"), "it is of another length, expected fewer items");
    assert_eq!(misfit::<Either>("true"), "it has a value that its type rejects");
}
