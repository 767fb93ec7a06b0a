//! Change sets: the list, and the page of one change set with its differences, its backtest and the buttons to publish it.

mod act;
mod backtest;
mod bars;
mod checks;
mod conflicts;
mod diff;
mod list;
mod numbers;
mod parts;
mod picture;
mod scale;
mod set;

use crate::routes::Address;

pub const ADDRESSES: &[Address] = &[
    Address::get("/change-sets", list::show),
    Address::both("/change-sets/:id", set::show, act::act),
];
