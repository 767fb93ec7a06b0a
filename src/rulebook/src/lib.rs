//! A rulebook as people write it: its [`rows`], with their [`money`] and validation [`fault`]s, in [`files`] and as
//! JSON ([`rows_json`]), and the [`sample`]. The crate `rules` compiles it and decides.

pub mod fault;
pub mod files;
pub mod money;
pub mod rows;
pub mod rows_json;
pub mod sample;
pub mod size;
pub mod suggestion;

pub use fault::Fault;
