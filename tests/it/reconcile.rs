//! Finds calls without a report in Vapi's list. Each call is recorded once, even if Vapi posts the report before,
//! during or after the run.

use chrono::{DateTime, TimeDelta, Utc};
use intake::reconcile::{ReconcileOptions, ReconcileTally};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    both,
    support::{
        Database, TestApp, Vapi,
        messages::{report, status},
        tables::{having, yes},
        vapi::{VAPI_KEY, ended_call},
    },
};

both!(
    a_call_whose_report_never_came_is_complete,
    an_hour_of_lost_reports_is_found_and_none_twice,
    what_vapi_posts_before_or_after_has_no_second_effect,
    calls_that_go_on_or_have_just_ended_are_left,
    old_calls_text_nobody_and_a_person_is_told,
    what_came_before_a_backup_was_brought_back_texts_nobody,
    vapi_away_and_a_bad_key_are_told_and_over_when_they_are_over,
    two_rulebooks_with_one_key_are_not_mixed_up,
    a_stale_reconciler_notes_nothing,
);

const FLOOD: &str = "Mon sous-sol est inondé, des racines.";

fn start() -> DateTime<Utc> {
    "2026-11-24T16:00:00Z".parse().unwrap()
}

async fn asking(database: Database, vapi: &Vapi) -> TestApp {
    TestApp::builder(database)
        .set("RINGBOOK_WORKERS", "none")
        .set("VAPI_BASE_URL", vapi.url())
        .set("VAPI_API_KEY", VAPI_KEY)
        .at(start())
        .start()
        .await
}

async fn ask(server: &TestApp, ask: &ReconcileOptions) -> Vec<ReconcileTally> {
    let stop = CancellationToken::new();
    server.app.reconciler.run(ask, None, &stop, |_| {}).await.unwrap()
}

/// Reconciles the default rulebook, starting at the end of the last run.
async fn reconciled(server: &TestApp) -> ReconcileTally {
    let tallies = ask(server, &ReconcileOptions::default()).await;
    assert_eq!(tallies.len(), 1, "{tallies:?}");
    tallies.into_iter().next().unwrap()
}

/// Builds the options of a run over a whole day, for every rulebook.
fn a_day() -> ReconcileOptions {
    ReconcileOptions {
        since: Some(TimeDelta::hours(24)),
        ..ReconcileOptions::default()
    }
}

fn became(tally: &ReconcileTally, word: &str) -> u64 {
    tally.became.get(word).copied().unwrap_or_default()
}

async fn a_call_whose_report_never_came_is_complete(database: Database) {
    let (vapi, now) = (Vapi::start().await, start());
    let server = asking(database, &vapi).await;
    // A reconciled call gives the same record as a posted report.
    let posted = report("posted", FLOOD);
    assert_eq!(server.post_signed(&posted).await.0, StatusCode::OK);
    vapi.knows(ended_call("lost", FLOOD, now - TimeDelta::minutes(5)));
    server.app.clock.step(TimeDelta::hours(1));
    let whole = ReconcileOptions {
        dry_run: true,
        ..a_day()
    };
    let dry = ask(&server, &whole).await;
    assert_eq!((dry[0].listed, dry[0].missing), (1, 1), "{dry:?}");
    assert_eq!(having(&server.rows("calls").await, "id", "lost"), Vec::<Value>::new());
    let tally = &ask(&server, &a_day()).await[0];
    assert_eq!(
        (tally.listed, became(tally, "recorded"), &tally.error),
        (1, 1, &None),
        "{tally:?}"
    );
    let calls = server.rows("calls").await;
    let (lost, posted) = (&having(&calls, "id", "lost")[0], &having(&calls, "id", "posted")[0]);
    for column in [
        "status",
        "ended_reason",
        "summary",
        "cost_micros",
        "customer_number",
        "customer_name",
        "phone_number",
        "address",
        "city",
        "postal_code",
        "service",
        "language",
        "analysis",
    ] {
        assert_eq!(lost[column], posted[column], "{column}");
    }
    assert_eq!(lost["duration_ms"], 65_000);
    let turns = server.rows("call_transcripts").await;
    assert_eq!(
        having(&turns, "call_id", "lost").len(),
        having(&turns, "call_id", "posted").len()
    );
    let events = server.rows("webhook_events").await;
    let event = &having(&events, "call_id", "lost")[0];
    assert_eq!(
        (&event["type"], &event["state"], &event["origin"]),
        (&json!("end-of-call-report"), &json!("recorded"), &json!("reconciled"))
    );
    let decisions = server.rows("decisions").await;
    let of = |call: &str| having(&decisions, "call_id", call)[0].clone();
    assert_eq!(of("lost")["result"]["price"], of("posted")["result"]["price"]);
    assert_eq!(of("lost")["priority"], of("posted")["priority"]);
    // In a second run, the call is known.
    let tally = &ask(&server, &a_day()).await[0];
    assert_eq!((tally.listed, tally.known), (1, 1), "{tally:?}");
    server.stop().await;
}

