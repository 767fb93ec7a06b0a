//! Exports a price list as a spreadsheet and imports it again, over HTTP.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::{Database, TestApp, app::ADMIN_KEY, requests::read};

const SERVICES: &str = "/admin/v1/rulebooks/default/services.csv";
const HEAD: &str = "/admin/v1/rulebooks/default";

both!(
    a_price_list_is_edited_in_a_spreadsheet,
    a_faulty_sheet_changes_nothing_and_says_where,
    nobody_overwrites_with_an_old_sheet,
    a_sheet_goes_into_a_change_set,
    every_kind_of_row_goes_out_and_comes_back,
);

async fn get(app: &TestApp, path: &str) -> String {
    let response = app
        .client
        .get(app.url(path))
        .bearer_auth(ADMIN_KEY)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    response.text().await.unwrap()
}

async fn post(app: &TestApp, path: &str, sheet: impl Into<Vec<u8>>) -> (StatusCode, Value) {
    let request = app.client.post(app.url(path)).bearer_auth(ADMIN_KEY);
    let request = request.header("content-type", "text/csv").body(sheet.into());
    read(request.send().await.unwrap()).await
}

async fn revision(app: &TestApp) -> i64 {
    app.admin(Method::GET, HEAD, None).await.1["revision"].as_i64().unwrap()
}

async fn a_price_list_is_edited_in_a_spreadsheet(database: Database) {
    let app = TestApp::start(database).await;
    let sheet = get(&app, SERVICES).await;
    assert!(sheet.starts_with("\u{feff}code,names.en,names.fr,keywords,"), "{sheet}");
    let (status, same) = post(&app, SERVICES, sheet.clone()).await;
    assert_eq!(
        (status, &same["rows"], &same["revision"]),
        (StatusCode::OK, &json!([]), &json!(1))
    );

    // A spreadsheet program set to French saves the sheet with semicolons, and the price without cents.
    let edited: Vec<String> = sheet
        .trim_start_matches('\u{feff}')
        .lines()
        .filter(|line| line.starts_with("code,") || line.starts_with("camera_inspection,"))
        .map(|line| line.replace("350.00,350.00", "350,420").replace(',', ";"))
        .collect();
    let edited = edited.join("\n");
    let shown = post(&app, &format!("{SERVICES}?dry_run=true"), edited.clone()).await;
    let expected = json!([{"resource": "services", "code": "camera_inspection", "what": "changed",
        "changes": [{"column": "price_to", "before": "350.00", "after": "420.00"}]}]);
    assert_eq!((shown.0, &shown.1["rows"]), (StatusCode::OK, &expected), "{}", shown.1);
    assert_eq!((&shown.1["revision"], revision(&app).await), (&json!(2), 1));

    let (status, done) = post(&app, &format!("{SERVICES}?comment=spring"), edited).await;
    assert_eq!(
        (status, &done["revision"], &done["rows"]),
        (StatusCode::OK, &json!(2), &expected),
        "{done}"
    );
    let (_, head) = app.admin(Method::GET, &format!("{HEAD}/revisions/head"), None).await;
    assert_eq!(head["comment"], "spring");
    let old = get(&app, &format!("{SERVICES}?revision=1")).await;
    assert_eq!(old, sheet);
    assert_ne!(get(&app, SERVICES).await, sheet);
    app.stop().await;
}

