//! The head of the audit chain, which is a single row. A transaction that appends entries locks this row until the
//! transaction ends.

use sea_orm::entity::prelude::*;

use super::audit_chain::{AuditKey, Head, same};

/// The only row of `audit_head`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub one: i64,
    pub seq: i64,
    pub mac: Vec<u8>,
    pub broken_since: Option<i64>,
    pub head_mac: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    #[must_use]
    pub fn sealed(key: &AuditKey, head: Head) -> Self {
        let head_mac = key.of_head(&head).to_vec();
        Self {
            one: 1,
            seq: head.seq,
            mac: head.mac,
            broken_since: head.broken_since,
            head_mac,
        }
    }

    /// Whether the MAC of the head verifies.
    #[must_use]
    pub fn fits(&self, key: &AuditKey) -> bool {
        same(&key.of_head(&self.head()), &self.head_mac)
    }

    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            seq: self.seq,
            mac: self.mac.clone(),
            broken_since: self.broken_since,
        }
    }
}

/// Reads the current head. Returns `None` before the first start of the program.
pub async fn read<C: ConnectionTrait>(db: &C) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(1).one(db).await
}
