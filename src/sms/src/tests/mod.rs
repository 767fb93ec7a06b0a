//! End-to-end tests of SMS messages, against a stand-in for Twilio on loopback and with real databases. Tests set the time.

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
