//! What every request passes before and after our own code.
//!
//! In: a request from anybody. Out: an answer that always carries a request id and security headers, whose errors
//! are always problem+json, with one log line and one measurement. From the outside in:
//! [`request_id`] → [`access_log`] → [`headers`] → [`catch_all`] → [`client_address`] → the routes.
//! [`rate_limit`], [`body`] and [`cors`] are used by the routes that need them.

pub mod access_log;
pub mod body;
pub mod catch_all;
pub mod client_address;
pub mod cors;
pub mod headers;
pub mod rate_limit;
pub mod request_id;

use ipnet::IpNet;
use poem::{Endpoint, EndpointExt, Response};

pub use self::{
    catch_all::AllowedMethods, client_address::ClientAddress, rate_limit::RateLimiter, request_id::RequestId,
};
use crate::clock::Clock;

/// The routes with everything around them. `allowed` knows the methods of each route, for `Allow` on a 405.
pub fn around<E>(
    routes: E,
    clock: Clock,
    trusted_proxies: Vec<IpNet>,
    allowed: AllowedMethods,
) -> impl Endpoint<Output = Response>
where
    E: Endpoint<Output = Response> + 'static,
{
    // The last `with` is the outermost.
    routes
        .with(client_address::FindClientAddress::new(trusted_proxies))
        .with(catch_all::CatchAll::new(allowed))
        .with(headers::SecurityHeaders)
        .with(access_log::AccessLog)
        .with(request_id::WithRequestId::new(clock))
}

#[cfg(test)]
mod tests;
