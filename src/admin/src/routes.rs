//! The routes of the admin API, its OpenAPI document and Swagger UI.

use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::{EndpointExt, IntoEndpoint, Route};
use poem_openapi::OpenApiService;

use super::api_document;
use super::apis::apis;
use super::docs_page;
use super::docs_scripting;
use super::document;
use super::middleware::WithMiddleware;
use super::primary_fallback;
use super::state::AdminState;
use web::conditional::ConstantResponse;

static DOCUMENT: LazyLock<ConstantResponse> =
    LazyLock::new(|| ConstantResponse::new("application/json", document::served()));

/// Returns the routes of the admin API under `/admin/v1` and, if `shown`, its OpenAPI document at `/openapi.json` and
/// Swagger UI at `/docs`. Nest the routes at `/`.
pub fn service(state: AdminState, shown: bool) -> impl IntoEndpoint<Endpoint: 'static> {
    api_document::hand_in(document::for_program);
    let api = OpenApiService::new(WithMiddleware(apis(&state)), "Ringbook", env!("CARGO_PKG_VERSION"));
    let mut routes = Route::new();
    if shown {
        let document = make_sync(|request| DOCUMENT.answer(&request));
        routes = routes
            .at("/openapi.json", poem::get(document))
            .at("/docs/scripting", poem::get(docs_scripting::endpoint()))
            .at("/docs", poem::get(docs_page::endpoint()));
    }
    let replica = state.replica.clone();
    routes.nest("/", api).data(state).around(move |inner, request| {
        let replica = replica.clone();
        async move { primary_fallback::answered(&inner, request, &replica).await }
    })
}