/// Returns the number of calls in an hour. A page of Vapi's list has a hundred calls.
#[expect(clippy::disallowed_methods, reason = "tests read their own environment variables")]
fn lost_calls() -> usize {
    std::env::var("RINGBOOK_TEST_LOST_CALLS").map_or(130, |count| count.parse().unwrap())
}

async fn an_hour_of_lost_reports_is_found_and_none_twice(database: Database) {
    let count = lost_calls();
    let vapi = Vapi::start().await;
    let server = asking(database, &vapi).await;
    for number in 0..count {
        let at = start() + TimeDelta::seconds(i64::try_from(number * 3600 / count).unwrap());
        vapi.knows(ended_call(&format!("call-{number}"), FLOOD, at));
        // Every tenth call already had a message while it was in progress.
        if number % 10 == 0 {
            let message = status(&format!("call-{number}"), "in-progress", 0);
            assert_eq!(server.post_signed(&message).await.0, StatusCode::OK);
        }
    }
    server.app.clock.step(TimeDelta::minutes(65));
    // Two runs overlap, as if a lease was lost during a run. During both runs, Vapi posts some of the missing reports.
    let late = async {
        for number in (0..count).step_by(20) {
            let message = report(&format!("call-{number}"), FLOOD);
            assert_eq!(server.post_signed(&message).await.0, StatusCode::OK);
        }
    };
    let (one, two, ()) = tokio::join!(reconciled(&server), reconciled(&server), late);
    assert_eq!((&one.error, &two.error), (&None, &None));
    assert_eq!((one.listed, two.listed), (count as u64, count as u64));
    let [calls, decisions, leads, texts] = server.counts(["calls", "decisions", "leads", "sms_messages"]).await;
    assert_eq!((calls, decisions, leads), (count, count, count));
    assert!(texts <= count);
    let events = server.rows("webhook_events").await;
    let reports = having(&events, "type", "end-of-call-report");
    assert_eq!(having(&reports, "state", "recorded").len(), count);
    assert!(
        having(&reports, "state", "amendment")
            .iter()
            .all(|event| event["origin"] == "live")
    );
    let rows = server.rows("calls").await;
    assert!(rows.iter().all(|call| !call["report_at"].is_null()));
    // A page has fewer calls than there are, so the list was read in several pages.
    assert!(vapi.asked().len() > 2, "{:?}", vapi.asked());
    server.app.clock.step(TimeDelta::minutes(5));
    let again = reconciled(&server).await;
    assert_eq!(again.became.len(), 0, "{again:?}");
    server.stop().await;
}

async fn what_vapi_posts_before_or_after_has_no_second_effect(database: Database) {
    let (vapi, now) = (Vapi::start().await, start());
    let server = asking(database, &vapi).await;
    vapi.knows(ended_call("after", FLOOD, now));
    vapi.knows(ended_call("before", FLOOD, now));
    vapi.knows(ended_call("deleted", FLOOD, now));
    server.app.clock.step(TimeDelta::minutes(10));
    assert_eq!(server.post_signed(&report("before", FLOOD)).await.0, StatusCode::OK);
    let gone = crate::support::messages::message("call.deleted", "deleted", 90_000, &json!({}));
    assert_eq!(server.post_signed(&gone).await.0, StatusCode::OK);
    let before = server.everything_of("before").await;
    let tally = reconciled(&server).await;
    assert_eq!((tally.known, became(&tally, "recorded")), (2, 1), "{tally:?}");
    assert_eq!(server.everything_of("before").await, before);
    let texts = server.rows("sms_messages").await;
    // Vapi posts the report late. The record follows the report, and there is no other effect.
    let mut late = report("after", FLOOD);
    late["message"]["timestamp"] = json!((now + TimeDelta::seconds(10)).timestamp_millis());
    late["message"]["analysis"]["summary"] = json!("Vapi's own words.");
    assert_eq!(server.post_signed(&late).await.0, StatusCode::OK);
    let rows = server.rows("calls").await;
    assert_eq!(having(&rows, "id", "after")[0]["summary"], "Vapi's own words.");
    assert_eq!(server.rows("sms_messages").await, texts);
    assert_eq!(having(&server.rows("decisions").await, "call_id", "after").len(), 1);
    // The next run finds the call in Vapi's list and does not change the record.
    let asked = &ask(&server, &a_day()).await[0];
    assert_eq!((asked.known, asked.became.len()), (3, 0), "{asked:?}");
    assert_eq!(
        having(&server.rows("calls").await, "id", "after")[0]["summary"],
        "Vapi's own words."
    );
    server.stop().await;
}

