//! A call has one price: its lead, its SMS messages and the API agree.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    both,
    support::{
        Database, TestApp,
        messages::{report, report_of, tool_calls},
        tables::having,
    },
};

both!(
    the_lead_carries_the_quote_of_what_was_booked,
    a_quote_that_does_not_fit_is_decided_anew,
    what_is_refused_has_no_price,
    the_lead_the_sms_message_and_the_api_say_the_same,
    an_adjustment_comes_once_for_the_job,
    a_later_report_that_is_more_urgent_is_acted_on,
    an_sms_message_says_what_the_caller_gave,
);

async fn quiet(database: Database) -> TestApp {
    TestApp::builder(database).set("RINGBOOK_WORKERS", "none").start().await
}

async fn edit(server: &TestApp, path: &str, change: &Value) {
    let path = format!("/admin/v1/rulebooks/default/{path}");
    let (status, mut row) = server.admin(Method::GET, &path, None).await;
    assert!(status.is_success(), "{row}");
    for (name, value) in change.as_object().unwrap() {
        row[name] = value.clone();
    }
    let (status, row) = server.admin(Method::PUT, &path, Some(&row)).await;
    assert!(status.is_success(), "{row}");
}

async fn ask(server: &TestApp, call: &str, at: i64, tool: &str, arguments: Value) -> Value {
    let id = format!("t{at}");
    let answer = server.take(&tool_calls(call, at, &[(&id, tool, arguments)])).await;
    serde_json::from_str(
        answer["results"][0]["result"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}")),
    )
    .unwrap()
}

/// Builds a report with only the caller's words and these fields about the job.
fn told(call: &str, said: &str, fields: &Value) -> Value {
    let mut report = report(call, said);
    report["message"]["analysis"] = json!({"structuredData": fields});
    report
}

async fn lead(server: &TestApp, call: &str) -> Value {
    having(&server.rows("leads").await, "call_id", call).remove(0)
}

fn price(row: &Value) -> (&Value, &Value) {
    (&row["price_from"], &row["price_to"])
}

async fn the_lead_carries_the_quote_of_what_was_booked(database: Database) {
    let server = quiet(database).await;
    let (roots, camera) = (json!({"serviceType": "racines"}), json!({"serviceType": "inspection"}));
    let quoted = ask(&server, "call-1", 1_000, "calculateQuote", roots.clone()).await;
    assert_eq!(quoted["price"]["from"], "450.00");
    let quoted = ask(&server, "call-1", 2_000, "calculateQuote", camera).await;
    assert_eq!(quoted["price"]["from"], "350.00");
    // The price rises before the caller decides, but the quoted price stays.
    edit(
        &server,
        "services/root_removal",
        &json!({"price_from": "999.00", "price_to": "999.00"}),
    )
    .await;
    let mut booking = roots;
    booking["wantedSlot"] = json!("vendredi");
    ask(&server, "call-1", 3_000, "bookAppointment", booking).await;
    let booked = lead(&server, "call-1").await;
    assert_eq!(
        (price(&booked), &booked["service"]),
        ((&json!(45_000), &json!(75_000)), &json!("root_removal"))
    );
    server
        .take(&told(
            "call-1",
            "Oui, c'est bon. Et l'inspection par caméra, plus tard.",
            &json!({}),
        ))
        .await;
    let reported = lead(&server, "call-1").await;
    assert_eq!(
        (price(&reported), &reported["service"]),
        (price(&booked), &json!("root_removal"))
    );
    let quotes = having(&server.rows("decisions").await, "purpose", "quote");
    let first = &having(&quotes, "service", "root_removal")[0];
    assert_eq!(
        (&reported["quote_decision_id"], &reported["quote_revision"]),
        (&first["id"], &first["revision"])
    );
    // If nothing was booked, the report's decision defines the job, and the last quote for that job counts.
    for (at, metres) in [(1_000, 10), (2_000, 20)] {
        ask(
            &server,
            "call-2",
            at,
            "calculateQuote",
            json!({"serviceType": "drain français", "metres": metres}),
        )
        .await;
    }
    server
        .take(&told("call-2", "Un drain français.", &json!({"metres": 10})))
        .await;
    assert_eq!(
        price(&lead(&server, "call-2").await),
        (&json!(500_000), &json!(800_000))
    );
    server.stop().await;
}

