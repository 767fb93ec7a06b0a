//! All routes of the server.

use std::net::SocketAddr;
use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::web::Redirect;
use poem::{Endpoint, EndpointExt as _, IntoEndpoint as _, Response, Route, get, post};
use serde_json::Value;

use super::App;
use crate::doctor::vapi::{best_server, server_url};
use crate::doctor::{self, Level, Running};
use crate::health::{self, Pools};
use crate::settings::{PageAddress, Settings};
use admin::{
    AdminState, CheckSetup, FromWebhook, ReplayMessage, SetupChecks, SetupFinding, SetupLevel, SetupOfVapi,
    WriteSmsBody, calendar_feed,
};
use intake::auth::access::DEFAULT_RULEBOOK;
use intake::auth::scheme::WebhookAuth;
use intake::auth::settings;
use intake::parse::facts;
use intake::receive::{Webhook, large_bodies, receive};
use intake::reinject::Reinjector;
use rules::facts::Facts;
use sms::callbacks::Callbacks;
use sms::callbacks::directory::Directory;
use sms::callbacks::inbound::{receive_inbound, receive_inbound_for};
use sms::callbacks::status::receive_status;
use sms::{as_sent, escalate};
use web::failed_guesses::Guesses;
use web::problem::{FieldFault, Problem, pages as problem_pages};
use web::{AllowedMethods, Surroundings};

/// Value of `Retry-After`, in seconds, in the response to a failed replay of a stored message.
const RETRY_AFTER_S: u32 = 2;

/// The groups of routes that one address serves. The documentation and the metrics need no key.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Webhooks and the admin API.
    pub web: bool,
    /// `/docs` and `/openapi.json`.
    pub docs: bool,
    /// `/metrics`.
    pub metrics: bool,
}

impl Pages {
    /// Returns the groups of routes that the main address serves.
    #[must_use]
    pub fn public(settings: &Settings) -> Self {
        Self {
            web: settings.web,
            docs: settings.docs == PageAddress::Public,
            metrics: settings.metrics == PageAddress::Public,
        }
    }

    /// Returns the groups of routes that a separate address serves. If the address serves `/docs`, it serves the API
    /// too, so that `/docs` can send requests to it.
    #[must_use]
    pub fn at(settings: &Settings, address: SocketAddr) -> Self {
        let docs = settings.web && settings.docs == PageAddress::At(address);
        Self {
            web: docs,
            docs,
            metrics: settings.metrics == PageAddress::At(address),
        }
    }
}

/// Builds the routes of an address, including their middleware.
pub fn routes(app: &App, pages: Pages) -> impl Endpoint<Output = Response> + use<> {
    if !pages.web {
        return around(app, pages, Route::new(), AllowedMethods::default());
    }
    let webhook = Webhook {
        accesses: app.accesses.clone(),
        recorder: app.recorder.clone(),
        limiter: app.limiter.clone(),
        public_url: app.settings.public_url.clone(),
        large_bodies: large_bodies(),
    };
    let callbacks = Callbacks {
        outbox: app.outbox.clone(),
        limiter: app.limiter.clone(),
        public_url: app.settings.public_url.clone(),
        directory: Directory::default(),
        default_rulebook: DEFAULT_RULEBOOK,
        tasks: app.tasks.clone(),
    };
    let state = AdminState::new(
        app.db.clone(),
        app.primary.clone(),
        app.replica.clone(),
        Arc::new(app.publisher.clone()),
        Arc::new(app.current.clone()),
        app.clock.clone(),
        app.key.clone(),
        FromWebhook {
            read_message: Arc::new(facts::read_message),
            read_auth: Arc::new(read_auth),
            replay_message: replay_message(&app.feed),
            word_sms: word_sms(app.outbox.takes_replies()),
        },
        SetupChecks::new(check_setup(app)),
        app.backtests.clone(),
        app.erasures.clone(),
        Guesses::new(Arc::clone(&app.limiter)),
    );
    // The console sends its requests to this endpoint inside the process.
    let api = Arc::new(
        admin::service(state.clone(), pages.docs)
            .into_endpoint()
            .map_to_response()
            .boxed(),
    );
    let routes = Route::new()
        .at("/webhooks/vapi", post(receive).data(webhook.clone()))
        .at("/webhooks/vapi/", post(receive).data(webhook.clone()))
        .at("/webhooks/vapi/:rulebook", post(receive).data(webhook.clone()))
        .at("/webhooks/vapi/:rulebook/", post(receive).data(webhook))
        .at(
            "/webhooks/twilio/status/:id",
            post(receive_status).data(callbacks.clone()),
        )
        .at(
            "/webhooks/twilio/inbound",
            post(receive_inbound).data(callbacks.clone()),
        )
        .at(
            "/webhooks/twilio/inbound/:rulebook",
            post(receive_inbound_for).data(callbacks),
        )
        .at(calendar_feed::ROUTE, get(calendar_feed::endpoint(state.clone())))
        .nest("/console", console::routes(state, Arc::clone(&api), is_https(app)))
        .nest("/", api);
    let allowed = console::addresses()
        .fold(AllowedMethods::default(), |allowed, (address, methods)| {
            allowed.with(&address, methods)
        })
        .with("/webhooks/vapi", "POST")
        .with("/webhooks/vapi/", "POST")
        .with("/webhooks/vapi/:rulebook", "POST")
        .with("/webhooks/vapi/:rulebook/", "POST")
        .with("/webhooks/twilio/status/:id", "POST")
        .with("/webhooks/twilio/inbound", "POST")
        .with("/webhooks/twilio/inbound/:rulebook", "POST")
        .with(calendar_feed::ROUTE, "GET")
        .with("/", "GET")
        .with("/openapi.json", "GET")
        .with("/docs", "GET")
        .with("/docs/scripting", "GET")
        .with_document("", admin::program_document());
    around(app, pages, routes, allowed)
}

