//! HTTP clients. In: nothing. Out: a client builder that can be built, with time limits and with [`names`], which looks
//! hosts up without a thread that anything else waits for.
//!
//! reqwest is compiled without a TLS provider of its own, and building a client without one panics. So whoever
//! needs a client starts here, where the process's one provider is installed if `main` has not done it yet.

mod names;

use std::sync::Arc;
use std::time::Duration;

use self::names::Names;

/// A builder with a connect timeout of 5 s and an overall one of `timeout`, which follows no redirect: nobody we
/// call has a reason to send us elsewhere.
pub fn builder(timeout: Duration) -> reqwest::ClientBuilder {
    // An error means that a provider is installed already, which is all we want.
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
