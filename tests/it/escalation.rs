//! Escalation: a P1 that nobody acknowledges goes to the next contact on time. The first acknowledgement counts, and
//! everybody can see who sent it.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Method, StatusCode};
use sms::acknowledge::{ReplyOutcome, ReplyResult, by_reply};
use sms::status::Report;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    both,
    support::{
        Answer, Database, StandIn, TestApp,
        messages::{message, report, tool_calls},
        tables::having,
    },
    twilio_callbacks,
};

both!(
    a_p1_that_nobody_answers_goes_to_the_next_then_to_all_then_to_a_person,
    the_reply_1_stops_it,
    only_a_clear_yes_of_a_contact_takes_it,
    of_two_who_reply_at_once_one_takes_it_and_the_other_is_told_who,
    a_reply_while_the_next_step_is_on_its_way_ends_it,
    of_three_instances_one_hands_it_on_and_a_restart_goes_on,
    it_is_taken_through_the_api_once,
    a_call_has_one_escalation_whatever_comes_about_it,
    the_operators_text_can_be_acted_on,
    a_p1_with_nobody_on_call_goes_to_the_others_at_once,
    a_text_that_can_be_answered_says_how,
    the_server_does_it_by_itself,
    an_erased_caller_goes_to_nobody,
    a_text_that_cannot_arrive_is_not_waited_for,
    while_one_of_a_step_may_still_answer_nothing_is_hurried,
    a_step_whose_texts_are_all_refused_is_not_waited_for,
    a_text_of_an_earlier_step_hurries_nothing,
    a_reply_through_twilio_stops_it_and_is_answered,
    the_others_are_told_who_took_it_and_may_object,
);

pub const BOOK: &str = "/admin/v1/rulebooks/default";
const MARIO: &str = "+15145550101";
const SARAH: &str = "+15145550102";
const AMINA: &str = "+15145550103";

pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_532_470, 0).unwrap()
}

/// Starts a server without background work, with three contacts, one of them on call.
async fn at_rest(database: Database) -> TestApp {
    let server = TestApp::at_rest(database, start()).await;
    let amina = json!({"name": "Amina Diallo", "phone": AMINA, "language": "en", "rank": 30, "on_call": false});
    put(&server, "/contacts/amina", &amina).await;
    server
}

pub async fn put(server: &TestApp, path: &str, body: &Value) {
    let mut body = body.clone();
    body["code"] = json!(path.rsplit('/').next());
    let (status, answer) = server.admin(Method::PUT, &format!("{BOOK}{path}"), Some(&body)).await;
    assert!(status.is_success(), "{answer}");
}

pub async fn patch(server: &TestApp, path: &str, body: &Value) {
    let path = format!("{BOOK}{path}");
    let (_, row) = server.admin(Method::GET, &path, None).await;
    let mut body = body.clone();
    body["version"] = row["version"].clone();
    let (status, answer) = server.admin(Method::PATCH, &path, Some(&body)).await;
    assert!(status.is_success(), "{answer}");
}

/// Deletes the cases that would fail with a test's rules.
pub async fn drop_cases(server: &TestApp, which: impl Fn(&Value) -> bool) {
    let (_, cases) = server
        .admin(Method::GET, &format!("{BOOK}/cases?limit=200"), None)
        .await;
    for case in cases["items"].as_array().unwrap().iter().filter(|case| which(case)) {
        let url = server.url(&format!("{BOOK}/cases/{}", case["code"].as_str().unwrap()));
        let request = server.client.delete(url).bearer_auth(crate::support::app::ADMIN_KEY);
        let response = request
            .header("if-match", format!("\"{}\"", case["version"]))
            .send()
            .await
            .unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    }
}

pub async fn flood(server: &TestApp, call: &str) {
    server
        .take(&report(call, "Mon sous-sol est inondé, des racines."))
        .await;
}

/// Advances the clock and runs the escalations that are due. Returns their number.
async fn after(server: &TestApp, seconds: i64) -> usize {
    server.app.clock.step(TimeDelta::seconds(seconds));
    server.app.escalator.escalate_due().await.unwrap()
}

/// Returns the contacts who got an SMS message, in the order of the messages.
pub async fn texted(server: &TestApp) -> Vec<String> {
    let mut texts = server.rows("sms_messages").await;
    texts.sort_by_key(|text| text["id"].to_string());
    texts
        .iter()
        .map(|text| text["contact"].as_str().unwrap().to_owned())
        .collect()
}

