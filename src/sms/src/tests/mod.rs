//! End-to-end tests of SMS messages, against a stand-in for Twilio on loopback and with real databases. Each test
//! controls the clock.

mod callbacks;
mod contacts;
mod delivery;
mod discretion;
mod fairness;
mod outcomes;
mod rough_provider;
mod stand_in;
mod trouble;
mod unclear;
mod workers;
mod world;
