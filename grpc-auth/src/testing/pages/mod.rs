//! What people see: pages that need no script, on any width of screen.

mod decision;
pub(crate) mod device;
pub(crate) mod index;
mod layout;
pub(crate) mod mint;
mod mint_form;
mod notice;
pub(crate) mod sign_in;

pub(super) use decision::consent;
pub(super) use device::{device, device_done};
pub(super) use index::index;
pub(super) use layout::protect;
pub(super) use mint::mint;
pub(super) use notice::{problem, refused, unavailable};
pub(super) use sign_in::sign_in;
