//! The middleware of every operation. The OpenAPI document's entry for the operation controls what the middleware does.
//!
//! The middleware rejects an `Accept` that the operation cannot serve (406), and handles dry runs ([`dry_run`]). To the
//! response that rejects a body (415), the middleware adds the accepted media types. The middleware masks phone numbers
//! for viewers ([`masking`]), and responds 304 if the client has the current response ([`conditional`]).

use std::collections::HashMap;
use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, EndpointExt as _, Request, Response};
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaApi, Registry};
use serde_json::Value;

use super::api_document::document;
use super::dry_run;
use super::masking::{self, HideNumbers};
use super::parameters;
use super::state::AdminState;
use web::conditional::{self, CachedTags, Keep};
use web::problem::{Code, Problem};
use web::{accept, catch_all};

/// Tags of operations whose responses clients must not cache, because these responses are about keys.
const NEVER_CACHED: [&str; 4] = ["api-keys", "calendar-feeds", "secrets", "webhook-auth"];
/// The media type of event streams, which have no end.
const EVENT_STREAM: &str = "text/event-stream";

/// Operations wrapped in this middleware.
pub struct WithMiddleware<A>(pub A);

impl<A: OpenApi> OpenApi for WithMiddleware<A> {
    fn meta() -> Vec<MetaApi> {
        A::meta()
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        let mut own = HashMap::new();
        self.0.add_routes(&mut own);
        let declared = declared_operations(document());
        for (path, methods) in own {
            let place = catch_all::without_names(&path);
            let around = methods.into_iter().map(|(method, inner)| {
                let declared = declared
                    .get(&(place.clone(), method.clone()))
                    .cloned()
                    .unwrap_or_default();
                let inner = inner.around(parameters::complete_problem).boxed();
                (method, OperationMiddleware { inner, declared }.boxed())
            });
            routes.entry(path).or_default().extend(around);
        }
    }
}

/// What the OpenAPI document declares for an operation.
#[derive(Debug, Default)]
struct DeclaredOperation {
    id: String,
    /// The media types of the operation's responses.
    gives: Vec<String>,
    /// The media types of the operation's request body.
    takes: String,
    /// The schemas of the operation's JSON responses, by status.
    schemas: HashMap<u16, &'static Value>,
    tries: bool,
    never_kept: bool,
}

fn declared_operations(document: &'static Value) -> HashMap<(String, Method), Arc<DeclaredOperation>> {
    let mut all = HashMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let Ok(method) = method.to_ascii_uppercase().parse::<Method>() else {
                continue;
            };
            all.insert(
                (catch_all::without_names(path), method),
                Arc::new(DeclaredOperation::of(operation)),
            );
        }
    }
    all
}

impl DeclaredOperation {
    fn of(operation: &'static Value) -> Self {
        let kinds = |content: &Value| -> Vec<String> {
            let content = content.as_object().into_iter().flatten();
            content.map(|(kind, _)| kind.clone()).collect()
        };
        let responses = || operation["responses"].as_object().into_iter().flatten();
        let schema = |(status, response): (&String, &'static Value)| {
            Some((status.parse().ok()?, &response["content"]["application/json"]["schema"]))
        };
        let good = responses().filter(|(status, _)| status.starts_with('2'));
        let mut gives: Vec<String> = good.flat_map(|(_, response)| kinds(&response["content"])).collect();
        // JSON comes first, because the first media type is sent if the client has no preference.
        gives.sort_by_key(|kind| kind != "application/json");
        gives.dedup();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let tag = operation["tags"][0].as_str().unwrap_or_default();
        Self {
            id: operation["operationId"].as_str().unwrap_or_default().to_owned(),
            gives,
            takes: kinds(&operation["requestBody"]["content"]).join(", "),
            schemas: responses().filter_map(schema).collect(),
            tries: parameters.into_iter().any(|one| one["name"] == dry_run::PARAMETER),
            never_kept: NEVER_CACHED.contains(&tag),
        }
    }

    fn check_accept(&self, request: &Request) -> Result<(), Problem> {
        let gives: Vec<&str> = self.gives.iter().map(String::as_str).collect();
        if gives.is_empty() || accept::wanted(request, &gives).is_some() {
            return Ok(());
        }
        let detail = format!(
            "`Accept` allows none of this operation's media types: `{}`. Send one of them, or `*/*`.",
            gives.join("`, `")
        );
        Err(Problem::new(Code::NotAcceptable, detail))
    }

    /// Returns the schema that the OpenAPI document declares for this response.
    fn schema(&self, response: &Response) -> Option<&'static Value> {
        self.schemas.get(&response.status().as_u16()).copied()
    }

    /// Returns the header that names the accepted media types, for a response that rejects a body.
    fn taking(&self, method: &Method) -> Option<(HeaderName, HeaderValue)> {
        let name = match *method {
            Method::PATCH => HeaderName::from_static("accept-patch"),
            Method::POST => HeaderName::from_static("accept-post"),
            _ => header::ACCEPT,
        };
        Some((name, HeaderValue::from_str(&self.takes).ok()?))
    }
}

struct OperationMiddleware {
    inner: BoxEndpoint<'static>,
    declared: Arc<DeclaredOperation>,
}

impl Endpoint for OperationMiddleware {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let (declared, hide) = (&self.declared, HideNumbers::default());
        declared.check_accept(&request)?;
        request.set_data(hide.clone());
        let method = request.method().clone();
        if method == Method::GET {
            let kept = CachedTags::of(&request);
            let response = self.inner.call(request).await.unwrap_or_else(catch_all::answer_plain);
            let response = masking::answer(&hide, declared.schema(&response), response).await;
            if response.content_type() == Some(EVENT_STREAM) {
                return Ok(response);
            }
            let keep = if declared.never_kept {
                Keep::Never
            } else {
                Keep::Privately
            };
            return Ok(conditional::to_get(&kept, keep, response).await);
        }
        let tried = match dry_run::parameter_value(&request)? {
            Some(_) if !declared.tries => return Err(dry_run::refused(&declared.id).into()),
            parameter_value => parameter_value.unwrap_or_default(),
        };
        let replica = request.data::<AdminState>().map(|state| state.replica.clone());
        let answer = if tried {
            store::dry_run::scope(self.inner.call(request)).await
        } else {
            self.inner.call(request).await
        };
        let response = answer.unwrap_or_else(catch_all::answer_plain);
        if let Some(replica) = replica.filter(|_| response.status().is_success()) {
            replica.note_edit();
        }
        let mut response = masking::answer(&hide, declared.schema(&response), response).await;
        if response.headers().contains_key(header::ETAG) {
            response = conditional::tagged(response).await;
        }
        if tried {
            let name = HeaderName::from_static(dry_run::HEADER);
            response.headers_mut().insert(name, HeaderValue::from_static("true"));
        }
        if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            response.headers_mut().extend(declared.taking(&method));
        }
        Ok(response)
    }
}
