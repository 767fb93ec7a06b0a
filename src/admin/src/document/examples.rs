//! Adds working examples. The examples use the rows of the sample business that the first start loads.

pub mod problems;
pub mod recorded;

use serde_json::{Map, Value, json};

use crate::resources::RESOURCES;
use rules::rows::{Resource, Row, RowSet, StoredRow, with_row};

/// Adds examples to the operations on rows, and to the operations that people try first.
#[expect(clippy::too_many_lines, reason = "a list, one example after the other")]
pub fn add(document: &mut Value, sample: &RowSet) {
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    rows(paths, sample);
    sheets(paths, sample);
    plain_texts(paths);
    if let Some((code, _)) = first::<rules::rows::Calendar>(sample) {
        let days = "/admin/v1/rulebooks/{rulebook}/calendars/{code}/days";
        for (name, example) in [("code", code.as_str()), ("from", "2026-12-01"), ("until", "2027-12-31")] {
            parameter(paths, days, "get", name, example);
        }
    }
    let statement = "/admin/v1/rulebooks/{rulebook}/statements/{period}";
    parameter(paths, statement, "get", "period", "2026-11");
    for (name, example) in [("from", "2026-12-01"), ("until", "2026-12-31")] {
        parameter(paths, "/admin/v1/rulebooks/{rulebook}/shifts", "get", name, example);
    }
    let feed = json!({"name": "Mario's phone", "contact": "on_call"});
    request(paths, "/admin/v1/rulebooks/{rulebook}/calendar-feeds", "post", feed);
    if let Some((_, mut settings)) = first::<rules::rows::Settings>(sample) {
        settings["version"] = 1.into();
        request(paths, "/admin/v1/rulebooks/{rulebook}", "put", settings.clone());
        request(
            paths,
            "/admin/v1/rulebooks/{rulebook}",
            "patch",
            json!({"rounding_step": "1.00", "version": 1}),
        );
        settings["revision"] = 1.into();
        for method in ["get", "put", "patch"] {
            answer(paths, "/admin/v1/rulebooks/{rulebook}", method, "200", settings.clone());
        }
    }
    request(
        paths,
        "/admin/v1/rulebooks",
        "post",
        json!({"code": "second-business", "rows": "sample"}),
    );
    let taking = json!({"contact": "on_call"});
    request(
        paths,
        "/admin/v1/rulebooks/{rulebook}/leads/{id}/acknowledge",
        "post",
        taking,
    );
    // The example has no `value`, so the server generates one. A value from a published example must not become a
    // secret.
    let secret = json!({"purpose": "webhook"});
    request(paths, "/admin/v1/rulebooks/{rulebook}/secrets", "post", secret);
    let rails = json!({"lowest_price": "50.00", "highest_price": "5000.00", "largest_change_percent": "25"});
    request(paths, "/admin/v1/rulebooks/{rulebook}/guard-rails", "put", rails);
    let kept = json!({"transcripts_days": 365, "bodies_days": 30, "events_days": 365, "version": 0});
    request(paths, "/admin/v1/rulebooks/{rulebook}/retention", "put", kept);
    let caller = json!({"customer_number": "+15145550100"});
    request(paths, "/admin/v1/rulebooks/{rulebook}/erasures", "post", caller);
    let set = json!({"rulebook": "default", "state": "poisoned", "since": "2026-11-24T00:00:00Z", "limit": 50});
    request(paths, "/admin/v1/webhook-events/replay", "post", set);
    let delivery = json!({"delivery": "simulated", "version": 1});
    request(paths, "/admin/v1/rulebooks/{rulebook}/sms-delivery", "put", delivery);
    let profile = json!({"code": "default", "name": "Pomp Plumbing", "archived": false, "version": 1});
    request(paths, "/admin/v1/rulebooks/{rulebook}/profile", "put", profile);
    let auth = "/admin/v1/rulebooks/{rulebook}/webhook-auth";
    let narrowed = json!({"schemes": [{"type": "hmac"}], "replay_window_s": 300, "version": 1});
    request(paths, auth, "put", narrowed);
    let key = json!({"name": "office", "role": "editor", "rulebook": "default"});
    request(paths, "/admin/v1/api-keys", "post", key);
    let again = json!({"rulebook": "default", "error_code": 21211, "since": "2026-11-22T00:00:00Z"});
    request(paths, "/admin/v1/sms-messages/resend", "post", again);
    let done = json!({});
    request(paths, "/admin/v1/notices/{id}/resolve", "post", done);
    let scripts = "/admin/v1/rulebooks/{rulebook}/scripts/{code}";
    for (path, method) in [("versions", "get"), ("test", "post")] {
        parameter(paths, &format!("{scripts}/{path}"), method, "code", "spring_promotion");
    }
    let tried = json!({
        "source": "if quote.from > 100 { quote.percent(-10, \"spring\"); }\nlog(fact(\"area\"));",
        "facts": {"service_text": "camera inspection"},
        "price": {"from": "350.00", "to": "450.00"},
    });
    request(paths, &format!("{scripts}/test"), "post", tried);
    change_sets(paths, sample);
    let case = json!({"code": "as_on_the_phone"});
    request(
        paths,
        "/admin/v1/rulebooks/{rulebook}/calls/{call_id}/case",
        "post",
        case,
    );
    let wrong = json!({"priority": "P1", "comment": "The caller said that the water was rising."});
    let calls = "/admin/v1/rulebooks/{rulebook}/calls/{call_id}";
    request(paths, &format!("{calls}/feedback"), "post", wrong);
    let feedback = "/admin/v1/rulebooks/{rulebook}/feedback/{id}";
    let case = json!({"code": "as_it_should_have_been"});
    request(paths, &format!("{feedback}/case"), "post", case);
    let dismissed = json!({"comment": "The price was right: the work was in Longueuil."});
    request(paths, &format!("{feedback}/dismiss"), "post", dismissed);
    let phrases = json!({"phrases": ["water heater", "chauffe-eau"], "language": "fr"});
    request(paths, "/admin/v1/rulebooks/{rulebook}/phrase-matches", "post", phrases);
    // This example evaluates the service in the example of `put_service`. A reader who changes the price in that
    // example sees the new price in the response of this example.
    if let Some((_, service)) = first::<rules::rows::Service>(sample) {
        let question = json!({"facts": {"service_text": service["names"]["en"]}, "at": "2026-11-24T15:00:00Z"});
        request(paths, "/admin/v1/rulebooks/{rulebook}/evaluate", "post", question);
    }
}

