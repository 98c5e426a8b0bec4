//! The table of rules, and configurations that cannot work.

mod configuration;
mod random_rules;
