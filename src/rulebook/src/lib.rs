//! A rulebook as people write it: its [`rows`], their [`money`] and their validation [`fault`]s. [`files`] and
//! [`rows_json`] convert the rows to TOML and JSON. [`sample`] is an example. The crate `rules` compiles a rulebook and
//! decides with it.

pub mod fault;
pub mod files;
pub mod money;
pub mod rows;
pub mod rows_json;
pub mod sample;
pub mod size;
pub mod suggestion;

pub use fault::Fault;
