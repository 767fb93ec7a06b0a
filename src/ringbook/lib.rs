//! Ringbook: the rulebook behind a business's phone.
//!
//! A message meets `web`, then `intake`, which asks `rules` and leaves a text with `sms`; people meet `admin`.
//! [`app`] puts it all together, [`cli`] is the way in.

pub mod accounts;
pub mod app;
pub mod audit;
pub mod backup;
pub mod bootstrap;
pub mod cli;
pub mod core_dumps;
pub mod doctor;
pub mod first_start;
pub mod health;
pub mod labelled;
pub mod settings;