fn rows(paths: &mut Map<String, Value>, sample: &RowSet) {
    for kind in RESOURCES {
        let Some(resource) = Resource::ALL.iter().find(|resource| resource.path() == kind.path) else {
            continue;
        };
        let Some((code, row)) = with_row!(*resource, R => first::<R>(sample)) else {
            continue;
        };
        let Some((sent_code, sent)) = with_row!(*resource, R => sent::<R>(sample)) else {
            continue;
        };
        let list = format!("/admin/v1/rulebooks/{{rulebook}}/{}", kind.path);
        let one = format!("{list}/{{code}}");
        let (mut stored, mut sent) = (row, sent);
        // If the row is not in the sample, the example sends it as a new row, without a version.
        if sample_has(*resource, sample) {
            stored["version"] = 1.into();
        }
        if sent_code == code {
            sent = stored.clone();
        }
        let mut answered = with_few_weights(stored.clone());
        answered["version"] = 1.into();
        for (method, status) in [("get", "200"), ("put", "200"), ("put", "201"), ("patch", "200")] {
            answer(paths, &one, method, status, answered.clone());
        }
        answer(paths, &list, "get", "200", json!({"items": [answered]}));
        request(paths, &one, "put", sent);
        request(paths, &one, "patch", patch(*resource, &stored));
        for (method, code) in [("get", &code), ("put", &sent_code), ("patch", &code), ("delete", &code)] {
            parameter(paths, &one, method, "code", code);
        }
    }
}

/// A classifier has about a thousand weights; an example shows five.
fn with_few_weights(mut row: Value) -> Value {
    const SHOWN: usize = 5;
    if let Some(weights) = row.get_mut("weights").and_then(Value::as_array_mut) {
        weights.truncate(SHOWN);
    }
    row
}

fn sheets(paths: &mut Map<String, Value>, sample: &RowSet) {
    // The export of one kind of row shows the format for all kinds.
    let exported = sheet_of_one::<rules::rows::Service>(sample).unwrap_or_default();
    for kind in RESOURCES {
        let resource = Resource::ALL.iter().find(|resource| resource.path() == kind.path);
        let sheet = resource.and_then(|resource| with_row!(*resource, R => sheet_of_one::<R>(sample)));
        if let Some(sheet) = sheet {
            let path = format!("/admin/v1/rulebooks/{{rulebook}}/{}.csv", kind.path);
            answer(paths, &path, "get", "200", exported.as_str().into());
            request(paths, &path, "post", sheet.into());
        }
    }
}

