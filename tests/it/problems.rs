//! Every error response contains the error, its JSON pointer, the expected value and the request id. Its `type` is the
//! URL of an explanation.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use web::problem::Code;

use crate::both;
use crate::support::{Database, TestApp, app::ADMIN_KEY, requests::read};

both!(
    every_kind_of_problem_is_told_at_its_address,
    every_error_has_the_same_shape_and_leads_to_its_page,
);

const BOOK: &str = "/admin/v1/rulebooks/default";

async fn every_kind_of_problem_is_told_at_its_address(database: Database) {
    let app = TestApp::at_rest(database, "2026-05-04T12:00:00Z".parse().unwrap()).await;
    let page = async |path: &str, accept: &str| {
        let response = app
            .client
            .get(app.url(path))
            .header("accept", accept)
            .send()
            .await
            .unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        (response.status(), kind, response.text().await.unwrap(), policy)
    };
    let (status, kind, list, _) = page("/problems", "text/html").await;
    assert_eq!((status, &*kind), (StatusCode::OK, "text/html; charset=utf-8"));
    for code in Code::ALL {
        assert!(list.contains(&format!("href=\"{}\"", code.address())), "{code:?}");
        let (status, kind, html, policy) = page(&code.address(), "text/html,application/xhtml+xml,*/*;q=0.8").await;
        assert_eq!(
            (status, &*kind),
            (StatusCode::OK, "text/html; charset=utf-8"),
            "{code:?}"
        );
        assert!(html.contains(code.title()) && html.contains("What to do"), "{code:?}");
        assert!(
            policy.contains("style-src 'sha256-") && !policy.contains("unsafe"),
            "{policy}"
        );
        let (_, kind, text, _) = page(&code.address(), "application/json").await;
        assert_eq!(kind, "application/json");
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["code"], code.name());
        assert_eq!(told["example"]["type"], code.address());
        for part in ["means", "what_to_do"] {
            assert!(told[part].as_str().unwrap().ends_with('.'), "{code:?}: {part}");
        }
    }
    let (_, _, all, _) = page("/problems", "application/json").await;
    let all: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(all.as_array().unwrap().len(), Code::ALL.len());
    assert_eq!(page("/problems/nonsense", "*/*").await.0, StatusCode::NOT_FOUND);
    assert_eq!(page("/problems", "image/png").await.0, StatusCode::NOT_ACCEPTABLE);
    app.stop().await;
}

