//! Rulebooks between the database and those who decide: [`publish`] makes a revision of a change, [`current`] knows the head
//! of each rulebook and keeps it compiled, [`quarantine`] sets a script aside that fails.

pub mod current;
pub mod publish;
pub mod quarantine;
