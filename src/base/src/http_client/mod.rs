//! Builds HTTP clients with timeouts. The clients resolve host names with [`dns`], on dedicated threads.
//!
//! reqwest is compiled without a TLS provider, and panics if it builds a client before a provider is installed. So this
//! module first installs the TLS provider of the process.

mod dns;

use std::sync::Arc;
use std::time::Duration;

use self::dns::Names;

/// A builder with a connect timeout of 5 s and a total timeout of `timeout`. The client follows no redirects, because
/// no service that Ringbook calls needs redirects.
pub fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    // An error means that a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(Names::of_process()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_be_built_twice_in_one_process() {
        for _ in 0..2 {
            assert!(builder(Duration::from_secs(1)).build().is_ok());
        }
    }
}