async fn every_error_has_the_same_shape_and_leads_to_its_page(database: Database) {
    let app = TestApp::at_rest(database, "2026-05-04T12:00:00Z".parse().unwrap()).await;
    let viewer = json!({"name": "v", "role": "viewer"});
    let (_, viewer) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&viewer)).await;
    let viewer = viewer["key"].as_str().unwrap();
    let json_kind = "application/json";
    let (get, put, post, patch, delete) = (Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE);
    let camera = "services/camera_inspection";
    let errors: Vec<(&str, Method, String, &str, &str, &str)> = vec![
        ("unauthorized", get.clone(), format!("{BOOK}/services"), "", "", "wrong"),
        ("forbidden", delete.clone(), format!("{BOOK}/{camera}"), "", "", viewer),
        ("not_found", get.clone(), "/nowhere".to_owned(), "", "", ADMIN_KEY),
        (
            "not_found",
            get.clone(),
            format!("{BOOK}/services/nowhere"),
            "",
            "",
            ADMIN_KEY,
        ),
        (
            "not_found",
            get.clone(),
            "/admin/v1/rulebooks/nowhere".to_owned(),
            "",
            "",
            ADMIN_KEY,
        ),
        ("method_not_allowed", delete.clone(), BOOK.to_owned(), "", "", ADMIN_KEY),
        (
            "invalid_parameter",
            get.clone(),
            format!("{BOOK}/services?limit=0"),
            "",
            "",
            ADMIN_KEY,
        ),
        (
            "invalid_parameter",
            get.clone(),
            format!("{BOOK}/services?sort=prize"),
            "",
            "",
            ADMIN_KEY,
        ),
        (
            "invalid_parameter",
            get.clone(),
            format!("{BOOK}/services?ofer=offered"),
            "",
            "",
            ADMIN_KEY,
        ),
        (
            "unprocessable",
            get.clone(),
            format!("{BOOK}/services?cursor=x"),
            "",
            "",
            ADMIN_KEY,
        ),
        (
            "invalid_parameter",
            get.clone(),
            format!("{BOOK}/services?limit=1&limit=2"),
            "",
            "",
            ADMIN_KEY,
        ),
        (
            "invalid_parameter",
            get.clone(),
            format!("{BOOK}/services?revision=x"),
            "",
            "",
            ADMIN_KEY,
        ),
        (
            "invalid_parameter",
            get.clone(),
            format!("{BOOK}/change-sets/nonsense"),
            "",
            "",
            ADMIN_KEY,
        ),
        (
            "invalid_parameter",
            put.clone(),
            format!("{BOOK}/services/new%20code"),
            json_kind,
            r#"{"names":{},"keywords":[],"rank":1,"offer":"offered"}"#,
            ADMIN_KEY,
        ),
        (
            "invalid_parameter",
            post.clone(),
            "/admin/v1/rulebooks?dry_run=x".to_owned(),
            json_kind,
            r#"{"code":"a","rows":"empty"}"#,
            ADMIN_KEY,
        ),
        (
            "invalid_body",
            put.clone(),
            format!("{BOOK}/{camera}"),
            json_kind,
            "{",
            ADMIN_KEY,
        ),
        (
            "invalid_body",
            put.clone(),
            format!("{BOOK}/{camera}"),
            json_kind,
            "",
            ADMIN_KEY,
        ),
        (
            "invalid_body",
            put.clone(),
            format!("{BOOK}/{camera}"),
            json_kind,
            "[]",
            ADMIN_KEY,
        ),
        (
            "invalid_body",
            patch.clone(),
            format!("{BOOK}/{camera}"),
            json_kind,
            r#"{"prise_to": "1.00", "version": 1}"#,
            ADMIN_KEY,
        ),
        (
            "invalid_body",
            post.clone(),
            "/admin/v1/api-keys".to_owned(),
            json_kind,
            r#"{"name": "", "role": "viewer"}"#,
            ADMIN_KEY,
        ),
        (
            "unprocessable",
            post.clone(),
            format!("{BOOK}/services.csv"),
            "text/csv",
            "code,prise\n",
            ADMIN_KEY,
        ),
        (
            "unsupported_media_type",
            put.clone(),
            format!("{BOOK}/{camera}"),
            "text/yaml",
            "a: 1",
            ADMIN_KEY,
        ),
        (
            "version_required",
            patch.clone(),
            format!("{BOOK}/{camera}"),
            json_kind,
            r#"{"price_to": "400.00"}"#,
            ADMIN_KEY,
        ),
        (
            "stale_version",
            patch.clone(),
            format!("{BOOK}/{camera}"),
            json_kind,
            r#"{"price_to": "400.00", "version": 9}"#,
            ADMIN_KEY,
        ),
        (
            "rule_fault",
            patch.clone(),
            format!("{BOOK}/{camera}"),
            json_kind,
            r#"{"notify": ["nobody"], "version": 1}"#,
            ADMIN_KEY,
        ),
        (
            "conflict",
            post.clone(),
            "/admin/v1/rulebooks".to_owned(),
            json_kind,
            r#"{"code":"default","rows":"empty"}"#,
            ADMIN_KEY,
        ),
        (
            "unauthorized",
            post.clone(),
            "/webhooks/vapi".to_owned(),
            json_kind,
            "{}",
            ADMIN_KEY,
        ),
        (
            "unauthorized",
            post,
            "/webhooks/vapi/nowhere".to_owned(),
            json_kind,
            "{}",
            ADMIN_KEY,
        ),
    ];
    for (code, method, path, kind, body, key) in errors {
        let mut request = app
            .client
            .request(method, app.url(&path))
            .bearer_auth(key)
            .header("x-request-id", "asked-1");
        if !kind.is_empty() {
            request = request.header("content-type", kind).body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        let (status, problem) = read(response).await;
        let code_of = Code::named(code).unwrap();
        assert_eq!(
            (&problem["code"], status),
            (&json!(code), code_of.status()),
            "{path}: {problem}"
        );
        assert_eq!(
            (
                headers["content-type"].to_str().unwrap(),
                headers["x-request-id"].to_str().unwrap()
            ),
            ("application/problem+json", "asked-1")
        );
        let expected = (
            json!(code_of.address()),
            json!(code_of.title()),
            json!(status.as_u16()),
            json!("asked-1"),
            json!(code_of.retryable()),
        );
        let told = ["type", "title", "status", "request_id", "retryable"].map(|name| problem[name].clone());
        assert_eq!(
            told,
            [expected.0, expected.1, expected.2, expected.3, expected.4],
            "{path}"
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.len() > 10, "{path}: {detail}");
        // The response contains the JSON pointer of each error in the request.
        if matches!(code, "invalid_body" | "invalid_parameter" | "rule_fault") {
            let faults = problem["errors"]
                .as_array()
                .unwrap_or_else(|| panic!("{path}: {problem}"));
            for fault in faults {
                assert!(
                    fault["pointer"].is_string() && !fault["code"].as_str().unwrap().is_empty(),
                    "{path}: {fault}"
                );
                assert!(fault["detail"].as_str().unwrap().len() > 10, "{path}: {fault}");
            }
        }
        let (status, page) = app.get(problem["type"].as_str().unwrap()).await;
        assert_eq!(status, StatusCode::OK, "{page}");
    }
    app.stop().await;
}
