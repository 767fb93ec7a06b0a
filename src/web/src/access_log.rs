//! Writes one log line per request, and records its duration as a metric.
//!
//! The line contains method, route, status and milliseconds. A route is logged as its pattern
//! (`/admin/v1/rulebooks/:rulebook`), because paths contain identifiers and query strings contain search terms. Anyone
//! can send requests that are rejected. So the log lines of rejected requests are limited to a burst of 200, and then
//! to 20 per second. After an omission, the next log line contains the number of omitted lines.

use std::time::{Duration, Instant};

use poem::{Endpoint, IntoResponse, Middleware, PathPattern, Request, Response, http::StatusCode};

use base::telemetry::metrics;
use base::telemetry::sampling::Sampler;

/// Limits the log lines of rejected requests.
static REFUSED: Sampler = Sampler::with_interval(200, Duration::from_millis(50));

/// Logs and measures each request.
pub struct AccessLog;

impl<E: Endpoint> Middleware<E> for AccessLog {
    type Output = AccessLogEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        AccessLogEndpoint(inner)
    }
}

/// The endpoint created by [`AccessLog`].
pub struct AccessLogEndpoint<E>(E);

impl<E: Endpoint> Endpoint for AccessLogEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let method = known_method(request.method().as_str());
        let response = match self.0.call(request).await {
            Ok(output) => output.into_response(),
            Err(error) => error.into_response(),
        };
        let route = response.data::<PathPattern>().map_or("unknown", |pattern| &pattern.0);
        record(method, route, response.status(), started.elapsed());
        Ok(response)
    }
}

fn record(method: &'static str, route: &str, status: StatusCode, took: Duration) {
    metrics::http_request(route, method, status.as_u16(), took);
    let (status, ms) = (status.as_u16(), took.as_secs_f64() * 1000.0);
    // Health checks and metrics requests come every few seconds, so they are logged at debug level only.
    if route.starts_with("/health") || route == "/metrics" {
        tracing::debug!(method, route, status, ms, "answered {method} {route} {status}");
    } else if (400..500).contains(&status) {
        if let Some(left_out) = REFUSED.admit() {
            let left_out = Some(left_out).filter(|count| *count > 0);
            tracing::info!(
                method,
                route,
                status,
                ms,
                left_out,
                "answered {method} {route} {status}"
            );
        }
    } else {
        tracing::info!(method, route, status, ms, "answered {method} {route} {status}");
    }
}

/// The method as a metric label. A client may send any method, but the metric must have a fixed set of labels.
fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or("other")
}