async fn a_faulty_sheet_changes_nothing_and_says_where(database: Database) {
    let app = TestApp::start(database).await;
    let sheet = "code;price_to;rank;version\ncamera_inspection;420,505;1;1\nfrench_drain;900.00;1.5;1\n";
    let (status, problem) = post(&app, SERVICES, sheet).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("unprocessable")),
        "{problem}"
    );
    let places: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(places, ["/2/price_to", "/3/rank"]);
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("row 2, column price_to: ") && detail.contains("two decimals"),
        "{detail}"
    );

    // A sheet whose rows do not compile is rejected like any other change, also in a dry run.
    let sheet = "code,notify,version\ncamera_inspection,nobody,1\n";
    for path in [SERVICES.to_owned(), format!("{SERVICES}?dry_run=true")] {
        let (status, problem) = post(&app, &path, sheet).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(
            problem["errors"][0]["detail"]
                .as_str()
                .unwrap()
                .contains("camera_inspection"),
            "{problem}"
        );
    }
    let broken = [
        ("", StatusCode::UNPROCESSABLE_ENTITY),
        ("code,prise_to\n", StatusCode::UNPROCESSABLE_ENTITY),
    ];
    for (sheet, expected) in broken {
        assert_eq!(post(&app, SERVICES, sheet).await.0, expected, "{sheet}");
    }
    let request = app
        .client
        .post(app.url(SERVICES))
        .bearer_auth(ADMIN_KEY)
        .json(&json!({}));
    assert_eq!(
        request.send().await.unwrap().status(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let huge = post(&app, SERVICES, vec![b'a'; 8 * 1024 * 1024 + 1]).await;
    assert_eq!(huge.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(revision(&app).await, 1);
    app.stop().await;
}

async fn nobody_overwrites_with_an_old_sheet(database: Database) {
    let app = TestApp::start(database).await;
    let sheet = get(&app, SERVICES).await;
    let (status, _) = post(&app, SERVICES, "code,price_to,version\ncamera_inspection,400.00,1\n").await;
    assert_eq!(status, StatusCode::OK);
    let (status, problem) = post(&app, SERVICES, sheet).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("stale_version")),
        "{problem}"
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("version 1") && detail.contains("current version is 2"),
        "{detail}"
    );
    let (status, _) = post(&app, SERVICES, "code,price_to\ncamera_inspection,500.00\n").await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
    // By default, rows that are not in the sheet are not deleted. A request to delete these rows is rejected with the
    // names of the rows that use them.
    let only = "code\ncamera_inspection\n";
    let (status, kept) = post(&app, SERVICES, only).await;
    assert_eq!((status, &kept["rows"]), (StatusCode::OK, &json!([])));
    let taxes = "/admin/v1/rulebooks/default/taxes.csv?delete_missing=true&dry_run=true";
    let (status, _) = post(&app, taxes, "code\ntps\n").await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
    let (status, _) = post(&app, &format!("{taxes}&revision=0"), "code\ntps\n").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, gone) = post(&app, &format!("{taxes}&revision=1"), "code\ntps\n").await;
    assert_eq!(
        (status, &gone["rows"][0]["what"]),
        (StatusCode::OK, &json!("removed")),
        "{gone}"
    );
    // A row that was created after the export is not deleted.
    let luxury = json!({"names": {"en": "Luxury", "fr": "Luxe"}, "rank": 99, "rate": "1"});
    let (status, made) = app
        .admin(Method::PUT, &format!("{HEAD}/taxes/luxury"), Some(&luxury))
        .await;
    assert!(status.is_success(), "{made}");
    let (status, refused) = post(&app, &format!("{taxes}&revision=1"), "code\ntps\ntvq\n").await;
    assert_eq!(
        (status, &refused["errors"][0]["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("stale_version")),
        "{refused}"
    );
    app.stop().await;
}

async fn a_sheet_goes_into_a_change_set(database: Database) {
    let app = TestApp::start(database).await;
    let sets = format!("{HEAD}/change-sets");
    let (status, set) = app
        .admin(Method::POST, &sets, Some(&json!({"comment": "prices"})))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{set}");
    let id = set["id"].as_str().unwrap();
    let sheet = "code,price_to,version\ncamera_inspection,400.00,1\n";
    let (status, added) = post(&app, &format!("{SERVICES}?change_set={id}"), sheet).await;
    assert_eq!(
        (status, &added["change_set"], &added["revision"]),
        (StatusCode::OK, &json!(id), &Value::Null)
    );
    assert_eq!(revision(&app).await, 1);
    let path = format!("{HEAD}/services/camera_inspection");
    let (_, would_be) = app.admin(Method::GET, &format!("{path}?change_set={id}"), None).await;
    assert_eq!(would_be["price_to"], "400.00");
    assert_eq!(app.admin(Method::GET, &path, None).await.1["price_to"], "350.00");
    let unknown = "00000000-0000-7000-8000-000000000000";
    assert_eq!(
        post(&app, &format!("{SERVICES}?change_set={unknown}"), sheet).await.0,
        StatusCode::NOT_FOUND
    );
    app.stop().await;
}

async fn every_kind_of_row_goes_out_and_comes_back(database: Database) {
    let app = TestApp::start(database).await;
    let (_, document) = app.get("/openapi.json").await;
    let paths = document["paths"].as_object().unwrap().keys();
    let sheets: Vec<String> = paths
        .filter(|path| path.rsplit_once('.').is_some_and(|(_, ending)| ending == "csv"))
        .map(|path| path.replace("{rulebook}", "default"))
        .collect();
    assert_eq!(sheets.len(), 17);
    for path in sheets {
        let sheet = get(&app, &path).await;
        let (status, answer) = post(&app, &format!("{path}?delete_missing=true&revision=1"), sheet).await;
        assert_eq!(
            (status, &answer["rows"]),
            (StatusCode::OK, &json!([])),
            "{path}: {answer}"
        );
    }
    assert_eq!(revision(&app).await, 1);
    app.stop().await;
}
