//! Exports calls, leads and SMS messages as spreadsheets. A spreadsheet has all rows that match the filters, and no
//! cell is a formula. Phone numbers are masked for viewers.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::both;
use crate::support::app::ADMIN_KEY;
use crate::support::messages::report;
use crate::support::{Database, TestApp};

both!(lists_are_spreadsheets_for_who_asks);

const BOOK: &str = "/admin/v1/rulebooks/default";

/// Reads the rows of a spreadsheet, each with its values by column.
async fn sheet(app: &TestApp, key: &str, path: &str) -> Vec<std::collections::HashMap<String, String>> {
    let request = app
        .client
        .get(app.url(path))
        .bearer_auth(key)
        .header("accept", "text/csv");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(
        name.starts_with("attachment; filename=\"") && name.ends_with(".csv\""),
        "{name}"
    );
    let text = response.text().await.unwrap();
    let mut reader = csv::Reader::from_reader(text.strip_prefix('\u{feff}').unwrap().as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

async fn lists_are_spreadsheets_for_who_asks(database: Database) {
    let app = TestApp::builder(database)
        .set("RATE_LIMIT_ENABLED", "false")
        .start()
        .await;
    // These are more rows than one page of the API contains.
    let count = 203;
    for number in 0..count {
        let mut message = report(&format!("call-{number:03}"), "Il y a une inondation dans le sous-sol");
        let told = &mut message["message"]["analysis"]["structuredData"];
        told["customerPhone"] = json!("+15145550123");
        told["customerName"] = json!("=HYPERLINK(\"http://x\")");
        message["message"]["customer"] = json!({"number": "+15145550123", "name": "=HYPERLINK(\"http://x\")"});
        app.take(&message).await;
    }
    let calls = sheet(&app, ADMIN_KEY, &format!("{BOOK}/calls?limit=5")).await;
    assert_eq!(
        calls.len(),
        count,
        "the sheet must have all rows, whatever `limit` says"
    );
    let (_, list) = app
        .admin(Method::GET, &format!("{BOOK}/calls?limit=1&sort=first_seen_at"), None)
        .await;
    let (first, last) = (&list["items"][0], calls.last().unwrap());
    for column in ["id", "status", "first_seen_at"] {
        assert_eq!(first[column], json!(last[column]), "{column}");
    }
    let few = sheet(&app, ADMIN_KEY, &format!("{BOOK}/calls?status=nonsense")).await;
    assert!(few.is_empty());

    let leads = sheet(&app, ADMIN_KEY, &format!("{BOOK}/leads?priority=P1")).await;
    assert_eq!(leads.len(), count);
    for lead in [&leads[0], &leads[count - 1]] {
        assert_eq!(
            (lead["priority"].as_str(), lead["acknowledgement.by"].as_str()),
            ("P1", "")
        );
        assert_eq!(lead["customer_number"], "'+15145550123");
        assert!(lead["customer_name"].starts_with("'="), "{lead:?}");
    }
    let texts = sheet(&app, ADMIN_KEY, "/admin/v1/sms-messages?state=simulated").await;
    let (_, all) = app.admin(Method::GET, "/admin/v1/sms-messages?limit=200", None).await;
    assert!(texts.len() >= all["items"].as_array().unwrap().len().min(1), "{all}");
    assert!(
        texts
            .iter()
            .all(|text| !text["body"].is_empty() && !text["billed_as.segments"].is_empty())
    );

    // A viewer sees ids and prices unchanged but no phone numbers.
    let body = json!({"name": "reader", "role": "viewer"});
    let (status, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let seen = sheet(&app, made["key"].as_str().unwrap(), &format!("{BOOK}/leads")).await;
    for (mine, theirs) in leads.iter().zip(&seen) {
        for column in ["id", "created_at", "due_at", "price_from", "call_id"] {
            assert_eq!(mine[column], theirs[column], "{column}");
        }
        assert!(!format!("{theirs:?}").contains("5145550123"), "{theirs:?}");
    }

    let refused = app.client.get(app.url(&format!("{BOOK}/calls"))).bearer_auth(ADMIN_KEY);
    let refused = refused.header("accept", "text/html").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
    app.stop().await;
}