async fn a_quote_that_does_not_fit_is_decided_anew(database: Database) {
    let server = quiet(database).await;
    ask(
        &server,
        "call-1",
        1_000,
        "calculateQuote",
        json!({"serviceType": "inspection"}),
    )
    .await;
    server
        .take(&told(
            "call-1",
            "J'ai des racines dans le drain.",
            &json!({"serviceType": "racines"}),
        ))
        .await;
    assert_eq!(
        price(&lead(&server, "call-1").await),
        (&json!(45_000), &json!(75_000)),
        "another service"
    );
    ask(
        &server,
        "call-2",
        1_000,
        "calculateQuote",
        json!({"serviceType": "racines", "postalCode": "J4K 2M6"}),
    )
    .await;
    server
        .take(&told("call-2", "J'ai des racines.", &json!({"postalCode": "H2Z 9Q7"})))
        .await;
    assert_eq!(
        price(&lead(&server, "call-2").await),
        (&json!(45_000), &json!(75_000)),
        "another area"
    );
    ask(
        &server,
        "call-3",
        1_000,
        "calculateQuote",
        json!({"serviceType": "racines"}),
    )
    .await;
    server
        .take(&told("call-3", "J'ai des racines.", &json!({"postalCode": "J4K 2M6"})))
        .await;
    assert_eq!(
        price(&lead(&server, "call-3").await),
        (&json!(55_000), &json!(85_000)),
        "the lead must have the price of the area that costs more"
    );
    ask(
        &server,
        "call-4",
        1_000,
        "calculateQuote",
        json!({"serviceType": "racines", "postalCode": "J4K 2M6"}),
    )
    .await;
    server.take(&told("call-4", "J'ai des racines.", &json!({}))).await;
    assert_eq!(
        price(&lead(&server, "call-4").await),
        (&json!(55_000), &json!(85_000)),
        "the lead must have the price of the quote, which had more facts"
    );
    ask(
        &server,
        "call-5",
        1_000,
        "calculateQuote",
        json!({"serviceType": "drain français"}),
    )
    .await;
    server
        .take(&told("call-5", "Un drain français.", &json!({"metres": 12})))
        .await;
    assert_eq!(
        price(&lead(&server, "call-5").await),
        (&json!(600_000), &json!(960_000)),
        "a length"
    );
    server.stop().await;
}

async fn what_is_refused_has_no_price(database: Database) {
    let server = quiet(database).await;
    ask(
        &server,
        "call-1",
        1_000,
        "calculateQuote",
        json!({"serviceType": "racines"}),
    )
    .await;
    server
        .take(&told(
            "call-1",
            "Videz-vous les fosses septiques?",
            &json!({"serviceType": "fosse septique"}),
        ))
        .await;
    let row = lead(&server, "call-1").await;
    assert_eq!(
        (price(&row), &row["service"]),
        ((&json!(null), &json!(null)), &json!("septic_tank"))
    );
    // If a refused service is booked instead, the price of the first booking no longer counts.
    ask(
        &server,
        "call-2",
        1_000,
        "bookAppointment",
        json!({"serviceType": "racines"}),
    )
    .await;
    ask(
        &server,
        "call-2",
        2_000,
        "bookAppointment",
        json!({"serviceType": "fosse septique"}),
    )
    .await;
    let row = lead(&server, "call-2").await;
    assert_eq!(
        (price(&row), &row["currency"]),
        ((&json!(null), &json!(null)), &json!(null))
    );
    server.stop().await;
}

async fn the_lead_the_sms_message_and_the_api_say_the_same(database: Database) {
    let server = quiet(database).await;
    ask(
        &server,
        "call-1",
        1_000,
        "calculateQuote",
        json!({"serviceType": "racines"}),
    )
    .await;
    ask(
        &server,
        "call-1",
        2_000,
        "calculateQuote",
        json!({"serviceType": "inspection"}),
    )
    .await;
    ask(
        &server,
        "call-1",
        3_000,
        "bookAppointment",
        json!({"serviceType": "racines"}),
    )
    .await;
    edit(
        &server,
        "services/root_removal",
        &json!({"price_from": "999.00", "price_to": "999.00"}),
    )
    .await;
    server
        .take(&told(
            "call-1",
            "Mon sous-sol est inondé, c'est l'inspection qui presse!",
            &json!({}),
        ))
        .await;
    let body = server.only_row("sms_messages").await["body"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, leads) = server
        .admin(Method::GET, "/admin/v1/rulebooks/default/leads", None)
        .await;
    let shown = &leads["items"][0];
    assert_eq!(
        (&shown["price_from"], &shown["price_to"]),
        (&json!("450.00"), &json!("750.00")),
        "{leads}"
    );
    assert!(body.contains("450.00-750.00 CAD"), "{body}");
    assert_eq!(shown["service"], "root_removal");
    assert!(body.contains("racines") || body.contains("Root removal"), "{body}");
    server.stop().await;
}

