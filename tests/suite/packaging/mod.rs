//! The crate as a whole: its layers, its dependencies, its words, and the README in a crate of its own.

mod denial_table;
mod layers;
mod one_reader;
mod own_crate;
mod unlisted;
mod weight;
mod words;
