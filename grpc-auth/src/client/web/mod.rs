//! The same tokens for HTTP: a layer for any service, and for `reqwest`.