/// Adds the routes that every process serves, and the middleware around all routes. A process with only background
/// workers serves these routes too.
fn around(
    app: &App,
    pages: Pages,
    mut routes: Route,
    allowed: AllowedMethods,
) -> impl Endpoint<Output = Response> + use<> {
    let gate = app.recorder.gate.clone();
    let pools = Pools {
        messages: Arc::new(move || gate.db()),
        write: app.db.clone(),
        read: app.read.clone(),
    };
    if pages.metrics {
        routes = routes.at("/metrics", health::metrics_route(pools));
    }
    let start = get(make_sync(|_| Redirect::temporary("/docs")));
    let start = Arc::new(Route::new().at("/", start).map_to_response());
    let routes = routes
        .nest("/problems", problem_pages::routes())
        .nest("/health", health::routes(app.checks.clone()))
        .map_to_response()
        // poem's routes pass `/` to the nested endpoint.
        .around(move |inner, request| {
            let start = Arc::clone(&start);
            async move {
                match request.uri().path() {
                    "/" if pages.docs => start.call(request).await,
                    _ => inner.call(request).await,
                }
            }
        });
    let allowed = allowed
        .with("/problems", "GET")
        .with("/problems/:code", "GET")
        .with("/health/live", "GET")
        .with("/health/ready", "GET")
        .with("/metrics", "GET");
    let surroundings = Surroundings {
        clock: app.clock.clone(),
        trusted_proxies: app.settings.trusted_proxies.clone(),
        allowed,
        cors_origins: app.settings.cors_origins.clone(),
        https: is_https(app),
        limiter: Arc::clone(&app.limiter),
        bodies: Arc::clone(&app.bodies),
    };
    web::around(routes, surroundings)
}

/// Whether browsers reach the server over https.
fn is_https(app: &App) -> bool {
    let public_url = app.settings.public_url.as_ref();
    public_url.is_some_and(|url| url.starts_with("https://"))
}

/// Returns a function that writes the body of an SMS message exactly as the outbox would send it.
fn word_sms(takes_replies: bool) -> WriteSmsBody {
    // Each message has its own reference; this is an example.
    const REFERENCE: &str = "RB-7K2M4Q";
    Arc::new(move |rulebook, template, contact, decision, extracted| {
        let about = (decision, extracted, &Facts::new());
        let body = escalate::worded(rulebook, template, contact, about, REFERENCE, takes_replies)?;
        Some(as_sent(&body, REFERENCE))
    })
}

/// Replays a stored message for the admin API.
fn replay_message(feed: &Reinjector) -> ReplayMessage {
    let feed = feed.clone();
    Arc::new(move |rulebook, event| {
        let feed = feed.clone();
        Box::pin(async move {
            let replayed = feed.again(rulebook, event).await;
            replayed.map_err(|error| Problem::unavailable(&error, RETRY_AFTER_S))
        })
    })
}

/// Checks the set-up of the running server.
fn check_setup(app: &App) -> CheckSetup {
    let own = Running {
        settings: Arc::clone(&app.settings),
        db: app.primary.clone(),
        connections: app.connections.sizes.total(),
        current: app.current.clone(),
        key: app.key.clone(),
        clock: app.clock.clone(),
    };
    Arc::new(move || {
        let own = own.clone();
        Box::pin(async move {
            let report = doctor::examine_running(&own).await;
            let findings = report.findings.into_iter().map(|finding| SetupFinding {
                check: finding.check.to_owned(),
                level: match finding.level {
                    Level::Ok => SetupLevel::Ok,
                    Level::Warning => SetupLevel::Warning,
                    Level::Wrong => SetupLevel::Wrong,
                },
                text: finding.text,
                what_to_do: finding.what_to_do,
            });
            let public = own.settings.public_url.as_deref();
            let of_vapi = report.assistants.into_iter().map(|one| {
                let url = server_url(public.unwrap_or("https://YOUR-HOST"), &one.rulebook);
                SetupOfVapi {
                    server: best_server(&url),
                    webhook_url: public.map(|_| url),
                    rulebook: one.rulebook,
                    structured_output: Some(one.structured_output).filter(|output| !output.is_null()),
                    prompt: one.prompt,
                }
            });
            (findings.collect(), of_vapi.collect())
        })
    })
}

/// Parses a rulebook's webhook settings like the webhook, and adds all defaults.
fn read_auth(settings: Value) -> Result<Value, Problem> {
    let auth: WebhookAuth = admin::body::read(settings)?;
    let faults = settings::faults(&auth);
    if !faults.is_empty() {
        let faults = faults.into_iter();
        let faults = faults.map(|(pointer, text)| FieldFault::new(pointer, "invalid_value", text));
        return Err(Problem::unprocessable(faults.collect()));
    }
    serde_json::to_value(auth).map_err(|error| Problem::internal(&error))
}
