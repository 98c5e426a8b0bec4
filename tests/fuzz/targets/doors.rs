//! Prints the doors, a line each: the name, and the longest document in bytes. With a folder as its
//! argument it writes large documents into it, for doors that take some: a fuzzer rarely makes a small
//! one grow.

use std::path::PathBuf;

use grpc_auth::testing::fuzz::DOORS;

/// Documents up to this length are reached from small ones.
const SMALL: usize = 16 * 1024;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    for door in DOORS {
        println!("{} {}", door.name, door.limit);
        let Some(folder) = &folder else { continue };
        if door.limit <= SMALL {
            continue;
        }
        let folder = folder.join(format!("{}_large", door.name));
        std::fs::create_dir_all(&folder)?;
        let member = r#"{"text":"a\n\u00e9","list":[1,-2.5e3,null,true,{"a":{"b":[]}}]}"#;
        let room = (door.limit - 1024) / (member.len() + 1);
        let value = format!("[{}]", vec![member; room.min(4000)].join(","));
        for (number, document) in door.with_member(&value).iter().enumerate() {
            std::fs::write(folder.join(number.to_string()), document)?;
        }
    }
    Ok(())
}
