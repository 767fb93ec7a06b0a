//! Runs writes that create an audit entry but no revision, such as changes of keys, secrets and settings. A write and
//! its audit entry share one transaction.

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, DbErr};
use serde_json::Value;
use uuid::Uuid;

use super::auth::Caller;
use super::state::AdminState;
use revisions::publish::Author;
use store::audit_log;
use store::dry_run;
use web::problem::Problem;

/// Builds the audit entry. `what` is the action, the kind of resource and the resource's code.
pub fn entry(
    state: &AdminState,
    caller: &Caller,
    rulebook_id: Option<Uuid>,
    what: (&str, &str, &str),
    before: Option<Value>,
    after: Option<Value>,
) -> audit_log::NewEntry {
    let Author {
        name,
        key_id,
        address,
        request_id,
    } = caller.author();
    audit_log::NewEntry {
        id: state.clock.new_id(),
        at: state.clock.now(),
        actor: name,
        actor_key_id: key_id,
        address,
        request_id,
        rulebook_id,
        action: what.0.to_owned(),
        resource: what.1.to_owned(),
        code: what.2.to_owned(),
        revision: None,
        before,
        after,
    }
}

/// Runs `effect` and writes the entry in one transaction. The transaction runs in its own task, so that a client that
/// disconnects cannot interrupt it. `effect` returns whether it changed anything; if not, the transaction is rolled
/// back.
///
/// # Errors
/// If the database fails.
pub async fn write<F>(state: &AdminState, entry: audit_log::NewEntry, effect: F) -> Result<bool, Problem>
where
    F: for<'a> FnOnce(&'a DatabaseTransaction) -> BoxFuture<'a, Result<bool, DbErr>> + Send + 'static,
{
    write_boxed(state, entry, Box::new(effect)).await
}

/// The effect of an audited write. It is boxed, so that the compiler generates `write_boxed` once for all effects.
type Effect = Box<dyn for<'a> FnOnce(&'a DatabaseTransaction) -> BoxFuture<'a, Result<bool, DbErr>> + Send>;

async fn write_boxed(state: &AdminState, entry: audit_log::NewEntry, effect: Effect) -> Result<bool, Problem> {
    let (db, key) = (state.db.clone(), state.audit.clone());
    let task = dry_run::spawn(async move {
        let tx = store::begin(&db).await?;
        if !effect(&tx).await? {
            return tx.rollback().await.map(|()| false);
        }
        audit_log::append(&tx, &key, entry).await?;
        tx.commit().await.map(|()| true)
    });
    Ok(task.await.map_err(|error| Problem::internal(&error))??)
}
