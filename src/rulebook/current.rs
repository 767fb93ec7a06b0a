//! A stand-in: rulebooks in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sea_orm::DbErr;
use uuid::Uuid;

use super::compile::Rulebook;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the database failed")]
    Database(#[from] DbErr),
}

#[derive(Debug, Clone)]
pub struct Loaded {
    pub rulebook_id: Uuid,
    pub rulebook: Arc<Rulebook>,
}

pub(crate) type Books = Arc<Mutex<BTreeMap<String, (Uuid, Vec<Arc<Rulebook>>)>>>;

#[derive(Debug, Clone, Default)]
pub struct Current {
    pub(crate) books: Books,
}

impl Current {
    pub async fn head(&self, code: &str) -> Result<Option<Arc<Loaded>>, DbErr> {
        let books = self.books.lock().unwrap();
        Ok(books.get(code).and_then(|(id, all)| {
            Some(Arc::new(Loaded { rulebook_id: *id, rulebook: all.last()?.clone() }))
        }))
    }
    pub async fn at(&self, id: Uuid, revision: i64) -> Result<Option<Arc<Rulebook>>, LoadError> {
        let books = self.books.lock().unwrap();
        Ok(books.values().find(|(i, _)| *i == id).and_then(|(_, all)| all.iter().find(|r| r.revision() == revision).cloned()))
    }
}
