//! An attacker who has the database but not the key alters, removes, adds and moves audit entries at random. The
//! verification detects every attack, also after the program has written new entries.

use base::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, Statement};
use serde_json::json;
use store::{
    audit_log::{AuditKey, NewEntry, append, begin_chain},
    audit_verify::{AuditVerdict, Tampering, verify},
    begin, connect, migrate,
};

use crate::{
    both,
    support::{Database, database::TestDatabase},
};

both!(each_of_many_random_tamperings_is_found);

const ENTRIES: i64 = 12;

/// A small pseudorandom generator that yields the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from((self.0 >> 11) % u64::try_from(end).unwrap()).unwrap()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(i64::try_from(all.len()).unwrap())).unwrap()]
    }
}

/// Builds entries with JSON values that PostgreSQL and SQLite store in different ways.
fn entries(clock: &Clock, at: DateTime<Utc>) -> Vec<NewEntry> {
    let told = [
        json!({"price": "12.50", "rank": 10, "names": {"fr": "Débouchage « é »", "en": "Unclogging"}}),
        json!({"z": 1, "a": [1.5, 1e20, -0.0, 1e-7, 0.1, 12_345_678_901_234_567_890_u64, null, true], "": {}}),
        json!({"big": 1e300, "tiny": 2.5e-300, "long": 0.123_456_789_012_345_68}),
        json!("a text"),
        json!([]),
    ];
    let entry = |n: i64| {
        let value = |n: i64| told[usize::try_from(n).unwrap() % told.len()].clone();
        NewEntry {
            id: clock.new_id(),
            at: at + TimeDelta::nanoseconds(n * 1_000_000_789),
            actor: format!("office {n}"),
            actor_key_id: (n % 3 != 0).then(|| clock.new_id()),
            address: (n % 4 != 0).then(|| "10.0.0.1".to_owned()),
            request_id: (n % 5 != 0).then(|| format!("request-{n}")),
            rulebook_id: None,
            action: "update".to_owned(),
            resource: "services".to_owned(),
            code: format!("code-{n}"),
            revision: (n % 2 == 0).then_some(n),
            before: (n % 3 != 1).then(|| value(n)),
            after: (n % 4 != 1).then(|| value(n + 1)),
        }
    };
    (1..=ENTRIES).map(entry).collect()
}

