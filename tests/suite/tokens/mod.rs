//! Which tokens are accepted: by cases, by published vectors, and by random changes.

mod arbitrary;
mod as_sent;
mod corpora;
mod differential;
mod mutations;
mod presets;
mod verification;
mod wycheproof;
