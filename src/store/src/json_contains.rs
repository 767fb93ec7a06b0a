//! JSON containment: PostgreSQL's `@>`, and an equivalent for SQLite.
//!
//! PostgreSQL uses a GIN index. SQLite scans every row.

use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{DbBackend, Value};
use serde_json::Value as Json;

/// Maximum number of values in a pattern on SQLite, where each value needs a subquery.
pub const MOST_VALUES: usize = 50;

/// Condition that `column` contains `pattern`. For an object, each member of the pattern must be contained in the
/// member with the same name. For an array, each element of the pattern must be contained in some element. All other
/// values must be equal. `None` if the pattern is too large.
#[must_use]
pub fn contains(backend: DbBackend, column: &'static str, pattern: &Json) -> Option<SimpleExpr> {
    if backend == DbBackend::Postgres {
        let value = Value::Json(Some(Box::new(pattern.clone())));
        return Some(Expr::cust_with_values(format!("\"{column}\" @> $1"), [value]));
    }
    let mut sqlite = Sqlite {
        sql: String::new(),
        values: Vec::new(),
        depth: 0,
    };
    sqlite.children(&format!("\"{column}\""), pattern)?;
    Some(Expr::cust_with_values(sqlite.sql, sqlite.values))
}

struct Sqlite {
    sql: String,
    values: Vec<Value>,
    depth: usize,
}

impl Sqlite {
    /// Adds the condition that the JSON at `place` contains the members or elements of the pattern.
    fn children(&mut self, place: &str, pattern: &Json) -> Option<()> {
        let children: Vec<(Option<&String>, &Json)> = match pattern {
            Json::Object(object) => object.iter().map(|(key, value)| (Some(key), value)).collect(),
            Json::Array(values) => values.iter().map(|value| (None, value)).collect(),
            _ => return None,
        };
        self.sql.push_str("(1");
        for (key, child) in children {
            self.depth += 1;
            if self.depth > MOST_VALUES {
                return None;
            }
            let row = format!("e{}", self.depth);
            self.sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM json_each({place}) AS {row} WHERE "
            ));
            if let Some(key) = key {
                self.sql.push_str(&format!("{row}.key = ? AND "));
                self.values.push(key.as_str().into());
            }
            self.matches(&row, child)?;
            self.sql.push(')');
        }
        self.sql.push(')');
        Some(())
    }

    fn matches(&mut self, row: &str, pattern: &Json) -> Option<()> {
        match pattern {
            Json::Null => self.sql.push_str(&format!("{row}.type = 'null'")),
            Json::Bool(value) => self.sql.push_str(&format!("{row}.type = '{value}'")),
            Json::String(text) => {
                self.sql.push_str(&format!("{row}.type = 'text' AND {row}.value = ?"));
                self.values.push(text.as_str().into());
            }
            Json::Number(number) => {
                self.sql
                    .push_str(&format!("{row}.type IN ('integer', 'real') AND {row}.value = ?"));
                let value = number
                    .as_i64()
                    .map_or_else(|| Value::from(number.as_f64()), Value::from);
                self.values.push(value);
            }
            Json::Object(_) | Json::Array(_) => {
                let kind = if pattern.is_object() { "object" } else { "array" };
                self.sql.push_str(&format!("{row}.type = '{kind}' AND "));
                self.children(&format!("{row}.value"), pattern)?;
            }
        }
        Some(())
    }
}
