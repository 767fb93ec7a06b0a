//! The layers around all handlers. They give every response a request id and security headers. They log and measure
//! each request, and turn every error into problem+json.
//!
//! A request passes the layers in this order: [`server`] → [`request_id`] → [`access_log`] → [`headers`] → [`cors`] →
//! [`catch_all`] → [`host`] → [`client_address`] → [`rate_limit`] of unauthenticated clients → the routes. Routes use
//! [`failed_guesses`], [`body`], [`accept`] and [`conditional`] as needed. [`connections`], [`descriptors`] and
//! [`body_memory`] limit the connections, file descriptors and memory that all clients together may use.

pub mod accept;
pub mod access_log;
mod api_runtime;
pub mod body;
pub mod body_memory;
pub mod catch_all;
pub mod client_address;
pub mod conditional;
pub mod connections;
pub mod cors;
pub mod descriptors;
pub mod failed_guesses;
pub mod headers;
pub mod host;
mod leaky_bucket;
pub mod problem;
pub mod rate_limit;
pub mod request_id;
pub mod server;

use std::sync::Arc;

use ipnet::IpNet;
use poem::{Endpoint, EndpointExt, Response};

use crate::body_memory::Bodies;
pub use crate::catch_all::AllowedMethods;
pub use crate::client_address::ClientAddress;
pub use crate::rate_limit::RateLimiter;
pub use crate::request_id::RequestId;
use base::clock::Clock;

/// Settings of the layers around the routes.
pub struct Surroundings {
    /// The clock for request ids.
    pub clock: Clock,
    /// The networks of proxies that may name the client in `X-Forwarded-For` or `Forwarded`.
    pub trusted_proxies: Vec<IpNet>,
    /// The methods of each route, for `Allow`.
    pub allowed: AllowedMethods,
    /// The web origins that may call the admin API.
    pub cors_origins: Vec<String>,
    /// Whether browsers reach the server over HTTPS.
    pub https: bool,
    /// Counts the requests of unauthenticated clients.
    pub limiter: Arc<RateLimiter>,
    /// The memory limit for bodies.
    pub bodies: Arc<Bodies>,
}

/// Wraps the routes in all layers.
pub fn around<E>(routes: E, how: Surroundings) -> impl Endpoint<Output = Response>
where
    E: Endpoint<Output = Response> + 'static,
{
    // The last `with` adds the outermost layer.
    routes
        .data(how.bodies)
        .with(rate_limit::LimitStrangers(how.limiter))
        .with(client_address::FindClientAddress::new(how.trusted_proxies))
        .with(host::NeedsHost)
        .with(catch_all::CatchAll::new(how.allowed))
        .with(cors::Cors::new(&how.cors_origins))
        .with(headers::SecurityHeaders { https: how.https })
        .with(access_log::AccessLog)
        .with(request_id::WithRequestId::new(how.clock))
}

#[cfg(test)]
mod tests;
