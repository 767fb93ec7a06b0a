//! Reads tables as JSON objects, in the same form for both databases. Bytes become hexadecimal digits, and JSON columns
//! are parsed.

use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection, Statement};
use serde_json::Value;

use super::app::TestApp;

/// Every table that a message writes to.
pub const OF_A_MESSAGE: [&str; 9] = [
    "webhook_events",
    "calls",
    "call_transcripts",
    "decisions",
    "leads",
    "sms_messages",
    "escalations",
    "tool_calls",
    "notices",
];

impl TestApp {
    /// Reads the rows of a table.
    pub async fn rows(&self, table: &str) -> Vec<Value> {
        rows(&self.app.read, table).await
    }

    /// Reads the only row of a table.
    pub async fn only_row(&self, table: &str) -> Value {
        let rows = self.rows(table).await;
        assert_eq!(rows.len(), 1, "{table}: {rows:#?}");
        rows.into_iter().next().unwrap()
    }

    /// Counts the rows of each table.
    pub async fn counts<const N: usize>(&self, tables: [&str; N]) -> [usize; N] {
        let mut counts = [0; N];
        for (count, table) in counts.iter_mut().zip(tables) {
            *count = self.rows(table).await.len();
        }
        counts
    }

    /// Reads all rows that messages write.
    pub async fn everything(&self) -> Vec<(&'static str, Vec<Value>)> {
        let mut all = Vec::new();
        for table in OF_A_MESSAGE {
            let mut rows = self.rows(table).await;
            rows.sort_by_key(ToString::to_string);
            all.push((table, rows));
        }
        all
    }

    /// Reads all rows that messages about one call write.
    pub async fn everything_of(&self, call: &str) -> Vec<(&'static str, Vec<Value>)> {
        let mut all = Vec::new();
        for table in OF_A_MESSAGE.into_iter().filter(|table| *table != "notices") {
            let column = if table == "calls" { "id" } else { "call_id" };
            let mut rows = rows(&self.app.read, &format!("{table} t WHERE t.{column} = '{call}'")).await;
            rows.sort_by_key(ToString::to_string);
            all.push((table, rows));
        }
        all
    }

    /// Runs statements directly on the database.
    pub async fn sql(&self, sql: &str) {
        self.app.db.execute_unprepared(sql).await.unwrap();
    }

    /// Returns the names of all tables of the schema.
    pub async fn tables(&self) -> Vec<String> {
        let sql = match self.app.read.get_database_backend() {
            DatabaseBackend::Postgres => {
                "SELECT table_name::text AS name FROM information_schema.tables WHERE table_schema = 'public'"
            }
            _ => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        };
        texts(&self.app.read, sql).await
    }
}

/// Reads the rows of a table. `table` may include the alias `t` and a condition.
pub async fn rows(db: &DatabaseConnection, table: &str) -> Vec<Value> {
    let (name, rest) = table.split_once(' ').unwrap_or((table, "t"));
    let sql = if db.get_database_backend() == DatabaseBackend::Postgres {
        format!("SELECT to_jsonb(t)::text AS line FROM {name} {rest}")
    } else {
        let columns = texts(db, &format!("SELECT name FROM pragma_table_info('{name}')")).await;
        let members = columns.iter().map(|column| {
            format!(
                r#"'{column}', CASE typeof("{column}") WHEN 'blob' THEN lower(hex("{column}")) ELSE "{column}" END"#
            )
        });
        let members: Vec<String> = members.collect();
        format!("SELECT json_object({}) AS line FROM {name} {rest}", members.join(", "))
    };
    let lines = texts(db, &sql).await;
    lines
        .iter()
        .map(|line| opened(serde_json::from_str(line).unwrap()))
        .map(|row| if name == "webhook_events" { unpacked(row) } else { row })
        .collect()
}

/// Returns whether a boolean column is true.
pub fn yes(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_i64() == Some(1))
}

/// Returns the rows that have this value in the column.
pub fn having(rows: &[Value], column: &str, value: impl Into<Value>) -> Vec<Value> {
    let value = value.into();
    rows.iter().filter(|row| row[column] == value).cloned().collect()
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Returns the row with its raw body decompressed.
fn unpacked(mut row: Value) -> Value {
    if let Some(stored) = row["body"].as_str().map(|hex| hex::decode(hex).unwrap()) {
        row["body"] = hex::encode(store::compressed_body::unpack(stored).unwrap()).into();
    }
    row
}

/// Parses columns that one database stores as JSON and the other as text.
fn opened(mut row: Value) -> Value {
    for value in row.as_object_mut().unwrap().values_mut() {
        let Some(text) = value.as_str() else { continue };
        if let Some(hex) = text.strip_prefix("\\x") {
            *value = Value::String(hex.to_owned());
        } else if (text.starts_with(['{', '[']) || text == "null")
            && let Ok(json) = serde_json::from_str(text)
        {
            *value = json;
        }
    }
    row
}
