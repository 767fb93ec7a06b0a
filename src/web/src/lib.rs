//! What every request passes before and after our own code.
//!
//! In: a request from anybody. Out: an answer that always carries a request id and security headers, whose errors
//! are always problem+json, with one log line and one measurement. From the outside in:
//! [`server`] → [`request_id`] → [`access_log`] → [`headers`] → [`cors`] → [`catch_all`] → [`host`] → [`client_address`] →
//! [`rate_limit`] of strangers → the routes. [`guesses`], [`body`], [`accept`] and [`conditional`] are used by the routes that
//! need them; [`connections`], [`descriptors`] and [`bodies`] bound what all clients together may take.

pub mod accept;
pub mod access_log;
mod api_runtime;
pub mod bodies;
pub mod body;
pub mod catch_all;
pub mod client_address;
pub mod conditional;
pub mod connections;
pub mod cors;
pub mod descriptors;
pub mod guesses;
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

use self::bodies::Bodies;
pub use self::{
    catch_all::AllowedMethods, client_address::ClientAddress, rate_limit::RateLimiter, request_id::RequestId,
};
use base::clock::Clock;

/// How things stand around the routes.
pub struct Surroundings {
    /// Gives request ids their time.
    pub clock: Clock,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The methods of each route, for `Allow`.
    pub allowed: AllowedMethods,
    /// The web origins that may call the admin API.
    pub cors_origins: Vec<String>,
    /// Whether browsers reach the server by https.
    pub https: bool,
    /// What strangers may read is counted here.
    pub limiter: Arc<RateLimiter>,
    /// The memory for bodies.
    pub bodies: Arc<Bodies>,
}

/// The routes with everything around them.
pub fn around<E>(routes: E, how: Surroundings) -> impl Endpoint<Output = Response>
where
    E: Endpoint<Output = Response> + 'static,
{
    // The last `with` is the outermost.
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
