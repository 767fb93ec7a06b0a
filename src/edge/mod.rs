//! What every request passes before and after our own code.
//!
//! In: a request from anybody. Out: an answer that always carries a request id and security headers, whose errors
//! are always problem+json, with one log line and one measurement. From the outside in:
//! [`request_id`] → [`access_log`] → [`headers`] → [`cors`] → [`catch_all`] → [`client_address`] → the routes.
//! [`rate_limit`], [`guesses`], [`body`], [`accept`] and [`conditional`] are used by the routes that need them.

pub mod accept;
pub mod access_log;
pub mod body;
pub mod catch_all;
pub mod client_address;
pub mod conditional;
pub mod cors;
pub mod guesses;
pub mod headers;
pub mod rate_limit;
pub mod request_id;

use ipnet::IpNet;
use poem::{Endpoint, EndpointExt, Response};

pub use self::{
    catch_all::AllowedMethods, client_address::ClientAddress, rate_limit::RateLimiter, request_id::RequestId,
};
use crate::clock::Clock;

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
}

/// The routes with everything around them.
pub fn around<E>(routes: E, how: Surroundings) -> impl Endpoint<Output = Response>
where
    E: Endpoint<Output = Response> + 'static,
{
    // The last `with` is the outermost.
    routes
        .with(client_address::FindClientAddress::new(how.trusted_proxies))
        .with(catch_all::CatchAll::new(how.allowed))
        .with(cors::Cors::new(&how.cors_origins))
        .with(headers::SecurityHeaders { https: how.https })
        .with(access_log::AccessLog)
        .with(request_id::WithRequestId::new(how.clock))
}

#[cfg(test)]
mod tests;
