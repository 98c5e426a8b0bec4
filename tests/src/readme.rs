//! The server of the README, for the README's test.

#![expect(missing_docs, dead_code, reason = "as in the README, `main` included")]

include!(concat!(env!("OUT_DIR"), "/readme_server.rs"));