/// Adds examples of media types other than JSON.
fn plain_texts(paths: &mut Map<String, Value>) {
    let rulebook = "/admin/v1/rulebooks/{rulebook}";
    let lines = "--- services/camera_inspection\n+++ services/camera_inspection\n-price_to = \"450.00\"\n+price_to = \"400.00\"\n";
    for path in ["change-sets/{id}/diff", "revisions/{number}/diff"] {
        media(
            paths,
            &format!("{rulebook}/{path}"),
            "text/plain; charset=utf-8",
            lines.into(),
        );
    }
    for (path, sheet) in [
        (
            "/admin/v1/rulebooks/{rulebook}/calls",
            "id,first_seen_at,customer_name\r\n019e0000,2026-11-24T15:00:00Z,Jean Tremblay\r\n",
        ),
        (
            "/admin/v1/rulebooks/{rulebook}/leads",
            "id,created_at,priority\r\n019e0000-0000-7000-8000-000000000001,2026-11-24T15:00:00Z,P1\r\n",
        ),
        (
            "/admin/v1/sms-messages",
            "id,created_at,state\r\n019e0000-0000-7000-8000-000000000002,2026-11-24T15:00:00Z,delivered\r\n",
        ),
        (
            "/admin/v1/rulebooks/{rulebook}/statements/{period}",
            "date,calls,seconds,cost_micros\r\n2026-11-24,12,1830,3412000\r\n",
        ),
    ] {
        media(paths, path, "text/csv; charset=utf-8", sheet.into());
    }
    let event = json!({"event": "progress", "data": "{\"state\":\"running\",\"percent\":40}"});
    media(
        paths,
        &format!("{rulebook}/backtests/{{id}}/events"),
        "text/event-stream",
        event,
    );
    let event = json!({"event": "changed", "data": "{\"changed\":[\"leads\",\"sms_messages\"]}"});
    media(paths, &format!("{rulebook}/events"), "text/event-stream", event);
}

fn change_sets(paths: &mut Map<String, Value>, sample: &RowSet) {
    let all = "/admin/v1/rulebooks/{rulebook}/change-sets";
    let Some(code) = sample.adjustments.keys().find(|code| code.contains("shore")) else {
        return;
    };
    let raise =
        json!({"resource": "adjustments", "code": code, "method": "patch", "body": {"amount": "120.00"}, "version": 1});
    let change = raise.clone();
    request(paths, all, "post", json!({"changes": [change.clone()]}));
    let tried = json!({"changes": [change], "days": 30});
    request(paths, "/admin/v1/rulebooks/{rulebook}/backtests", "post", tried);
    request(paths, &format!("{all}/{{id}}/changes"), "post", raise);
    // Without a comment, the revision gets the comment of the change set.
    request(paths, &format!("{all}/{{id}}/publish"), "post", json!({}));
}

fn sample_has(resource: Resource, sample: &RowSet) -> bool {
    with_row!(resource, R => !R::table(sample).is_empty())
}

fn first<R: Row>(sample: &RowSet) -> Option<(String, Value)> {
    named(&first_row::<R>(sample)?)
}

fn sent<R: Row>(sample: &RowSet) -> Option<(String, Value)> {
    named(&sent_row::<R>(sample)?)
}

fn named<R: Row>(row: &R) -> Option<(String, Value)> {
    Some((row.code().to_owned(), serde_json::to_value(row).ok()?))
}

/// Returns the first row of a kind, or an invented row if the sample has no row of this kind. The sample omits rows
/// that go out of date.
fn first_row<R: Row>(sample: &RowSet) -> Option<R> {
    let row = match R::RESOURCE {
        // Some of these rows have a hundred phrases, so the example is the shortest row.
        Resource::Cues | Resource::Concepts => shortest::<R>(sample),
        _ => R::table(sample).values().next().map(|stored| stored.row.clone()),
    };
    if row.is_some() {
        return row;
    }
    made::<R>()
}

fn shortest<R: Row>(sample: &RowSet) -> Option<R> {
    let rows = R::table(sample).values().map(|stored| &stored.row);
    rows.min_by_key(|row| json!(row).to_string().len()).cloned()
}

