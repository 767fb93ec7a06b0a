//! Tests of properties that every response has.

use futures_util::stream;
use poem::{
    Body, Endpoint, EndpointExt, IntoResponse, Request, Response, Route, get, handler,
    http::{Method, StatusCode, header},
    post,
};
use serde_json::Value;

use super::*;
use crate::problem::{Code, Problem};

#[handler]
fn hello() -> &'static str {
    "hello"
}

#[handler]
fn bug() {
    panic!("+15145550101 said something");
}

#[handler]
fn teapot() -> poem::Result<()> {
    Err(Problem::not_found("teapot").into())
}

#[handler]
async fn echo(request: &Request, body: Body) -> Response {
    let mut request_again = Request::builder().body(body);
    for (name, value) in request.headers() {
        request_again.headers_mut().insert(name, value.clone());
    }
    match body::read(&mut request_again, 1_000).await {
        Ok(read) => read.bytes.into_response(),
        Err(problem) => problem.into_response(),
    }
}

fn app() -> impl Endpoint<Output = Response> {
    let routes = Route::new()
        .at("/hello/:name", get(hello))
        .at("/bug", get(bug))
        .at("/teapot", get(teapot))
        .at("/echo", post(echo));
    let allowed = AllowedMethods::default().with("/hello/{who}", "GET");
    let how = Surroundings {
        clock: Clock::system(),
        trusted_proxies: Vec::new(),
        allowed,
        cors_origins: vec!["https://office.example".to_owned()],
        https: true,
        limiter: Arc::new(RateLimiter::new(true, rate_limit::Allowance::default())),
        bodies: Arc::default(),
    };
    around(routes.map_to_response(), how)
}

async fn call(request: Request) -> (Response, Value) {
    let mut response = app().get_response(request).await;
    let text = response.take_body().into_string().await.unwrap();
    (response, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn request(method: Method, path: &str) -> poem::RequestBuilder {
    Request::builder()
        .method(method)
        .uri_str(path)
        .header(header::HOST, "ringbook")
}

#[tokio::test]
async fn every_answer_carries_a_request_id_and_security_headers() {
    for path in ["/hello/you", "/nowhere", "/bug", "/teapot"] {
        let (response, _) = call(request(Method::GET, path).finish()).await;
        let id = response.header("x-request-id").unwrap();
        assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7, "{path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_repeated_in_the_error() {
    let (response, body) = call(
        request(Method::GET, "/nowhere")
            .header("x-request-id", "call-7")
            .finish(),
    )
    .await;
    assert_eq!(response.header("x-request-id"), Some("call-7"));
    assert_eq!(body["request_id"], "call-7");
    let (response, _) = call(request(Method::GET, "/nowhere").header("x-request-id", "a b").finish()).await;
    assert_ne!(response.header("x-request-id"), Some("a b"));
}

#[tokio::test]
async fn errors_of_the_server_are_problems_too() {
    for (method, path, status, code) in [
        (Method::GET, "/nowhere", StatusCode::NOT_FOUND, Code::NotFound),
        (
            Method::POST,
            "/hello/you",
            StatusCode::METHOD_NOT_ALLOWED,
            Code::MethodNotAllowed,
        ),
        (Method::GET, "/bug", StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
        (Method::GET, "/teapot", StatusCode::NOT_FOUND, Code::NotFound),
    ] {
        let (response, body) = call(request(method, path).finish()).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.content_type(), Some("application/problem+json"), "{path}");
        assert_eq!(body["code"], code.name(), "{path}");
        assert!(!body.to_string().contains("5550101"), "{body}");
    }
}

#[tokio::test]
async fn a_405_names_the_methods_that_are_taken() {
    let (response, _) = call(request(Method::DELETE, "/hello/you").finish()).await;
    assert_eq!(response.header(header::ALLOW), Some("GET, HEAD, OPTIONS"));
}

#[tokio::test]
async fn a_body_is_cut_off_at_its_limit_declared_or_not() {
    let declared = request(Method::POST, "/echo")
        .header("content-length", "1001")
        .body(vec![b'x'; 1_001]);
    let (response, _) = call(declared).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(response.header(header::CONNECTION), Some("close"));
    let chunks = stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 100])));
    let chunked = request(Method::POST, "/echo").body(Body::from_bytes_stream(chunks));
    let (response, body) = call(chunked).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(body["code"], "payload_too_large");
    let fits = request(Method::POST, "/echo").body(vec![b'x'; 1_000]);
    assert_eq!(call(fits).await.0.status(), StatusCode::OK);
}

#[test]
fn methods_are_read_from_the_document() {
    let document = serde_json::json!({"paths": {"/rulebooks/{rulebook}": {"get": {}, "put": {}, "parameters": []}}});
    let allowed = AllowedMethods::default().with_document("/admin/v1", &document);
    let text = format!("{allowed:?}");
    assert!(
        text.contains("/admin/v1/rulebooks/*") && text.contains("GET, HEAD, OPTIONS, PUT"),
        "{text}"
    );
}

#[tokio::test]
async fn only_pages_of_the_set_origins_may_read_and_nobody_is_refused() {
    let origins = ["https://admin.example.com".to_owned()];
    let app = Route::new()
        .at("/admin/teapot", get(teapot))
        .with(catch_all::CatchAll::new(AllowedMethods::default()))
        .with(cors::Cors::new(&origins));
    let ask = |origin: &'static str, method: Method| {
        request(method, "/admin/teapot")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .finish()
    };
    let known = app.call(ask("https://admin.example.com", Method::GET)).await.unwrap();
    assert_eq!(
        known.header("access-control-allow-origin"),
        Some("https://admin.example.com")
    );
    assert_eq!(known.status(), StatusCode::NOT_FOUND);
    let preflight = app
        .call(ask("https://admin.example.com", Method::OPTIONS))
        .await
        .unwrap();
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .unwrap()
            .contains("if-match")
    );
    let stranger = app.get_response(ask("https://evil.example.com", Method::GET)).await;
    assert_eq!(stranger.header("access-control-allow-origin"), None);
    assert_eq!(stranger.status(), StatusCode::NOT_FOUND);
}
