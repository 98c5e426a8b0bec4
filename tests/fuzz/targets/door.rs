//! Bytes at one of the doors: the one that the variable `DOOR` names. First come the
//! documents that are hostile by their form, on the stack that the fuzzer has.
#![no_main]

use std::sync::OnceLock;

use grpc_auth::testing::fuzz::{DOORS, Door, bomb, hostile_values};

static DOOR: OnceLock<&Door> = OnceLock::new();

fn begin() {
    let name = std::env::var("DOOR").expect("DOOR names a door");
    let door = DOORS.iter().find(|door| door.name == name).expect("a door of this name");
    let values = hostile_values(door.limit / 2).into_iter().map(|(value, cause)| (value, cause));
    for (value, cause) in values.chain([(bomb(door.limit - 1024), "which is reserved")]) {
        for document in door.with_member(&value) {
            let verdict = (door.verdict)(&document).expect_err("it is rejected");
            assert!(verdict.contains(cause), "{name}: {verdict}");
        }
    }
    DOOR.set(door).ok();
}

libfuzzer_sys::fuzz_target!(
    init: begin(),
    |data: &[u8]| if let Some(door) = DOOR.get() {
        (door.check)(data);
    }
);