async fn rulebook_id(server: &TestApp) -> Uuid {
    server.app.current.find("default").await.unwrap().unwrap().0
}

async fn reply(server: &TestApp, from: &str, body: &str) -> Option<ReplyResult> {
    let id = rulebook_id(server).await;
    let tx = store::begin(&server.app.db).await.unwrap();
    let answer = by_reply(&tx, id, (from, body), &server.app.clock).await.unwrap();
    tx.commit().await.unwrap();
    answer
}

pub async fn lead(server: &TestApp, call: &str) -> Value {
    let (status, list) = server
        .admin(Method::GET, &format!("{BOOK}/leads?call_id={call}"), None)
        .await;
    assert_eq!(status, StatusCode::OK, "{list}");
    let lead = list["items"][0].clone();
    let one = format!("{BOOK}/leads/{}", lead["id"].as_str().unwrap());
    assert_eq!(server.admin(Method::GET, &one, None).await.1, lead);
    lead
}

fn instant(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn a_p1_that_nobody_answers_goes_to_the_next_then_to_all_then_to_a_person(database: Database) {
    let server = at_rest(database).await;
    let boss = json!({"name": "Boss", "phone": "+15145550104", "language": "fr", "rank": 40, "on_call": false});
    put(&server, "/contacts/boss", &boss).await;
    flood(&server, "call-1").await;
    assert_eq!(texted(&server).await, ["on_call"]);
    assert_eq!(lead(&server, "call-1").await["sla"]["kept"], Value::Null);
    assert_eq!(after(&server, 299).await, 0);
    assert_eq!(after(&server, 1).await, 1);
    assert_eq!(texted(&server).await, ["on_call", "second"]);
    assert_eq!(after(&server, 299).await, 0);
    assert_eq!(after(&server, 1).await, 1);
    assert_eq!(texted(&server).await, ["on_call", "second", "amina", "boss"]);
    assert_eq!(server.counts(["notices"]).await, [0]);
    assert_eq!(after(&server, 300).await, 1);
    let notice = server.only_row("notices").await;
    assert_eq!(
        (&notice["code"], &notice["severity"], &notice["subject"]),
        (&json!("p1_not_taken"), &json!("urgent"), &json!("call call-1"))
    );
    let told = format!("{} {}", notice["text"], notice["what_to_do"]);
    assert!(
        told.contains("on_call, second, amina, boss") && told.contains("acknowledge"),
        "{told}"
    );
    assert!(!told.contains("4385550177"), "{told}");
    // After the last step, the escalation sends nothing more.
    assert_eq!(after(&server, 100_000).await, 0);
    assert_eq!(
        server.counts(["sms_messages", "notices", "escalations"]).await,
        [4, 1, 1]
    );
    let lead = lead(&server, "call-1").await;
    let steps: Vec<_> = lead["escalation"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["step"])
        .collect();
    assert_eq!(steps, ["first", "next", "all", "nobody_left"]);
    assert_eq!(lead["sla"]["kept"], json!(false));
    assert_eq!(instant(&lead["sla"]["due_at"]), start() + TimeDelta::seconds(300));
    assert_eq!(
        (&lead["acknowledgement"], &lead["escalation"]["next_at"]),
        (&Value::Null, &Value::Null)
    );
    // A late acknowledgement is accepted, and the notice is resolved.
    let answer = reply(&server, AMINA, "yes").await.unwrap();
    assert_eq!(answer.outcome, ReplyOutcome::Taken);
    assert!(server.only_row("notices").await["resolved_at"].is_string());
    server.stop().await;
}

async fn the_reply_1_stops_it(database: Database) {
    let server = at_rest(database).await;
    flood(&server, "call-1").await;
    server.app.clock.step(TimeDelta::seconds(60));
    let answer = reply(&server, MARIO, "1").await.unwrap();
    assert_eq!(
        (answer.outcome, answer.contact.as_str()),
        (ReplyOutcome::Taken, "on_call")
    );
    assert_eq!(answer.call_id.as_deref(), Some("call-1"));
    assert_eq!(answer.answer, "C'est noté: l'appel est à vous.");
    assert_eq!(after(&server, 100_000).await, 0);
    assert_eq!(server.counts(["sms_messages", "notices"]).await, [1, 0]);
    let lead = lead(&server, "call-1").await;
    assert_eq!(
        (&lead["acknowledgement"]["by"], &lead["acknowledgement"]["how"]),
        (&json!("on_call"), &json!("reply"))
    );
    assert_eq!(
        instant(&lead["acknowledgement"]["at"]),
        start() + TimeDelta::seconds(60)
    );
    assert_eq!(lead["sla"]["kept"], json!(true));
    // If several P1 calls are open, the reply must contain the reference of one call.
    for call in ["call-2", "call-3", "call-4"] {
        server.app.clock.step(TimeDelta::seconds(1));
        flood(&server, call).await;
    }
    let texts = server.rows("sms_messages").await;
    let reference = having(&texts, "call_id", "call-2")[0]["reference"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = reply(&server, MARIO, "J'arrive!").await.unwrap();
    assert_eq!((answer.outcome, answer.call_id), (ReplyOutcome::NotNamed, None));
    let wanted = "3 urgences attendent: répondez 1 avec la référence: 1 RB-";
    assert!(answer.answer.starts_with(wanted), "{}", answer.answer);
    assert!(
        answer.answer.contains(&format!("1 {reference} (0 min)")),
        "{}",
        answer.answer
    );
    let answer = reply(&server, MARIO, &format!("ok {}", reference.to_lowercase()))
        .await
        .unwrap();
    assert_eq!(
        (answer.outcome, answer.call_id.as_deref()),
        (ReplyOutcome::Taken, Some("call-2"))
    );
    assert_eq!(after(&server, 301).await, 2);
    server.stop().await;
}

async fn only_a_clear_yes_of_a_contact_takes_it(database: Database) {
    let server = at_rest(database).await;
    let outcome = async |from: &str, body: &str| reply(&server, from, body).await.map(|answer| answer.outcome);
    // Without an open P1, the reply `1` gets a neutral response.
    assert_eq!(outcome(MARIO, "1").await, Some(ReplyOutcome::NothingOpen));
    assert_eq!(outcome(MARIO, "merci").await, None);
    flood(&server, "call-1").await;
    let reference = server.only_row("sms_messages").await["reference"]
        .as_str()
        .unwrap()
        .to_owned();
    // A phone that belongs to no contact acknowledges nothing, with or without the reference.
    assert_eq!(outcome("+14385550177", "1").await, None);
    assert_eq!(outcome("+14385550177", &format!("1 {reference}")).await, None);
    assert_eq!(outcome("+1514\0", "1").await, None);
    // A contact who was not notified of the call, or who replies something else, acknowledges nothing.
    assert_eq!(outcome(SARAH, "1").await, Some(ReplyOutcome::NothingOpen));
    for body in ["ok mais demain", "qui?", "2", ""] {
        assert_eq!(outcome(MARIO, body).await, Some(ReplyOutcome::NotUnderstood), "{body}");
    }
    assert_eq!(outcome(MARIO, "1 RB-ZZZZZZ").await, Some(ReplyOutcome::NothingOpen));
    // The escalation continues: it notifies the next contact, then all others.
    assert_eq!(after(&server, 300).await, 1);
    assert_eq!(after(&server, 300).await, 1);
    let taken = reply(&server, AMINA, "Yes").await.unwrap();
    assert_eq!(
        (taken.outcome, taken.answer.as_str()),
        (ReplyOutcome::Taken, "Noted: the call is yours.")
    );
    server.app.clock.step(TimeDelta::minutes(2));
    let second = reply(&server, MARIO, "1").await.unwrap();
    assert_eq!(
        (second.outcome, second.answer.as_str()),
        (ReplyOutcome::TakenAlready, "Déjà pris par Amina Diallo, il y a 2 min.")
    );
    let again = reply(&server, AMINA, "1").await.unwrap();
    assert_eq!(
        (again.outcome, again.answer.as_str()),
        (ReplyOutcome::TakenAlready, "The call is yours already.")
    );
    assert_eq!(lead(&server, "call-1").await["acknowledgement"]["by"], json!("amina"));
    server.stop().await;
}

async fn of_two_who_reply_at_once_one_takes_it_and_the_other_is_told_who(database: Database) {
    let server = at_rest(database).await;
    patch(&server, "/contacts/second", &json!({"on_call": true})).await;
    for round in 0..10 {
        flood(&server, &format!("call-{round}")).await;
        let (one, two) = tokio::join!(reply(&server, MARIO, "1"), reply(&server, SARAH, "1"));
        let (one, two) = (one.unwrap(), two.unwrap());
        let (winner, other) = if one.outcome == ReplyOutcome::Taken {
            (one, two)
        } else {
            (two, one)
        };
        assert_eq!(
            (winner.outcome, other.outcome),
            (ReplyOutcome::Taken, ReplyOutcome::TakenAlready)
        );
        let name = if winner.contact == "on_call" {
            "Mario Bélanger"
        } else {
            "Sarah Cohen"
        };
        assert!(other.answer.contains(name), "{}", other.answer);
        server.app.clock.step(TimeDelta::seconds(1));
    }
    server.stop().await;
}

async fn a_reply_while_the_next_step_is_on_its_way_ends_it(database: Database) {
    let server = at_rest(database).await;
    for round in 0..10 {
        let call = format!("call-{round}");
        flood(&server, &call).await;
        server.app.clock.step(TimeDelta::seconds(300));
        let (step, taken) = tokio::join!(server.app.escalator.escalate_due(), reply(&server, MARIO, "1"));
        let (step, taken) = (step.unwrap(), taken.unwrap());
        assert_eq!(taken.outcome, ReplyOutcome::Taken);
        let lead = lead(&server, &call).await;
        assert_eq!(lead["acknowledgement"]["by"], json!("on_call"));
        let steps = lead["escalation"]["steps"].as_array().unwrap().len();
        let mut texts = having(&server.rows("sms_messages").await, "call_id", call);
        // Contacts who were notified at the next step may get a message that says who acknowledged the call.
        texts.retain(|text| !text["template"].as_str().unwrap().starts_with("p1_taken_"));
        assert_eq!((steps, texts.len()), (step + 1, step + 1));
        assert_eq!(after(&server, 10_000).await, 0);
    }
    server.stop().await;
}

async fn of_three_instances_one_hands_it_on_and_a_restart_goes_on(database: Database) {
    let server = at_rest(database).await;
    let others = [server.another().await, server.another().await];
    flood(&server, "call-1").await;
    server.app.clock.step(TimeDelta::seconds(300));
    let (one, two, three) = tokio::join!(
        server.app.escalator.escalate_due(),
        others[0].app.escalator.escalate_due(),
        others[1].app.escalator.escalate_due()
    );
    assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 1);
    assert_eq!(texted(&server).await, ["on_call", "second"]);
    for other in others {
        other.stop().await;
    }
    let server = server.restart_after(|clock| clock.step(TimeDelta::hours(2))).await;
    assert_eq!(after(&server, 0).await, 1);
    assert_eq!(texted(&server).await, ["on_call", "second", "amina"]);
    // After the pause, each step still lasts its full time, although no worker ran for a long time.
    assert_eq!(after(&server, 299).await, 0);
    assert_eq!(after(&server, 1).await, 1);
    let notices = server.rows("notices").await;
    assert_eq!(having(&notices, "code", "p1_not_taken").len(), 1, "{notices:#?}");
    server.stop().await;
}

async fn it_is_taken_through_the_api_once(database: Database) {
    let server = at_rest(database).await;
    for call in ["call-1", "call-2"] {
        flood(&server, call).await;
    }
    server
        .take(&report("call-3", "Ici la ville de Longueuil, pour une caméra."))
        .await;
    let open = async |query: &str| {
        let path = format!("{BOOK}/leads?sort=id&{query}");
        let (status, list) = server.admin(Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::OK, "{list}");
        let calls = list["items"].as_array().unwrap().iter();
        calls
            .map(|lead| lead["call_id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(open("acknowledged=false&priority=P1").await, ["call-1", "call-2"]);
    let id = |lead: &Value| format!("{BOOK}/leads/{}/acknowledge", lead["id"].as_str().unwrap());
    let path = id(&lead(&server, "call-1").await);
    let post = async |path: &str, body: Value| server.admin(Method::POST, path, Some(&body)).await;
    for (body, expected, pointer) in [
        (json!({"contact": "nobody"}), 422, "/contact"),
        (json!({"contact": "amina", "by": "Amina"}), 400, "/by"),
        (json!({"by": " "}), 400, "/by"),
        (json!({"by": "x".repeat(101)}), 400, "/by"),
        (json!({"comment": "\u{0}"}), 400, "/comment"),
        (json!({"whom": "amina"}), 400, "/whom"),
    ] {
        let (status, problem) = post(&path, body).await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["pointer"]),
            (expected, &json!(pointer)),
            "{problem}"
        );
    }
    let nowhere = format!("{BOOK}/leads/{}/acknowledge", Uuid::nil());
    assert_eq!(post(&nowhere, json!({})).await.0, StatusCode::NOT_FOUND);
    server.app.clock.step(TimeDelta::seconds(120));
    let (status, taken) = post(&path, json!({"contact": "amina", "comment": "On my way"})).await;
    assert_eq!(status, StatusCode::OK, "{taken}");
    assert_eq!(taken, lead(&server, "call-1").await);
    assert_eq!(
        (
            &taken["acknowledgement"]["by"],
            &taken["acknowledgement"]["how"],
            &taken["acknowledgement"]["comment"]
        ),
        (&json!("amina"), &json!("api"), &json!("On my way"))
    );
    let (status, problem) = post(&path, json!({"contact": "second"})).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::CONFLICT, &json!("conflict")),
        "{problem}"
    );
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("`amina` has already acknowledged this lead"),
        "{problem}"
    );
    // A call without recipients can be acknowledged too, with a name or without one.
    let path = id(&lead(&server, "call-3").await);
    let (status, taken) = post(&path, json!({"by": "Front desk"})).await;
    assert_eq!(
        (status, &taken["acknowledgement"]["by"]),
        (StatusCode::OK, &json!("Front desk")),
        "{taken}"
    );
    assert_eq!(
        (&taken["sla"]["kept"], &taken["escalation"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(open("acknowledged=true").await, ["call-1", "call-3"]);
    assert_eq!(open("acknowledged=false").await, ["call-2"]);
    // A repeated request with the same idempotency key acknowledges only once. Of many concurrent requests, one
    // succeeds.
    let path = id(&lead(&server, "call-2").await);
    let url = server.url(&path);
    let once = |key: &str| {
        let request = server.client.post(&url).bearer_auth(crate::support::app::ADMIN_KEY);
        request.header("idempotency-key", key.to_owned()).json(&json!({}))
    };
    let sent: Vec<_> = ["a", "b", "c", "a", "b", "c"]
        .into_iter()
        .map(|key| tokio::spawn(once(key).send()))
        .collect();
    let mut statuses = Vec::new();
    for sent in sent {
        statuses.push(sent.await.unwrap().unwrap().status());
    }
    let won = statuses.iter().filter(|status| **status == StatusCode::OK).count();
    assert!((1..=2).contains(&won), "{statuses:?}");
    assert!(
        statuses
            .iter()
            .all(|status| *status == StatusCode::OK || *status == StatusCode::CONFLICT),
        "{statuses:?}"
    );
    let entries = "/admin/v1/audit-log?resource=leads&sort=at";
    let (_, log) = server.admin(Method::GET, entries, None).await;
    let log: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["after"]["acknowledged_by"])
        .collect();
    assert_eq!(log.len(), 3, "{log:?}");
    assert_eq!(log[0], "amina");
    assert_eq!(after(&server, 10_000).await, 0);
    server.stop().await;
}

async fn a_call_has_one_escalation_whatever_comes_about_it(database: Database) {
    let server = at_rest(database).await;
    let urgent = json!({"serviceType": "racines", "problemDescription": "Mon sous-sol est inondé"});
    server
        .take(&tool_calls("call-1", 10_000, &[("t1", "sendSMSAlert", urgent)]))
        .await;
    assert_eq!(server.counts(["escalations", "sms_messages"]).await, [1, 1]);
    flood(&server, "call-1").await;
    flood(&server, "call-1").await;
    let mut amended = report("call-1", "C'est inondé, une urgence!");
    amended["message"]["timestamp"] = json!(1_900_000_000_000_i64);
    server.take(&amended).await;
    assert_eq!(server.counts(["escalations"]).await, [1]);
    reply(&server, MARIO, "1").await.unwrap();
    amended["message"]["timestamp"] = json!(1_900_000_000_001_i64);
    server.take(&amended).await;
    assert_eq!(after(&server, 10_000).await, 0);
    assert_eq!(server.counts(["escalations", "sms_messages"]).await, [1, 1]);
    // Other priorities start no escalation.
    server.take(&report("call-2", "Ici la ville de Longueuil.")).await;
    assert_eq!(server.counts(["escalations", "sms_messages"]).await, [1, 2]);
    server.stop().await;
}

async fn the_operators_text_can_be_acted_on(database: Database) {
    let server = TestApp::builder(database)
        .at(start())
        .set("RINGBOOK_WORKERS", "none")
        .set("RINGBOOK_OPERATOR_NUMBER", "+15145550190")
        .set("RINGBOOK_PUBLIC_URL", "https://ringbook.example.com")
        .start()
        .await;
    let mut message = report("call-1", "Mon sous-sol est inondé, des racines.");
    let structured = &mut message["message"]["analysis"]["structuredData"];
    structured["problemDescription"] = json!("Ça déborde: l’œuvre d’une forêt de racines…");
    server.take(&message).await;
    for _ in 0..3 {
        after(&server, 300).await;
    }
    server.app.outbox.drain_once().await.unwrap();
    let texts = server.rows("sms_messages").await;
    let text = having(&texts, "contact", "@operator")[0]["body"]
        .as_str()
        .unwrap()
        .to_owned();
    for part in [
        "P1",
        "Zenobie Quatremains",
        "+14385550177",
        "77 rue du Hibou",
        "déborde: l'oeuvre d'une foret",
        "Call the customer back",
        "https://ringbook.example.com/docs#/leads/acknowledge_lead",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('{') && !text.contains('…'), "{text}");
    let counted = rules::segments::segments(&text);
    assert!(counted.count <= 2, "{counted:?} {text}");
    // The notice names the lead, and contains no data of its caller.
    let notice = server.only_row("notices").await;
    let id = lead(&server, "call-1").await["id"].as_str().unwrap().to_owned();
    assert!(notice["what_to_do"].as_str().unwrap().contains(&id), "{notice}");
    assert!(!notice.to_string().contains("4385550177"), "{notice}");
    // An erasure removes the caller's data from the SMS messages too.
    let path = format!("{BOOK}/erasures");
    let caller = json!({"customer_number": "+14385550177"});
    let (status, answer) = server.admin(Method::POST, &path, Some(&caller)).await;
    assert!(status.is_success(), "{answer}");
    let texts = server.rows("sms_messages").await;
    assert_eq!(having(&texts, "contact", "@operator")[0]["body"], "");
    server.stop().await;
}

async fn a_p1_with_nobody_on_call_goes_to_the_others_at_once(database: Database) {
    let server = at_rest(database).await;
    drop_cases(&server, |case| case["expect"]["/notify/0"] == "on_call").await;
    patch(&server, "/contacts/on_call", &json!({"on_call": false})).await;
    flood(&server, "call-1").await;
    assert_eq!(texted(&server).await, Vec::<String>::new());
    assert_eq!(after(&server, 0).await, 1);
    assert_eq!(texted(&server).await, ["on_call"]);
    assert_eq!(after(&server, 300).await, 1);
    assert_eq!(texted(&server).await, ["on_call", "second", "amina"]);
    server.stop().await;
}

async fn a_text_that_can_be_answered_says_how(database: Database) {
    let server = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("RINGBOOK_PUBLIC_URL", "https://ringbook.example.invalid")
        .at(start())
        .start()
        .await;
    flood(&server, "call-1").await;
    assert_eq!(after(&server, 300).await, 1);
    server.take(&report("call-2", "Ici la ville de Longueuil.")).await;
    let texts = server.rows("sms_messages").await;
    let body = |contact: &str, call: &str| {
        let of = having(&having(&texts, "contact", contact), "call_id", call);
        of[0]["body"].as_str().unwrap().to_owned()
    };
    // The SMS message is written without accents if accents would need another segment.
    let french = body("on_call", "call-1");
    assert!(
        french.ends_with("Répondez 1 si vous y allez.") || french.ends_with("1=OK"),
        "{french}"
    );
    let english = body("second", "call-1");
    assert!(
        english.ends_with("Reply 1 to take it.") || english.ends_with("1=OK"),
        "{english}"
    );
    assert!(!body("on_call", "call-2").contains("1 si vous"), "no P1");
    server.stop().await;
}

async fn the_server_does_it_by_itself(database: Database) {
    let server = TestApp::builder(database).at(start()).start().await;
    flood(&server, "call-1").await;
    server.app.clock.step(TimeDelta::seconds(300));
    let both = async {
        while server.counts(["sms_messages"]).await != [2] || server.counts(["sms_attempts"]).await != [2] {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), both)
        .await
        .unwrap();
    // The outbox records the messages as simulated, and the escalation runs like any other.
    server.stop().await;
}

async fn an_erased_caller_goes_to_nobody(database: Database) {
    let server = at_rest(database).await;
    flood(&server, "call-1").await;
    server
        .take(&message("call.deleted", "call-1", 90_000, &json!({})))
        .await;
    assert_eq!(after(&server, 10_000).await, 0);
    assert_eq!(server.counts(["sms_messages", "notices"]).await, [1, 0]);
    server.stop().await;
}

fn refused() -> Answer {
    Answer::json(400, &json!({"code": 21_211, "message": "no", "status": 400}))
}

/// Starts a server without background work. Its SMS messages go to a stand-in for Twilio.
async fn with_twilio(database: Database, answers: Vec<Answer>) -> (TestApp, StandIn) {
    let twilio = StandIn::start(answers).await;
    let server = TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000001")
        .set("TWILIO_AUTH_TOKEN", "a-token-of-twilio")
        .set("TWILIO_FROM", "+15145550100")
        .set("TWILIO_BASE_URL", twilio.url())
        .at(start())
        .start()
        .await;
    (server, twilio)
}

/// Does the same as [`with_twilio`], then continues until the step that notifies the two remaining contacts. Twilio
/// accepted the first two messages as `SM1` and `SM2` and responds to further messages with `answers`.
async fn all_are_told(database: Database, answers: Vec<Answer>) -> (TestApp, StandIn) {
    let taken = ["SM1", "SM2"].map(twilio_callbacks::taken).into_iter();
    let (server, twilio) = with_twilio(database, taken.chain(answers).collect()).await;
    for (code, phone) in [("amina", AMINA), ("boss", "+15145550104")] {
        let contact = json!({"name": code, "phone": phone, "language": "en", "rank": 30, "on_call": false});
        put(&server, &format!("/contacts/{code}"), &contact).await;
    }
    flood(&server, "call-1").await;
    for _ in 0..2 {
        server.app.outbox.drain_once().await.unwrap();
        assert_eq!(after(&server, 300).await, 1);
    }
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(server.counts(["sms_messages"]).await, [4]);
    (server, twilio)
}

async fn while_one_of_a_step_may_still_answer_nothing_is_hurried(database: Database) {
    let (server, _twilio) = all_are_told(database, vec![refused(), twilio_callbacks::taken("SM4")]).await;
    let texts = server.rows("sms_messages").await;
    assert_eq!(
        (
            having(&texts, "state", "dead").len(),
            having(&texts, "state", "accepted").len()
        ),
        (1, 3)
    );
    assert_eq!(after(&server, 299).await, 0);
    assert_eq!(after(&server, 1).await, 1);
    server.stop().await;
}

async fn a_step_whose_texts_are_all_refused_is_not_waited_for(database: Database) {
    let (server, _twilio) = all_are_told(database, vec![refused()]).await;
    assert_eq!(having(&server.rows("sms_messages").await, "state", "dead").len(), 2);
    assert_eq!(after(&server, 0).await, 1);
    let notices = server.rows("notices").await;
    assert_eq!(having(&notices, "code", "p1_not_taken").len(), 1, "{notices:#?}");
    server.stop().await;
}

async fn a_text_of_an_earlier_step_hurries_nothing(database: Database) {
    let (server, _twilio) = all_are_told(database, vec![twilio_callbacks::taken("SM3")]).await;
    let texts = server.rows("sms_messages").await;
    let first = having(&texts, "contact", "on_call")[0]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let failed = Report {
        sid: "SM1".to_owned(),
        status: "failed".to_owned(),
        error_code: Some(30_006),
    };
    let id = rulebook_id(&server).await;
    server.app.outbox.note_status(id, first, &failed).await.unwrap();
    assert_eq!(having(&server.rows("sms_messages").await, "state", "dead").len(), 1);
    assert_eq!(after(&server, 0).await, 0);
    server.stop().await;
}

async fn a_text_that_cannot_arrive_is_not_waited_for(database: Database) {
    let (server, _twilio) = with_twilio(database, vec![refused()]).await;
    flood(&server, "call-1").await;
    assert_eq!(after(&server, 10).await, 0);
    server.app.outbox.drain_once().await.unwrap();
    assert_eq!(server.only_row("sms_messages").await["state"], "dead");
    assert_eq!(after(&server, 0).await, 1);
    assert_eq!(texted(&server).await, ["on_call", "second"]);
    server.stop().await;
}

async fn a_reply_through_twilio_stops_it_and_is_answered(database: Database) {
    let (server, twilio) = twilio_callbacks::start(database, vec![twilio_callbacks::taken("SM1")]).await;
    flood(&server, "call-1").await;
    server.app.outbox.drain_once().await.unwrap();
    let body = reqwest::Url::parse(&format!("http://form/?{}", twilio.seen()[0].body)).unwrap();
    let body = body
        .query_pairs()
        .find(|(name, _)| name == "Body")
        .unwrap()
        .1
        .into_owned();
    assert!(
        body.ends_with("Répondez 1 si vous y allez.") || body.ends_with("1=OK"),
        "{body}"
    );
    let say = async |sid: &str, from: &str, body: &str| {
        let fields = [
            ("MessageSid", sid),
            ("AccountSid", twilio_callbacks::ACCOUNT),
            ("From", from),
            ("To", "+15145550100"),
            ("Body", body),
        ];
        let (status, answer) =
            twilio_callbacks::post(&server, "/webhooks/twilio/inbound", twilio_callbacks::TOKEN, &fields).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    };
    assert!(say("SM11", "+14385550177", "1").await.ends_with("<Response/>"));
    assert!(say("SM12", MARIO, "1 & <2>").await.contains("<Message>Répondez 1"));
    assert!(
        say("SM13", MARIO, "1")
            .await
            .contains("<Message>C'est noté: l'appel est à vous.</Message>")
    );
    // Twilio may send the same reply twice: the second copy has no effect and gets an empty response.
    assert!(say("SM13", MARIO, "1").await.ends_with("<Response/>"));
    assert!(say("SM14", SARAH, "1").await.contains("nothing to take"));
    assert_eq!(after(&server, 10_000).await, 0);
    assert_eq!(lead(&server, "call-1").await["acknowledgement"]["how"], json!("reply"));
    assert_eq!(twilio.seen().len(), 1);
    server.stop().await;
}

async fn the_others_are_told_who_took_it_and_may_object(database: Database) {
    let server = at_rest(database).await;
    patch(&server, "/contacts/second", &json!({"on_call": true})).await;
    flood(&server, "call-1").await;
    // Somebody forges the reply `1` with Mario's number. The other contact on call gets an SMS message. Amina, who is
    // not on call, gets none.
    let taken = reply(&server, MARIO, "1").await.unwrap();
    assert_eq!((taken.outcome, taken.texts), (ReplyOutcome::Taken, true));
    let texts = server.rows("sms_messages").await;
    let told: Vec<&Value> = texts
        .iter()
        .filter(|text| text["template"].as_str().unwrap().starts_with("p1_taken_"))
        .collect();
    assert_eq!(told.len(), 1, "{texts:#?}");
    let (body, reference) = (
        told[0]["body"].as_str().unwrap(),
        told[0]["reference"].as_str().unwrap(),
    );
    assert_eq!(
        (&told[0]["contact"], &told[0]["priority"]),
        (&json!("second"), &json!("P2"))
    );
    assert_eq!(
        body,
        format!("Mario Bélanger took the emergency. If that is wrong, reply: 0 {reference}")
    );
    // An unknown sender cannot reopen a call, and nobody can reopen a call with an unknown reference.
    assert_eq!(reply(&server, "+14385550177", &format!("0 {reference}")).await, None);
    assert_eq!(reply(&server, SARAH, "0 RB-ZZZZZZ").await, None);
    assert_eq!(after(&server, 600).await, 0);
    let objection = reply(&server, SARAH, &format!("0 {reference}")).await.unwrap();
    assert_eq!(
        (objection.outcome, objection.answer.as_str()),
        (ReplyOutcome::Reopened, "Noted: the call goes to the next contact.")
    );
    let notice = server.only_row("notices").await;
    assert_eq!(
        (&notice["code"], &notice["severity"]),
        (&json!("p1_contested"), &json!("urgent"))
    );
    assert_eq!(lead(&server, "call-1").await["acknowledgement"], json!(null));
    // The reopened P1 goes to the next contact immediately. Amina's acknowledgement then informs the others and
    // resolves the notice.
    assert_eq!(after(&server, 0).await, 1);
    assert_eq!(texted(&server).await.last().map(String::as_str), Some("amina"));
    let taken = reply(&server, AMINA, "1").await.unwrap();
    assert_eq!((taken.outcome, taken.texts), (ReplyOutcome::Taken, true));
    assert!(!server.only_row("notices").await["resolved_at"].is_null());
    // Amina can also object to her own acknowledgement, because the reply comes from her number.
    let objection = reply(&server, AMINA, "0").await.unwrap();
    assert_eq!(objection.outcome, ReplyOutcome::Reopened);
    server.stop().await;
}
