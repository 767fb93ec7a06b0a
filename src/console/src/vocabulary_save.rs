//! Adds a phrase to the rules: to the keywords of a service, to a concept, or to a new concept. The change is published
//! immediately, or added to a change set.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::address::{query, segment};
use crate::business::Business;
use crate::edit::EditResponse;
use crate::field::code_of;
use crate::leads::text;
use crate::open_sets::OpenSet;
use crate::refusal::Refusal;
use crate::visit::Visit;

/// The row to which a phrase is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Service(String),
    Concept(String),
    New,
}

impl Target {
    /// Parses the value of the form field.
    pub fn read(value: &str) -> Option<Self> {
        match value.split_once(':') {
            Some(("service", code)) => Some(Self::Service(code.to_owned())),
            Some(("concept", code)) => Some(Self::Concept(code.to_owned())),
            _ => (value == "new").then_some(Self::New),
        }
    }
}

/// The reason why a phrase was not saved.
pub enum SaveError {
    /// An invalid field: its name, and the key of the message.
    Field(&'static str, &'static str),
    /// Somebody changed the row after the form was shown. The lists are the added and the removed phrases.
    Changed(Vec<String>, Vec<String>),
    /// The API refused the change.
    Refused(Refusal),
}

impl From<Refusal> for SaveError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A change of one row, in the format of a change set.
struct Change {
    resource: &'static str,
    code: String,
    method: &'static str,
    body: Value,
    version: Option<i64>,
}

impl Change {
    fn json(&self) -> Value {
        let mut change =
            json!({"resource": self.resource, "code": self.code, "method": self.method, "body": self.body});
        if let Some(version) = self.version {
            change["version"] = version.into();
        }
        change
    }
}

/// Saves the form. Returns the result: `live`, `waits` or `set`.
pub async fn save(visit: &Visit, business: &Business) -> Result<&'static str, SaveError> {
    let changes = changes(visit, business).await?;
    match (visit.sent("set"), OpenSet::chosen(visit)) {
        ("new", _) => {
            open(visit, business, &changes).await?;
            Ok("set")
        }
        (_, Some(set)) => {
            let mut version = set.version;
            for change in &changes {
                let path = business.path(&format!("/change-sets/{}/changes", segment(&set.id)));
                let address = format!("{path}{}", query(&[("version", &version.to_string())]));
                let done = visit.edit(Method::POST, &address, &change.json()).await?;
                version = done.body["version"].as_i64().unwrap_or(version);
            }
            Ok("set")
        }
        _ => publish(visit, business, &changes).await,
    }
}

async fn open(visit: &Visit, business: &Business, changes: &[Change]) -> Result<EditResponse, Refusal> {
    let comment = visit
        .words
        .say_of("vocabulary-comment", &[("phrase", visit.sent("phrase"))]);
    let changes: Vec<Value> = changes.iter().map(Change::json).collect();
    let body = json!({"comment": comment, "changes": changes});
    visit.edit(Method::POST, &business.path("/change-sets"), &body).await
}

/// Publishes immediately. A single change is written directly to its row. Several changes are published with a change
/// set.
async fn publish(visit: &Visit, business: &Business, changes: &[Change]) -> Result<&'static str, SaveError> {
    let done = if let [only] = changes {
        let method = if only.method == "put" {
            Method::PUT
        } else {
            Method::PATCH
        };
        let path = business.path(&format!("/{}/{}", only.resource, segment(&only.code)));
        let mut body = only.body.clone();
        if let Some(version) = only.version {
            body["version"] = version.into();
        }
        let comment = visit
            .words
            .say_of("vocabulary-comment", &[("phrase", visit.sent("phrase"))]);
        let address = format!("{path}{}", query(&[("comment", &comment)]));
        visit.edit(method, &address, &body).await?
    } else {
        let set = open(visit, business, changes).await?.body;
        let path = business.path(&format!(
            "/change-sets/{}",
            segment(text(&set, "id").unwrap_or_default())
        ));
        let version = query(&[("version", &set["version"].to_string())]);
        match visit
            .edit(Method::POST, &format!("{path}/publish{version}"), &json!({}))
            .await
        {
            Ok(done) => done,
            Err(refused) => {
                // A change set that cannot be published is discarded. The form still contains the input.
                visit
                    .edit(Method::POST, &format!("{path}/discard{version}"), &json!({}))
                    .await?;
                return Err(refused.into());
            }
        }
    };
    Ok(if done.status == StatusCode::ACCEPTED {
        "waits"
    } else {
        "live"
    })
}