async fn calls_that_go_on_or_have_just_ended_are_left(database: Database) {
    let (vapi, now) = (Vapi::start().await, start());
    let server = asking(database, &vapi).await;
    let mut running = ended_call("running", FLOOD, now);
    running["status"] = json!("in-progress");
    running.as_object_mut().unwrap().remove("endedAt");
    vapi.knows(running);
    vapi.knows(ended_call("just-ended", FLOOD, now));
    server.app.clock.step(TimeDelta::seconds(30));
    let tally = reconciled(&server).await;
    assert_eq!((tally.listed, tally.running, tally.just_ended), (2, 1, 1), "{tally:?}");
    assert_eq!(server.rows("webhook_events").await, Vec::<Value>::new());
    // One call lasts for half an hour more. The report of the other call never arrives.
    vapi.knows(ended_call("running", FLOOD, now + TimeDelta::minutes(30)));
    server.app.clock.step(TimeDelta::minutes(10));
    let tally = reconciled(&server).await;
    assert_eq!(became(&tally, "recorded"), 1, "{tally:?}");
    server.app.clock.step(TimeDelta::minutes(25));
    let tally = reconciled(&server).await;
    assert_eq!(became(&tally, "recorded"), 1, "{tally:?}");
    let calls = server.rows("calls").await;
    assert_eq!(
        (
            calls.len(),
            calls.iter().filter(|call| call["report_at"].is_null()).count()
        ),
        (2, 0)
    );
    server.stop().await;
}

async fn old_calls_text_nobody_and_a_person_is_told(database: Database) {
    let (vapi, now) = (Vapi::start().await, start());
    let server = asking(database, &vapi).await;
    vapi.knows(ended_call("old", FLOOD, now - TimeDelta::minutes(31)));
    vapi.knows(ended_call("fresh", FLOOD, now - TimeDelta::minutes(10)));
    let tally = &ask(&server, &a_day()).await[0];
    assert_eq!(became(tally, "recorded"), 2, "{tally:?}");
    let texts = server.rows("sms_messages").await;
    assert!(
        !texts.is_empty() && texts.iter().all(|text| text["call_id"] == "fresh"),
        "{texts:#?}"
    );
    let leads = server.rows("leads").await;
    assert!(yes(&having(&leads, "call_id", "old")[0]["late"]));
    assert!(!yes(&having(&leads, "call_id", "fresh")[0]["late"]));
    let notice = &having(&server.rows("notices").await, "code", "late_call")[0];
    assert_eq!(notice["severity"], "urgent", "{notice}");
    server.stop().await;
}

async fn what_came_before_a_backup_was_brought_back_texts_nobody(database: Database) {
    let (vapi, now) = (Vapi::start().await, start());
    let server = asking(database, &vapi).await;
    vapi.knows(ended_call("before", FLOOD, now));
    server.app.clock.step(TimeDelta::minutes(5));
    // The call's SMS message was sent, and then a backup from before the call was restored.
    let tx = store::begin(&server.app.db).await.unwrap();
    let clock = server.app.clock.clone();
    let given_up = store::restore_guard::give_up_unsent(&tx, clock.now(), "Brought back.", || clock.new_id());
    assert_eq!(given_up.await.unwrap(), 0);
    tx.commit().await.unwrap();
    vapi.knows(ended_call("after", FLOOD, now + TimeDelta::minutes(6)));
    server.app.clock.step(TimeDelta::minutes(5));
    let tally = reconciled(&server).await;
    assert_eq!(became(&tally, "recorded"), 2, "{tally:?}");
    let texts = server.rows("sms_messages").await;
    assert!(
        !texts.is_empty() && texts.iter().all(|text| text["call_id"] == "after"),
        "{texts:#?}"
    );
    server.stop().await;
}