/// Returns the row for a request: the first row of the sample, so that sending it changes nothing.
fn sent_row<R: Row>(sample: &RowSet) -> Option<R> {
    // A classifier of the sample has about a thousand weights, and a shorter list of weights would change the
    // classifier.
    if R::RESOURCE == Resource::Classifiers {
        return made::<R>();
    }
    first_row::<R>(sample)
}

/// Returns an invented row that is not in the sample.
fn made<R: Row>() -> Option<R> {
    let row = match R::RESOURCE {
        Resource::ShiftOverrides => json!({
            "code": "christmas", "contact": "second", "instead_of": "on_call", "from": "2026-12-24T17:00",
            "until": "2026-12-27T08:00", "comment": "Mario is away over Christmas",
        }),
        // No condition of the sample uses this classifier, so it changes no decision.
        Resource::Classifiers => json!({
            "code": "sounds_like_a_leak", "learns": "P2", "bias": -1500,
            "weights": ["dripping = 900", "fuite = 1200", "leak = 1200"],
        }),
        _ => return None,
    };
    serde_json::from_value(row).ok()
}

/// Writes a sheet with one row, the shortest of its kind.
fn sheet_of_one<R: Row + poem_openapi::types::Type>(sample: &RowSet) -> Option<String> {
    let row = match R::RESOURCE {
        Resource::Classifiers => made::<R>(),
        _ => shortest::<R>(sample).or_else(made::<R>),
    }?;
    let mut rows = RowSet::default();
    R::table_mut(&mut rows).insert(
        row.code().to_owned(),
        std::sync::Arc::new(StoredRow { version: 1, row }),
    );
    authoring::sheet::write::<R>(&rows).ok()
}

/// Builds a patch of the fields that people change most, with their current values, so that pressing Execute changes
/// nothing.
fn patch(resource: Resource, stored: &Value) -> Value {
    let mut patch = json!({"version": 1});
    let fields: &[&str] = match resource {
        Resource::Services => &["price_from", "price_to"],
        Resource::Areas => &["postal_prefixes", "cities"],
        Resource::Adjustments => &["amount", "rate"],
        Resource::Taxes => &["rate"],
        Resource::PriorityRules => &["condition", "sla_seconds"],
        Resource::Scripts => &["source"],
        Resource::Templates => &["texts"],
        Resource::Contacts => &["phone", "on_call"],
        Resource::ShiftOverrides => &["until", "comment"],
        Resource::FactMappings => &["pointers"],
        Resource::Concepts => &["except"],
        Resource::Classifiers => &["bias"],
        Resource::Cues => &["phrases"],
        Resource::Tools => &["runs"],
        Resource::AssistantRules => &["condition", "message"],
        Resource::Cases => &["comment", "facts"],
        Resource::Calendars => &["holidays"],
        Resource::Settings => &["rounding_step"],
    };
    for field in fields.iter().filter(|field| !stored[**field].is_null()) {
        patch[*field] = stored[*field].clone();
    }
    patch
}

fn answer(paths: &mut Map<String, Value>, path: &str, method: &str, status: &str, example: Value) {
    let Some(operation) = paths.get_mut(path).and_then(|item| item.get_mut(method)) else {
        return;
    };
    if let Some(media) = operation["responses"][status]["content"]
        .as_object_mut()
        .and_then(|all| all.values_mut().next())
    {
        media["example"] = example;
    }
}

fn media(paths: &mut Map<String, Value>, path: &str, media: &str, example: Value) {
    let content = paths
        .get_mut(path)
        .map(|item| &mut item["get"]["responses"]["200"]["content"]);
    if let Some(media) = content.and_then(|content| content.get_mut(media)) {
        media["example"] = example;
    }
}

fn request(paths: &mut Map<String, Value>, path: &str, method: &str, example: Value) {
    let Some(operation) = paths.get_mut(path).and_then(|item| item.get_mut(method)) else {
        return;
    };
    if let Some(media) = operation["requestBody"]["content"]
        .as_object_mut()
        .and_then(|all| all.values_mut().next())
    {
        media["example"] = example;
    }
}

fn parameter(paths: &mut Map<String, Value>, path: &str, method: &str, name: &str, example: &str) {
    let Some(operation) = paths.get_mut(path).and_then(|item| item.get_mut(method)) else {
        return;
    };
    for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
        if parameter["name"] == name {
            parameter["example"] = example.into();
        }
    }
}
