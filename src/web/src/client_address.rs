//! Finds the address of the client.
//!
//! The client's address is usually the address of the socket. If a trusted proxy has opened the socket, the proxy
//! writes the client's address in `X-Forwarded-For` or `Forwarded` (RFC 7239). Anybody can send these headers, so
//! Ringbook trusts them only from the networks in RINGBOOK_TRUSTED_PROXIES. The headers are read from the end, up to
//! the first address that is not a trusted proxy. If both headers exist and disagree, one of them is forged, and both
//! are ignored.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use poem::{Addr, Endpoint, Middleware, Request, http::HeaderMap};

/// The address of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address of the client that sent `request`. All requests without a known address count as one client.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        request
            .data()
            .copied()
            .unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }
}

/// Determines the client's address.
pub struct FindClientAddress(Vec<IpNet>);

impl FindClientAddress {
    /// `trusted` contains the networks of trusted proxies.
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

/// The endpoint created by [`FindClientAddress`].
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
    let proxy = socket.to_canonical();
    if !is_trusted(proxy, trusted) {
        return proxy;
    }
    let usual = text_of(headers, "x-forwarded-for").map(|text| follow(proxy, items(&text).rev().map(address), trusted));
    let standard =
        text_of(headers, "forwarded").map(|text| follow(proxy, items(&text).rev().map(forwarded_for), trusted));
    match (usual, standard) {
        (Some(usual), Some(standard)) if usual != standard => proxy,
        (usual, standard) => usual.or(standard).unwrap_or(proxy),
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// Follows the hops, last hop first, up to the first address that is not a trusted proxy. If a hop is not a valid
/// address, returns the address before it.
fn follow(proxy: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>, trusted: &[IpNet]) -> IpAddr {
    let mut client = proxy;
    for hop in hops {
        let Some(address) = hop.filter(|_| is_trusted(client, trusted)) else {
            break;
        };
        client = address;
    }
    client
}

/// Joins all lines of a header to one list. `None` if the header is missing.
fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(name).into_iter();
    let lines: Vec<_> = lines.map(|line| line.to_str().unwrap_or("unreadable")).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// Splits a list at its commas. A comma inside a quoted string does not split the list.
fn items(list: &str) -> impl DoubleEndedIterator<Item = &str> {
    let mut is_quoted = false;
    let mut items = Vec::new();
    let mut from = 0;
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                items.push(list.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    items.push(list.get(from..).unwrap_or_default());
    items.into_iter()
}

/// Parses an address as proxies write it: bare, in brackets, with a port (Azure), or in quotes. `None` if the text is
/// not an address, for example `unknown`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let bare = bare.parse::<IpAddr>().ok();
    let found = bare.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    found.map(|address| address.to_canonical())
}

/// Parses the address after `for=` in a `Forwarded` element such as `for="[2001:db8::7]:4711";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(value)
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
    fn an_address_is_read_as_proxies_write_it() {
        for (written, read) in [
            ("203.0.113.9:51234", "203.0.113.9"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("\"203.0.113.9\"", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9:1 ", "203.0.113.9"),
            ("1.1.1.1, unknown", "10.0.0.1"),
            ("unknown, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:port", "10.0.0.1"),
            ("203.0.113.9,", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[written], "10.0.0.0/8"), read, "{written}");
        }
    }

    #[test]
    fn the_standard_header_is_read_too() {
        let with = |forwarded: &str, usual: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.append("forwarded", forwarded.parse().unwrap());
            if let Some(usual) = usual {
                headers.append("x-forwarded-for", usual.parse().unwrap());
            }
            let trusted = ["10.0.0.0/8".parse().unwrap()];
            client_behind("10.0.0.1".parse().unwrap(), &headers, &trusted).to_string()
        };
        for (written, read) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("for=1.1.1.1, For=\"203.0.113.9:1\";proto=https", "203.0.113.9"),
            ("proto=https;for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("for=203.0.113.9, for=10.0.0.2", "203.0.113.9"),
            ("for=\"a,b\", for=203.0.113.9", "203.0.113.9"),
            ("for=203.0.113.9, for=_hidden", "10.0.0.1"),
            ("for=unknown", "10.0.0.1"),
            ("by=10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(with(written, None), read, "{written}");
        }
        // If the two headers disagree, the proxy wrote only one of them.
        assert_eq!(with("for=203.0.113.9", Some("203.0.113.9")), "203.0.113.9");
        assert_eq!(with("for=203.0.113.9", Some("198.51.100.1")), "10.0.0.1");
    }

    #[test]
    fn a_header_that_is_no_address_leaves_the_proxy_itself() {
        assert_eq!(client("10.0.0.1", &["unknown"], "10.0.0.0/8"), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[], "10.0.0.0/8"), "10.0.0.1");
    }
}