async fn vapi_away_and_a_bad_key_are_told_and_over_when_they_are_over(database: Database) {
    let (vapi, now) = (Vapi::start().await, start());
    let server = asking(database, &vapi).await;
    vapi.knows(ended_call("lost", FLOOD, now));
    server.app.clock.step(TimeDelta::minutes(10));
    let held = server
        .app
        .leases
        .try_hold("reconciler", TimeDelta::hours(9))
        .await
        .unwrap()
        .unwrap();
    let run = async || {
        let stop = CancellationToken::new();
        let reconciler = &server.app.reconciler;
        let tallies = reconciler
            .run(&ReconcileOptions::default(), Some(held.lease()), &stop, |_| {})
            .await;
        tallies.unwrap().remove(0)
    };
    let open = async |code: &str| {
        let notices = having(&server.rows("notices").await, "code", code);
        notices.iter().filter(|notice| notice["resolved_at"].is_null()).count()
    };
    // Transient errors are retried.
    vapi.fails(&[429, 503]);
    let tally = run().await;
    assert_eq!((became(&tally, "recorded"), &tally.error), (1, &None), "{tally:?}");
    vapi.fails(&[401]);
    let tally = run().await;
    assert!(tally.error.as_deref().unwrap().contains("refuses the key"), "{tally:?}");
    assert_eq!(open("vapi_key_refused").await, 1);
    let cursor = server.only_row("reconcile_cursors").await;
    assert_eq!(cursor["failures"], 1, "{cursor}");
    // A response that is not a list is an error.
    for failures in 2..4 {
        vapi.fails(&[400]);
        assert!(run().await.error.is_some());
        assert_eq!(server.only_row("reconcile_cursors").await["failures"], failures);
    }
    assert_eq!(open("vapi_unreachable").await, 1);
    assert_eq!(run().await.error, None);
    assert_eq!((open("vapi_key_refused").await, open("vapi_unreachable").await), (0, 0));
    server.stop().await;
}

async fn two_rulebooks_with_one_key_are_not_mixed_up(database: Database) {
    let (vapi, now) = (Vapi::start().await, start());
    let server = asking(database, &vapi).await;
    let book = json!({"code": "second", "rows": "sample"});
    let (status, answer) = server.admin(Method::POST, "/admin/v1/rulebooks", Some(&book)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let secret = json!({"purpose": "vapi_api_key", "value": VAPI_KEY});
    let path = "/admin/v1/rulebooks/second/secrets";
    let (status, answer) = server.admin(Method::POST, path, Some(&secret)).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    vapi.knows(ended_call("lost", FLOOD, now - TimeDelta::minutes(3)));
    let tallies = ask(&server, &a_day()).await;
    assert_eq!((tallies.len(), became(&tallies[0], "recorded")), (2, 1), "{tallies:?}");
    assert!(
        tallies[1].error.as_deref().unwrap().contains("same Vapi key"),
        "{tallies:?}"
    );
    // A run for only this rulebook does not look for other rulebooks with the same key. Calls that the other rulebook
    // has recorded stay there.
    let second = ReconcileOptions {
        rulebook: Some("second".to_owned()),
        ..a_day()
    };
    let tallies = ask(&server, &second).await;
    assert_eq!((tallies[0].of_others, tallies[0].became.len()), (1, 0), "{tallies:?}");
    assert_eq!(server.counts(["calls", "decisions"]).await, [1, 1]);
    server.stop().await;
}

async fn a_stale_reconciler_notes_nothing(database: Database) {
    let vapi = Vapi::start().await;
    let server = asking(database, &vapi).await;
    let slow = server
        .app
        .leases
        .try_hold("reconciler", TimeDelta::minutes(1))
        .await
        .unwrap()
        .unwrap();
    server.app.clock.step(TimeDelta::minutes(2));
    let quick = server
        .app
        .leases
        .try_hold("reconciler", TimeDelta::minutes(1))
        .await
        .unwrap()
        .unwrap();
    let (stop, reconciler) = (CancellationToken::new(), &server.app.reconciler);
    let refused = reconciler
        .run(&ReconcileOptions::default(), Some(slow.lease()), &stop, |_| {})
        .await;
    assert!(refused.unwrap_err().to_string().contains("taken over"));
    assert_eq!(server.rows("reconcile_cursors").await, Vec::<Value>::new());
    reconciler
        .run(&ReconcileOptions::default(), Some(quick.lease()), &stop, |_| {})
        .await
        .unwrap();
    assert_eq!(server.rows("reconcile_cursors").await.len(), 1);
    server.stop().await;
}
