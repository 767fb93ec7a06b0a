//! Runs `fill.sql`, which multiplies the calls that the server recorded in a database.

use std::time::Instant;

use anyhow::{Context as _, Result};
use base::clock::Clock;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};
use store::decisions::pages::millis_of;
use uuid::Uuid;

const SQL: &str = include_str!("fill.sql");
/// Tables whose rows have an id. Each copy of a row gets its own id.
const WITH_IDS: [&str; 6] = [
    "webhook_events",
    "decisions",
    "tool_calls",
    "leads",
    "sms_messages",
    "escalations",
];

pub async fn fill(db: &DatabaseConnection, calls: u32) -> Result<()> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let id = if is_postgres { "uuid" } else { "blob" };
    if is_postgres {
        // The copies refer only to copies, so their foreign keys need no check.
        db.execute_unprepared("SET synchronous_commit = off; SET session_replication_role = replica")
            .await?;
    } else {
        for pragma in ["foreign_keys = OFF", "synchronous = OFF", "cache_size = -500000"] {
            db.execute_unprepared(&format!("PRAGMA {pragma}")).await?;
        }
    }
    db.execute_unprepared(&format!(
        "CREATE TABLE bench_ids (old {id} NOT NULL PRIMARY KEY, ms bigint, k int)"
    ))
    .await?;
    let mut number = 0;
    for table in WITH_IDS {
        let rows = db.query_all_raw(Statement::from_string(
            db.get_database_backend(),
            format!("SELECT id FROM {table}"),
        ));
        for row in rows.await? {
            let old: Uuid = row.try_get("", "id")?;
            let values = [old.into(), i64::try_from(millis_of(old))?.into(), number.into()];
            let sql = "INSERT INTO bench_ids VALUES ($1, $2, $3)";
            db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values))
                .await?;
            number += 1;
        }
    }
    let began = Instant::now();
    let now = Clock::system().now().timestamp_millis();
    for statement in in_dialect(is_postgres, calls, now).split(";\n") {
        if statement.trim().is_empty() {
            continue;
        }
        db.execute_unprepared(statement)
            .await
            .with_context(|| statement.to_owned())?;
    }
    eprintln!("{calls} calls in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

fn in_dialect(is_postgres: bool, calls: u32, now: i64) -> String {
    let (own, foreign) = if is_postgres {
        ("{postgres}", "{sqlite}")
    } else {
        ("{sqlite}", "{postgres}")
    };
    let lines = SQL
        .lines()
        .filter(|line| !line.starts_with(foreign) && !line.starts_with("--"));
    let sql: Vec<&str> = lines.map(|line| line.strip_prefix(own).unwrap_or(line)).collect();
    let mut sql = sql.join("\n");
    let letter = |divisor: u8| format!("substr('abcdefghijklmnopqrstuvwxyz', 1 + caller / {divisor} % 26, 1)");
    let surname = format!("' ' || upper({}) || {} || 'mont'", letter(1), letter(26));
    let (text_id, new_id, phone) = if is_postgres {
        (
            "CAST(gen_random_uuid() AS text)",
            "gen_random_uuid()",
            "('+1514' || lpad(CAST(caller AS text), 7, '0'))",
        )
    } else {
        (
            "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' \
             || hex(randomblob(6)))",
            "randomblob(16)",
            "printf('+1514%07d', caller)",
        )
    };
    let (calls, now) = (calls.to_string(), now.to_string());
    for (name, text) in [
        ("{calls}", calls.as_str()),
        ("{until_ms}", &now),
        ("{recorded_ms}", &now),
        ("{text_id}", text_id),
        ("{new_id}", new_id),
        ("{phone}", phone),
        ("{surname}", &surname),
    ] {
        sql = sql.replace(name, text);
    }
    let (time, id) = if is_postgres {
        (
            "(@ + moved_ms * interval '1 millisecond')",
            "(SELECT CAST(lpad(to_hex(i.ms + moved_ms), 12, '0') || '7' || lpad(to_hex(i.k), 3, '0') || '8' || lpad(to_hex(n), 15, '0') \
             AS uuid) FROM bench_ids i WHERE i.old = @)",
        )
    } else {
        (
            "(strftime('%Y-%m-%dT%H:%M:%f', @, printf('%.3f seconds', moved_ms / 1000.0)) || '+00:00')",
            "(SELECT unhex(printf('%012x7%03x8%015x', i.ms + moved_ms, i.k, n)) FROM bench_ids i WHERE i.old = @)",
        )
    };
    expanded(&expanded(&sql, "{time ", time), "{id ", id)
}

/// Replaces each placeholder, for example `{id COLUMN}` if `begin` is `{id `, by the pattern. In the pattern, `@`
/// becomes the column.
fn expanded(sql: &str, begin: &str, pattern: &str) -> String {
    let mut parts = sql.split(begin);
    let mut done = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (column, rest) = part.split_once('}').unwrap_or((part, ""));
        done.push_str(&pattern.replace('@', column));
        done.push_str(rest);
    }
    done
}
