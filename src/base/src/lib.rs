//! Shared foundations: the [`clock`], [`keys`] and [`secret`]s, logs and metrics ([`telemetry`]), a [`cache`], the
//! [`http_client`], and [`poll`], the polling loop of workers.

pub mod cache;
pub mod clock;
pub mod http_client;
pub mod keys;
pub mod poll;
pub mod secret;
pub mod telemetry;