async fn an_adjustment_comes_once_for_the_job(database: Database) {
    let server = quiet(database).await;
    let drain = |metres: Value| json!({"serviceType": "french drain", "postalCode": "J4K 2M6", "metres": metres});
    let unknown = ask(&server, "call-1", 1_000, "calculateQuote", drain(json!(null))).await;
    let one = &unknown["price"];
    assert_eq!(
        (&one["from"], &one["to"]),
        (&json!("500.00"), &json!("800.00")),
        "{unknown}"
    );
    assert_eq!(one["besides"], "100.00");
    assert!(
        unknown["say"].as_str().unwrap().contains("plus 100 dollars"),
        "{unknown}"
    );
    let known = ask(&server, "call-1", 2_000, "calculateQuote", drain(json!(10))).await;
    assert_eq!(
        (&known["price"]["from"], &known["price"].get("besides")),
        (&json!("5100.00"), &None)
    );
    edit(&server, "adjustments/south_shore", &json!({"per": "unit"})).await;
    let unknown = ask(&server, "call-1", 3_000, "calculateQuote", drain(json!(null))).await;
    assert_eq!(unknown["price"]["from"], "600.00", "{unknown}");
    let known = ask(&server, "call-1", 4_000, "calculateQuote", drain(json!(10))).await;
    assert_eq!(known["price"]["from"], "6000.00", "{known}");
    server.stop().await;
}

async fn a_later_report_that_is_more_urgent_is_acted_on(database: Database) {
    let server = quiet(database).await;
    let mut first = report("call-1", "Bonjour, c'est pour un problème.");
    first["message"].as_object_mut().unwrap().remove("analysis");
    server.take(&first).await;
    assert_eq!(lead(&server, "call-1").await["priority"], "P4");
    assert_eq!(server.counts(["sms_messages"]).await, [0]);
    let mut second = told(
        "call-1",
        "Bonjour, c'est pour un problème.",
        &json!({"serviceType": "racines", "urgency": "emergency", "problemDescription": "Le sous-sol est inondé."}),
    );
    second["message"]["timestamp"] = json!(first["message"]["timestamp"].as_i64().unwrap() + 9_000);
    for _ in 0..3 {
        server.take(&second).await;
    }
    let row = lead(&server, "call-1").await;
    assert_eq!(
        (&row["priority"], &row["sla_seconds"]),
        (&json!("P1"), &json!(0)),
        "{row}"
    );
    assert_eq!(
        (price(&row), &row["service"]),
        ((&json!(45_000), &json!(75_000)), &json!("root_removal"))
    );
    assert_eq!(
        server.counts(["sms_messages", "escalations", "decisions"]).await,
        [1, 1, 2]
    );
    // A less urgent report does not lower the priority.
    first["message"]["timestamp"] = json!(first["message"]["timestamp"].as_i64().unwrap() + 99_000);
    server.take(&first).await;
    assert_eq!(lead(&server, "call-1").await["priority"], "P1");
    assert_eq!(server.counts(["sms_messages", "decisions"]).await, [1, 2]);
    // The more urgent report may have the earlier timestamp and still arrive last.
    let mut late = report("call-2", "Bonjour, c'est pour un problème.");
    server.take(&late).await;
    late = report("call-2", "C'est inondé, une urgence!");
    late["message"]["timestamp"] = json!(late["message"]["timestamp"].as_i64().unwrap() - 9_000);
    server.take(&late).await;
    assert_eq!(lead(&server, "call-2").await["priority"], "P1");
    assert_eq!(server.counts(["sms_messages"]).await, [2]);
    server.stop().await;
}

async fn an_sms_message_says_what_the_caller_gave(database: Database) {
    let server = quiet(database).await;
    let turns = json!([
        {"role": "bot", "message": "Hello, how can I help?"},
        {"role": "user", "message": "Hi, my basement is flooding and the floor drain backs up."},
        {"role": "bot", "message": "What is the address?"},
        {"role": "user", "message": "It's 482 Maple Street in Brossard."},
    ]);
    let mut web = report_of("call-1", &turns);
    let fields = web["message"].as_object_mut().unwrap();
    fields.remove("analysis");
    fields.remove("customer");
    fields["call"]["type"] = json!("webCall");
    server.take(&web).await;
    let body = server.only_row("sms_messages").await["body"]
        .as_str()
        .unwrap()
        .to_owned();
    for part in ["482 Maple Street", "Brossard", "basement is flooding"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    // The arguments of a tool call also appear in the SMS message.
    let about = json!({"serviceType": "racines", "address": "9 rue du Lac", "problemDescription": "Racines au sous-sol",
        "customerName": "Zoé Tremblay"});
    ask(&server, "call-2", 1_000, "bookAppointment", about).await;
    server.take(&told("call-2", "C'est inondé!", &json!({}))).await;
    let texts = server.rows("sms_messages").await;
    let body = having(&texts, "call_id", "call-2")[0]["body"]
        .as_str()
        .unwrap()
        .to_owned();
    for part in ["9 rue du Lac", "Racines au sous-sol"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    server.stop().await;
}
