//! What everything stands on: the [`clock`], [`keys`] and [`secret`]s, logs and metrics ([`telemetry`]), the [`http_client`],
//! and [`looks`], which tells when something changed.

pub mod clock;
pub mod http_client;
pub mod keys;
pub mod looks;
pub mod secret;
pub mod telemetry;
