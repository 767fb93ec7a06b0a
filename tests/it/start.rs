//! Tests how the server starts, stops and migrates the schema of its database.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Statement};
use store::{begin, connect, migrate, rulebooks};

use crate::{
    both,
    support::{Database, TestApp, database::TestDatabase},
};

both!(
    two_that_start_together_migrate_once,
    the_schema_of_another_program_is_refused_and_stays_as_it_is,
    migrations_can_be_taken_back,
    a_restart_compiles_the_default_rulebook_before_the_first_message,
    a_transaction_dropped_leaves_nothing,
    transactions_read_what_is_committed
);

async fn empty(kind: Database) -> (TestDatabase, store::Database) {
    let test = TestDatabase::create(kind).await;
    let database = store::Database::parse(&test.url).unwrap();
    migrate::down(&database, u32::MAX).await.unwrap();
    (test, database)
}

async fn two_that_start_together_migrate_once(kind: Database) {
    let (test, database) = empty(kind).await;
    let (one, two) = tokio::join!(migrate::up(&database), migrate::up(&database));
    let (one, two) = (one.unwrap().len(), two.unwrap().len());
    assert!(one + two > 0 && one.min(two) == 0, "{one} and {two}");
    test.remove().await;
}

async fn a_restart_compiles_the_default_rulebook_before_the_first_message(kind: Database) {
    let first = TestApp::builder(kind).set("RINGBOOK_WORKERS", "none").start().await;
    let again = first.another().await;
    let id = rulebooks::id_of(&again.app.db, rulebooks::DEFAULT)
        .await
        .unwrap()
        .unwrap();
    assert!(
        again.app.current.last_seen(id).is_none(),
        "the rulebook is in memory before anybody used it"
    );
    again.app.warm_up().await;
    assert!(again.app.current.last_seen(id).is_some());
    again.stop().await;
    first.stop().await;
}

async fn the_schema_of_another_program_is_refused_and_stays_as_it_is(kind: Database) {
    for (name, sentence) in [
        (
            "m9999_from_tomorrow",
            "migrated by a newer ringbook (m9999_from_tomorrow)",
        ),
        ("m0001_begin", "use a new database, or load a data-only dump"),
    ] {
        let (test, database) = empty(kind).await;
        migrate::up(&database).await.unwrap();
        let db = connect::open_for_migration(&database).await.unwrap();
        db.execute_unprepared(&format!("INSERT INTO seaql_migrations VALUES ('{name}', 0)"))
            .await
            .unwrap();
        for refusal in [
            migrate::up(&database).await.unwrap_err(),
            migrate::down(&database, 1).await.unwrap_err(),
            migrate::status(&database).await.unwrap_err(),
        ] {
            assert!(refusal.to_string().contains(sentence), "{refusal}");
        }
        assert_eq!(migrate::missing(&db).await.unwrap(), 0);
        db.close().await.unwrap();
        test.remove().await;
    }
}

async fn migrations_can_be_taken_back(kind: Database) {
    let (test, database) = empty(kind).await;
    let all = migrate::up(&database).await.unwrap();
    assert_eq!(migrate::down(&database, u32::MAX).await.unwrap(), Vec::<String>::new());
    assert_eq!(migrate::up(&database).await.unwrap(), all);
    test.remove().await;
}

async fn a_transaction_dropped_leaves_nothing(kind: Database) {
    let (test, database) = empty(kind).await;
    let db = connect::open(&database, None).await.unwrap();
    db.write.execute_unprepared("CREATE TABLE t (x INTEGER)").await.unwrap();
    let tx = begin(&db.write).await.unwrap();
    tx.execute_unprepared("INSERT INTO t VALUES (1)").await.unwrap();
    drop(tx);
    let count = Statement::from_string(db.read.get_database_backend(), "SELECT x FROM t");
    let rows = tokio::time::timeout(Duration::from_secs(5), db.read.query_all_raw(count))
        .await
        .unwrap()
        .unwrap();
    assert!(rows.is_empty());
    db.write.close().await.unwrap();
    db.read.close().await.unwrap();
    test.remove().await;
}

/// Transactions run at READ COMMITTED, whatever the default of the database is. So every statement of a message sees
/// the newest head.
async fn transactions_read_what_is_committed(kind: Database) {
    let (test, database) = empty(kind).await;
    if matches!(kind, Database::Postgres) {
        let owner = connect::open_for_migration(&database).await.unwrap();
        let name = test.url.rsplit('/').next().unwrap();
        let change = format!("ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'");
        owner.execute_unprepared(&change).await.unwrap();
        let db = connect::open(&database, None).await.unwrap().write;
        let tx = begin(&db).await.unwrap();
        let asked = Statement::from_string(tx.get_database_backend(), "SHOW transaction_isolation");
        let row = tx.query_one_raw(asked).await.unwrap().unwrap();
        assert_eq!(row.try_get_by_index::<String>(0).unwrap(), "read committed");
    }
    test.remove().await;
}
