//! What we charge and who goes first: rows and scripts compiled into a [`rows::RowSet`] that decides.
//!
//! The pure core takes rows and facts and gives decisions; `publish` and `current` stand between it and the database.

pub mod decision;
pub mod facts;
pub mod money;
pub mod rows;