async fn run(db: &impl ConnectionTrait, sql: &str) {
    let done = db.execute_unprepared(sql).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Removes the triggers that protect the log, as an attacker would first.
async fn without_guards(db: &DatabaseConnection) {
    let statements: &[&str] = match db.get_database_backend() {
        DatabaseBackend::Postgres => &[
            "ALTER TABLE audit_log DISABLE TRIGGER ALL",
            "DROP INDEX audit_log_seq",
            "ALTER TABLE audit_log DROP CONSTRAINT audit_log_seq_check",
        ],
        _ => &[
            "DROP TRIGGER audit_log_no_update",
            "DROP TRIGGER audit_log_no_delete",
            "DROP TRIGGER audit_log_no_replace",
            "DROP INDEX audit_log_seq",
            "PRAGMA ignore_check_constraints = on",
            "PRAGMA foreign_keys = off",
        ],
    };
    for statement in statements {
        run(db, statement).await;
    }
}

/// SQL fragments that differ between the databases.
struct Words {
    some_id: &'static str,
    some_bytes: String,
    later: &'static str,
    longer_json: &'static str,
}

fn words(backend: DatabaseBackend, dice: &mut Dice) -> Words {
    let byte = format!("{:02x}", dice.below(256));
    if backend == DatabaseBackend::Postgres {
        Words {
            some_id: "gen_random_uuid()",
            some_bytes: format!("'\\x{}'::bytea", byte.repeat(32)),
            later: "at + interval '1 microsecond'",
            longer_json: "jsonb_build_array({}, 1)",
        }
    } else {
        Words {
            some_id: "randomblob(16)",
            some_bytes: format!("x'{}'", byte.repeat(32)),
            later: "strftime('%Y-%m-%d %H:%M:%f+00:00', at, '+1 second')",
            longer_json: "json_array(json({}), 1)",
        }
    }
}

/// Builds a statement that copies entry `n` under another id.
fn copied(id: &str, seq: &str, n: i64) -> String {
    let columns = "at, actor, actor_key_id, address, request_id, rulebook_id, action, resource, code, revision, before, \
                   after, mac";
    format!("INSERT INTO audit_log (id, seq, {columns}) SELECT {id}, {seq}, {columns} FROM audit_log WHERE seq = {n}")
}

const KINDS: i64 = 33;
/// This kind of attack deletes the newest entries and restores an old head. Only a head that was noted before the
/// attack reveals it.
const BROUGHT_BACK: i64 = 31;

/// Builds an attack of this kind. Returns its SQL statements, and the number of the entry that the verification must
/// report, if this number is known.
fn tampering(kind: i64, dice: &mut Dice, backend: DatabaseBackend, old_heads: &[String]) -> (Vec<String>, Option<i64>) {
    let words = words(backend, dice);
    let n = 1 + dice.below(ENTRIES);
    let other = 1 + (n + dice.below(ENTRIES - 1)) % ENTRIES;
    let old_head = || old_heads[usize::try_from(n - 1).unwrap()].clone();
    let delete = |what: String| format!("DELETE FROM audit_log WHERE {what}");
    let set = |what: String| (vec![format!("UPDATE audit_log SET {what} WHERE seq = {n}")], Some(n));
    let head = |what: String| (vec![format!("UPDATE audit_head SET {what}")], None);
    match kind {
        0 => set(format!("id = {}", words.some_id)),
        1 => set(format!("at = {}", words.later)),
        2 => set(format!("{0} = {0} || 'x'", dice.one_of(&["actor", "action"]))),
        3 => set(format!("{0} = {0} || 'x'", dice.one_of(&["resource", "code"]))),
        4 => set(format!(
            "{0} = coalesce({0} || ' ', '')",
            dice.one_of(&["address", "request_id"])
        )),
        5 => set(format!(
            "{} = {}",
            dice.one_of(&["actor_key_id", "rulebook_id"]),
            words.some_id
        )),
        6 => set("revision = coalesce(revision + 1, 0)".to_owned()),
        7 => set("revision = CASE WHEN revision IS NULL THEN 1 END".to_owned()),
        8 => set("address = CASE WHEN address IS NULL THEN '' END".to_owned()),
        9 | 10 => {
            let column = if kind == 9 { "before" } else { "after" };
            let longer = words.longer_json.replace("{}", column);
            set(format!(
                "{column} = CASE WHEN {column} IS NULL THEN 'null' ELSE {longer} END"
            ))
        }
        // The first entry has neither `before` nor `after`, so a swap would not change it. Start with the second entry.
        11 => (
            vec![format!(
                "UPDATE audit_log SET before = after, after = before WHERE seq = {}",
                n.max(2)
            )],
            Some(n.max(2)),
        ),
        12 => set(format!("mac = {}", words.some_bytes)),
        13 => set("mac = NULL".to_owned()),
        14 => set(format!("mac = (SELECT mac FROM audit_log WHERE seq = {other})")),
        15 => (vec![delete(format!("seq = {n}"))], Some(n)),
        16 => (vec![delete(format!("seq >= {n}"))], Some(n)),
        17 => (vec![delete(format!("seq <= {n}"))], Some(1)),
        18 => {
            let close = format!("UPDATE audit_log SET seq = seq - 1 WHERE seq > {n}");
            (vec![delete(format!("seq = {n}")), close], Some(n))
        }
        19 => {
            let swap = format!("CASE seq WHEN {n} THEN {other} ELSE {n} END");
            let sql = format!("UPDATE audit_log SET seq = {swap} WHERE seq IN ({n}, {other})");
            (vec![sql], Some(n.min(other)))
        }
        20 => (
            vec![copied(words.some_id, &(ENTRIES + 1).to_string(), n)],
            Some(ENTRIES + 1),
        ),
        21 => (vec![copied(words.some_id, "seq", n)], Some(n)),
        22 => {
            let room = format!("UPDATE audit_log SET seq = seq + 1 WHERE seq >= {n}");
            (vec![room, copied(words.some_id, &n.to_string(), n + 1)], Some(n))
        }
        23 => (vec![copied(words.some_id, dice.one_of(&["0", "-1", "1000"]), n)], None),
        24 => head(format!("seq = seq - {n}")),
        25 => head(format!("mac = {}", words.some_bytes)),
        26 => head(format!("head_mac = {}", words.some_bytes)),
        27 => head(format!("broken_since = {n}")),
        28 => (vec!["DELETE FROM audit_head".to_owned()], None),
        29 => {
            // The attacker deletes the newest entries and points the head to the last remaining entry. The head's own
            // MAC no longer matches.
            let mac = format!("coalesce((SELECT mac FROM audit_log WHERE seq = {}), mac)", n - 1);
            let head = format!("UPDATE audit_head SET seq = {}, mac = {mac}", n - 1);
            (vec![delete(format!("seq >= {n}")), head], None)
        }
        30 => (vec![old_head()], Some(n)),
        BROUGHT_BACK => (vec![delete(format!("seq >= {n}")), old_head()], Some(ENTRIES)),
        // The log looks as if there had never been a chain, so that the program might sign the existing entries.
        _ => {
            let alter = format!("UPDATE audit_log SET actor = actor || 'x' WHERE seq = {n}");
            let unsign = "UPDATE audit_log SET mac = NULL".to_owned();
            (vec![alter, unsign, "DELETE FROM audit_head".to_owned()], Some(1))
        }
    }
}

/// Writes the audit log entry by entry. After each entry, adds an SQL statement to the result that restores the head.
async fn written(db: &DatabaseConnection, key: &AuditKey) -> Vec<String> {
    let (clock, backend) = (Clock::system(), db.get_database_backend());
    let bytes = |column: &str| match backend {
        DatabaseBackend::Postgres => format!("'decode(''' || encode({column}, 'hex') || ''', ''hex'')'"),
        _ => format!("'x''' || hex({column}) || ''''"),
    };
    let sql = format!(
        "SELECT 'UPDATE audit_head SET seq = ' || seq || ', mac = ' || {} || ', head_mac = ' || {} FROM audit_head",
        bytes("mac"),
        bytes("head_mac")
    );
    let mut heads = Vec::new();
    for entry in std::iter::once(None).chain(entries(&clock, clock.now()).into_iter().map(Some)) {
        let tx = begin(db).await.unwrap();
        match entry {
            None => assert!(begin_chain(&tx, key).await.unwrap()),
            Some(entry) => append(&tx, key, entry).await.unwrap(),
        }
        tx.commit().await.unwrap();
        let head = db.query_one_raw(Statement::from_string(backend, &sql)).await.unwrap();
        heads.push(head.unwrap().try_get_by_index::<String>(0).unwrap());
    }
    heads
}

async fn each_of_many_random_tamperings_is_found(kind: Database) {
    let database = TestDatabase::create(kind).await;
    let address = store::Database::parse(&database.url).unwrap();
    migrate::up(&address).await.unwrap();
    let db = connect::open(&address, None).await.unwrap().write;
    let (key, backend) = (AuditKey::new(&[5; 32]), db.get_database_backend());
    let old_heads = written(&db, &key).await;
    let verdict = verify(&db, &key, None, |_, _| ()).await.unwrap();
    let AuditVerdict::Intact { head: noted } = verdict else {
        panic!("the verification of an unaltered log failed: {verdict:?}");
    };
    assert_eq!(noted.seq, ENTRIES);

    without_guards(&db).await;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let clock = Clock::system();
    let next = entries(&clock, clock.now()).remove(0);
    let tamperings = if kind == Database::Sqlite { 10_000 } else { 500 };
    for round in 0..tamperings {
        let (statements, named) = tampering(round % KINDS, &mut dice, backend, &old_heads);
        let tx = begin(&db).await.unwrap();
        for statement in &statements {
            run(&*tx, statement).await;
        }
        let head = (round % KINDS == BROUGHT_BACK).then_some(&noted);
        let verdict = verify(&*tx, &key, head, |_, _| ()).await.unwrap();
        // The program continues to write entries, but they do not repair the chain.
        let next = NewEntry {
            id: clock.new_id(),
            ..next.clone()
        };
        append(&tx, &key, next).await.unwrap();
        let later = verify(&*tx, &key, head, |_, _| ()).await.unwrap();
        tx.rollback().await.unwrap();
        let (AuditVerdict::Broken(bad), AuditVerdict::Broken(_)) = (verdict, later) else {
            panic!("not found: {statements:?}");
        };
        assert!(!bad.to_string().is_empty());
        if let Some(named) = named {
            assert_eq!(bad.seq, named, "{statements:?}: {bad}");
        }
    }
    let verdict = verify(&db, &key, Some(&noted), |_, _| ()).await.unwrap();
    assert_eq!(verdict, AuditVerdict::Intact { head: noted });
    let AuditVerdict::Broken(bad) = verify(&db, &AuditKey::new(&[6; 32]), None, |_, _| ()).await.unwrap() else {
        panic!("the verification with another key found no alteration");
    };
    assert_eq!((bad.seq, bad.problem), (1, Tampering::Altered));
    db.close().await.unwrap();
    database.remove().await;
}
