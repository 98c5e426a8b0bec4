//! Bytes at one of the doors: the one that the variable `DOOR` names. First come the documents that
//! are hostile by their form, on the stack that the fuzzer has.
//!
//! Without `DOOR` it prints the doors, a line each: the name, and the longest document in bytes. It
//! writes large documents into the folder that `LARGE` names, for doors that take some: a fuzzer
//! rarely makes a small one grow.
#![no_main]

#[path = "../at_once.rs"]
mod at_once;
#[path = "../doors.rs"]
mod doors;
#[path = "../properties.rs"]
mod properties;

use std::path::Path;
use std::process::exit;
use std::sync::OnceLock;

use doors::{DOORS, Door, bomb, hostile_values};

/// Documents up to this length are reached from small ones.
const SMALL: usize = 16 * 1024;

static DOOR: OnceLock<&Door> = OnceLock::new();

fn begin() {
    let Ok(name) = std::env::var("DOOR") else {
        let folder = std::env::var("LARGE").expect("LARGE names a folder");
        list(Path::new(&folder)).expect("a folder to write into");
        exit(0);
    };
    let door = DOORS.iter().find(|door| door.name == name).expect("a door of this name");
    let mut values = hostile_values(door.limit / 2);
    values.push((bomb(door.limit.saturating_sub(1024)), "which is reserved"));
    for (value, cause) in values {
        for document in door.with_member(&value) {
            let verdict = (door.verdict)(&document).expect_err("it is rejected");
            assert!(verdict.contains(cause), "{name}: {verdict}");
        }
    }
    DOOR.set(door).ok();
}

fn list(folder: &Path) -> std::io::Result<()> {
    for door in DOORS {
        println!("{} {}", door.name, door.limit);
        if door.limit <= SMALL {
            continue;
        }
        let member = r#"{"text":"a\n\u00e9","list":[1,-2.5e3,null,true,{"a":{"b":[]}}]}"#;
        let room = (door.limit - 1024) / (member.len() + 1);
        let value = format!("[{}]", vec![member; room.min(4000)].join(","));
        for (number, document) in door.with_member(&value).iter().enumerate() {
            let folder = folder.join(format!("{}_large", door.name));
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join(number.to_string()), document)?;
        }
    }
    Ok(())
}

libfuzzer_sys::fuzz_target!(
    init: begin(),
    |data: &[u8]| if let Some(door) = DOOR.get() {
        (door.check)(data);
    }
);
