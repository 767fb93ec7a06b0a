//! The whole way of a text, against a stand-in for Twilio on loopback and on real databases. Time is the test's.

mod callbacks;
mod delivery;
mod discretion;
mod fair;
mod outcomes;
mod people;
mod rough;
mod stand_in;
mod trouble;
mod unclear;
mod workers;
mod world;
