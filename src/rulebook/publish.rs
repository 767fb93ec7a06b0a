//! A stand-in: publishes in memory.

use std::sync::Arc;

use sea_orm::{ActiveModelTrait, DatabaseConnection, DbErr, EntityTrait, Set};
use uuid::Uuid;

use super::compile::{self, CaseResult};
use super::current::Current;
pub use super::fault::Fault;
use super::rows::{Resource, Row, RowSet, Stored};

pub enum Edit {
    Put { resource: Resource, code: String, row: serde_json::Value, expected: Expected },
    Delete { resource: Resource, code: String, expected: Expected },
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Absent,
    Version(i64),
    Any,
}
pub struct ChangeSet {
    pub edits: Vec<Edit>,
    pub comment: String,
}
#[derive(Debug, Clone)]
pub struct Author {
    pub name: String,
    pub key_id: Option<Uuid>,
    pub address: Option<String>,
    pub request_id: Option<String>,
}
#[derive(Debug)]
pub struct Published {
    pub revision: i64,
    pub rulebook: Arc<compile::Rulebook>,
}
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("unknown rulebook")]
    UnknownRulebook,
    #[error("stale")]
    Stale { resource: Resource, code: String, current: Option<i64> },
    #[error("missing")]
    Missing { resource: Resource, code: String },
    #[error("exists")]
    Exists { resource: Resource, code: String, version: i64 },
    #[error("in use")]
    InUse { resource: Resource, code: String, users: Vec<String> },
    #[error("faults")]
    Faults(Vec<Fault>),
    #[error("cases failed")]
    CasesFailed(Vec<CaseResult>),
    #[error("contended")]
    Contended,
    #[error("database")]
    Database(#[from] DbErr),
}

#[derive(Debug, Clone)]
pub struct Publisher {
    pub db: DatabaseConnection,
    pub current: Current,
}

impl Publisher {
    pub async fn publish(&self, id: Uuid, change: ChangeSet, _author: &Author) -> Result<Published, PublishError> {
        let mut books = self.current.books.lock().unwrap();
        let (_, all) = books.values_mut().find(|(i, _)| *i == id).ok_or(PublishError::UnknownRulebook)?;
        let head = all.last().unwrap().clone();
        let revision = head.revision() + 1;
        let mut rows = head.rows().clone();
        for edit in change.edits {
            let (resource, code, row, expected) = match edit {
                Edit::Put { resource, code, row, expected } => (resource, code, Some(row), expected),
                Edit::Delete { resource, code, expected } => (resource, code, None, expected),
            };
            with_row!(resource, R => {
                let table = R::table_mut(&mut rows);
                let current = table.get(&code).map(|s| s.version);
                match (expected, current) {
                    (Expected::Absent, Some(version)) => return Err(PublishError::Exists { resource, code, version }),
                    (Expected::Version(_), None) => return Err(PublishError::Missing { resource, code }),
                    (Expected::Version(v), Some(c)) if v != c => return Err(PublishError::Stale { resource, code, current }),
                    _ => {}
                }
                match row {
                    Some(row) => { let row: R = serde_json::from_value(row).unwrap(); table.insert(code, Arc::new(Stored { version: revision, row })); }
                    None => { table.remove(&code); }
                }
            });
        }
        let rulebook = Arc::new(compile::compile(revision, &rows, None).map_err(PublishError::Faults)?);
        all.push(rulebook.clone());
        Ok(Published { revision, rulebook })
    }

    pub async fn roll_back(&self, id: Uuid, to: i64, _comment: String, _author: &Author) -> Result<Published, PublishError> {
        let mut books = self.current.books.lock().unwrap();
        let (_, all) = books.values_mut().find(|(i, _)| *i == id).ok_or(PublishError::UnknownRulebook)?;
        let old = all.iter().find(|r| r.revision() == to).unwrap().clone();
        let revision = all.last().unwrap().revision() + 1;
        let rulebook = Arc::new(compile::compile(revision, old.rows(), None).map_err(PublishError::Faults)?);
        all.push(rulebook.clone());
        Ok(Published { revision, rulebook })
    }

    pub async fn create(&self, code: &str, rows: RowSet, _author: &Author) -> Result<Published, PublishError> {
        let id = Uuid::now_v7();
        crate::store::rulebooks::ActiveModel {
            id: Set(id),
            code: Set(code.to_owned()),
            head_revision: Set(1),
            webhook_auth: Set(serde_json::json!({})),
            created_at: Set(crate::clock::Clock::system().now()),
        }
        .insert(&self.db)
        .await?;
        let _ = crate::store::rulebooks::Entity::find();
        let rulebook = Arc::new(compile::compile(1, &rows, None).map_err(PublishError::Faults)?);
        self.current.books.lock().unwrap().insert(code.to_owned(), (id, vec![rulebook.clone()]));
        Ok(Published { revision: 1, rulebook })
    }
}