async fn changes(visit: &Visit, business: &Business) -> Result<Vec<Change>, SaveError> {
    let phrase = visit.sent("phrase");
    if phrase.is_empty() {
        return Err(SaveError::Field("phrase", "vocabulary-fault-phrase"));
    }
    match Target::read(visit.sent("target")) {
        None => Err(SaveError::Field("target", "vocabulary-fault-target")),
        Some(Target::Service(code)) => Ok(vec![keyword(visit, business, code, phrase).await?]),
        Some(Target::Concept(code)) => Ok(vec![concept(visit, business, code, phrase).await?]),
        Some(Target::New) => new_concept(visit, business, phrase).await,
    }
}

/// Adds a keyword to a service.
async fn keyword(visit: &Visit, business: &Business, code: String, phrase: &str) -> Result<Change, SaveError> {
    let path = format!("/services/{}", segment(&code));
    let row = current(visit, business, &path, |row| texts(&row["keywords"])).await?;
    let keywords = with(texts(&row["keywords"]), phrase)?;
    Ok(Change {
        resource: "services",
        code,
        method: "patch",
        body: json!({"keywords": keywords}),
        version: row["version"].as_i64(),
    })
}

/// Adds a phrase to a concept.
async fn concept(visit: &Visit, business: &Business, code: String, phrase: &str) -> Result<Change, SaveError> {
    let language = language(visit)?;
    let path = format!("/concepts/{}", segment(&code));
    let row = current(visit, business, &path, |row| texts(&row["phrases"][language])).await?;
    let phrases = with(texts(&row["phrases"][language]), phrase)?;
    Ok(Change {
        resource: "concepts",
        code,
        method: "patch",
        body: json!({"phrases": {language: phrases}}),
        version: row["version"].as_i64(),
    })
}

/// Creates a concept, and adds it to the keywords of the chosen service.
async fn new_concept(visit: &Visit, business: &Business, phrase: &str) -> Result<Vec<Change>, SaveError> {
    let code = code_of(visit.sent("name"));
    if code.is_empty() {
        return Err(SaveError::Field("name", "vocabulary-fault-name"));
    }
    if business.rows.concepts.contains_key(&code) {
        return Err(SaveError::Field("name", "vocabulary-fault-name-taken"));
    }
    let language = language(visit)?;
    let concept = Change {
        resource: "concepts",
        code: code.clone(),
        method: "put",
        body: json!({"code": code, "phrases": {language: [phrase]}}),
        version: None,
    };
    let mut changes = vec![concept];
    if !visit.sent("service").is_empty() {
        let service = visit.sent("service").to_owned();
        changes.push(keyword(visit, business, service, &format!("#{code}")).await?);
    }
    Ok(changes)
}

fn language(visit: &Visit) -> Result<&str, SaveError> {
    match visit.sent("language") {
        "" => Err(SaveError::Field("language", "vocabulary-fault-language")),
        language => Ok(language),
    }
}

/// The current row, with the chosen change set applied. Fails if somebody changed the row since the form was shown.
async fn current(
    visit: &Visit,
    business: &Business,
    path: &str,
    phrases: impl Fn(&Value) -> Vec<String>,
) -> Result<Value, SaveError> {
    let set = OpenSet::chosen(visit).map(|set| set.id).unwrap_or_default();
    let row = visit.read(&business.path(path), &[("change_set", &set)]).await;
    let row = row.map_err(|refusal| match refusal.status {
        StatusCode::NOT_FOUND => SaveError::Field("target", "vocabulary-fault-target-gone"),
        _ => refusal.into(),
    })?;
    let seen = visit.sent("seen");
    let is_newer = |seen: i64| row["version"].as_i64().is_some_and(|version| version > seen);
    if seen.parse().is_ok_and(is_newer) {
        let before = visit.read(&business.path(path), &[("revision", seen)]).await?;
        let (before, now) = (phrases(&before), phrases(&row));
        let missing = |all: &[String], from: &[String]| all.iter().filter(|one| !from.contains(one)).cloned().collect();
        return Err(SaveError::Changed(missing(&now, &before), missing(&before, &now)));
    }
    Ok(row)
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten();
    texts.filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

fn with(mut phrases: Vec<String>, phrase: &str) -> Result<Vec<String>, SaveError> {
    if phrases.iter().any(|known| known == phrase) {
        return Err(SaveError::Field("phrase", "vocabulary-fault-known"));
    }
    phrases.push(phrase.to_owned());
    Ok(phrases)
}
