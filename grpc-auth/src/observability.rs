#![doc = include_str!("observability.md")]
