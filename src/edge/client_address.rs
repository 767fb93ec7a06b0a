//! Who is at the other end.
//!
//! In: the socket's address and, when that is a trusted proxy, the `X-Forwarded-For` that it wrote. Out: a
//! [`ClientAddress`] in the request's data. Anybody can send the header, so it is believed only from the
//! networks in RINGBOOK_TRUSTED_PROXIES, read from its end until an address that is none of them.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use poem::{Addr, Endpoint, Middleware, Request, http::HeaderMap};

/// The address of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address of the client that sent `request`; unknown ones count as one client.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        request
            .data()
            .copied()
            .unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }
}

/// Finds the client's address.
pub struct FindClientAddress(Vec<IpNet>);

impl FindClientAddress {
    /// Believes the proxies in `trusted`.
    #[must_use]
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self(trusted)
    }
}

impl<E: Endpoint> Middleware<E> for FindClientAddress {
    type Output = FindClientAddressEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        FindClientAddressEndpoint {
            inner,
            trusted: self.0.clone(),
        }
    }
}

/// The endpoint made by [`FindClientAddress`].
pub struct FindClientAddressEndpoint<E> {
    inner: E,
    trusted: Vec<IpNet>,
}

impl<E: Endpoint> Endpoint for FindClientAddressEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> poem::Result<Self::Output> {
        let socket = match request.remote_addr().0 {
            Addr::SocketAddr(address) => address.ip(),
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        let client = client_behind(socket, request.headers(), &self.trusted);
        request.set_data(ClientAddress(client));
        self.inner.call(request).await
    }
}

fn client_behind(socket: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = socket.to_canonical();
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or("unreadable").rsplit(','));
    for hop in hops {
        if !is_trusted(client) {
            break;
        }
        // What a proxy of ours did not write as an address is not worth following further.
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        client = address.to_canonical();
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(socket: &str, forwarded: &[&str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        client_behind(socket.parse().unwrap(), &headers, &[trusted.parse().unwrap()]).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_its_address() {
        assert_eq!(client("203.0.113.9", &["1.1.1.1"], "10.0.0.0/8"), "203.0.113.9");
        assert_eq!(
            client("10.0.0.1", &["1.1.1.1, 203.0.113.9"], "10.0.0.0/8"),
            "203.0.113.9"
        );
    }

    #[test]
    fn several_trusted_proxies_and_header_lines_are_followed() {
        assert_eq!(
            client("10.0.0.1", &["203.0.113.9, 10.0.0.2"], "10.0.0.0/8"),
            "203.0.113.9"
        );
        assert_eq!(
            client("10.0.0.1", &["203.0.113.9", "10.0.0.2"], "10.0.0.0/8"),
            "203.0.113.9"
        );
        assert_eq!(client("::ffff:10.0.0.1", &["2001:db8::7"], "10.0.0.0/8"), "2001:db8::7");
    }

    #[test]
    fn a_header_that_is_no_address_leaves_the_proxy_itself() {
        assert_eq!(client("10.0.0.1", &["unknown"], "10.0.0.0/8"), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[], "10.0.0.0/8"), "10.0.0.1");
    }
}
