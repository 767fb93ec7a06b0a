//! Checks the `Host` header: an HTTP/1.1 request must have exactly one (RFC 9112, 3.2).
//!
//! This module rejects other requests. Otherwise a proxy and Ringbook could read different hosts from the same request.

use poem::http::uri::Authority;
use poem::http::{Version, header};
use poem::{Endpoint, Middleware, Request};

use crate::problem::{Code, Problem};

/// Rejects HTTP/1.1 requests without a single, valid `Host`.
pub struct NeedsHost;

impl<E: Endpoint> Middleware<E> for NeedsHost {
    type Output = NeedsHostEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        NeedsHostEndpoint(inner)
    }
}

/// The endpoint created by [`NeedsHost`].
pub struct NeedsHostEndpoint<E>(E);

impl<E: Endpoint> Endpoint for NeedsHostEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, request: Request) -> poem::Result<Self::Output> {
        check(&request)?;
        self.0.call(request).await
    }
}

fn check(request: &Request) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => Ok(()),
        (Some(host), None) if host.to_str().is_ok_and(is_authority) => Ok(()),
        _ => {
            let detail = "An HTTP/1.1 request needs exactly one `Host` header, with a host and optionally a port.";
            Err(Problem::new(Code::BadRequest, detail))
        }
    }
}

/// Whether the string is a host with or without a port. An empty string is allowed, because the URL of the request may
/// have no host.
fn is_authority(text: &str) -> bool {
    text.is_empty() || (!text.contains('@') && text.parse::<Authority>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(hosts: &[&'static str]) -> bool {
        let mut request = Request::builder().uri_str("/").finish();
        for host in hosts {
            request.headers_mut().append(header::HOST, host.parse().unwrap());
        }
        check(&request).is_ok()
    }

    #[test]
    fn exactly_one_readable_host_is_taken() {
        for good in ["ringbook.example", "127.0.0.1:8080", "[::1]:8080", ""] {
            assert!(with(&[good]), "{good}");
        }
        for bad in ["a b", "a/b", "user@host", "[::1"] {
            assert!(!with(&[bad]), "{bad}");
        }
        assert!(!with(&[]) && !with(&["a", "a"]));
        let mut old = Request::builder().version(Version::HTTP_10).finish();
        assert!(check(&old).is_ok());
        old.headers_mut().append(header::HOST, "a b".parse().unwrap());
        assert!(check(&old).is_err());
    }
}
