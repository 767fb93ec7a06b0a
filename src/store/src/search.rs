//! Searches people by part of a name or address, or by a phone number in any notation.
//!
//! The indexes `calls_number` and `leads_number` contain the last digits of phone numbers. They use the same SQL
//! expression as this module. A search for part of a name or address uses no index and reads all rows of one rulebook.

use sea_orm::DbBackend;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, LikeExpr, SimpleExpr};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Groups of accented letters, each with the base letter of the group. Neither database converts these letters to their
/// base letters.
const ACCENTS: [(&str, char); 8] = [
    ("àâäáãåÀÂÄÁÃÅ", 'a'),
    ("çÇ", 'c'),
    ("éèêëÉÈÊË", 'e'),
    ("îïíìÎÏÍÌ", 'i'),
    ("ôöóòõÔÖÓÒÕ", 'o'),
    ("ûüúùÛÜÚÙ", 'u'),
    ("ÿýÝ", 'y'),
    ("ñÑ", 'n'),
];
/// Punctuation that may separate the digits of a number.
const SIGNS: [&str; 8] = [" ", "-", ".", "(", ")", "+", "/", "\u{a0}"];

/// Number of digits in the indexes of phone numbers. A search needs at least as many digits.
pub const INDEXED_DIGITS: usize = 8;

/// Condition that the column contains a text, ignoring case and accents.
#[must_use]
pub fn contains(column: &str, text: &str) -> SimpleExpr {
    let lower = format!("LOWER(COALESCE({column}, ''))");
    let folded = ACCENTS.iter().fold(lower.clone(), |sql, (letters, plain)| {
        letters
            .chars()
            .fold(sql, |sql, letter| format!("REPLACE({sql}, '{letter}', '{plain}')"))
    });
    let plain: String = text.nfd().filter(|c| !is_combining_mark(*c)).collect();
    let (mut rough, mut exact) = (String::from("%"), String::from("%"));
    for letter in plain.to_lowercase().chars() {
        if ACCENTS.iter().any(|(_, plain)| *plain == letter) {
            rough.push('_');
            exact.push(letter);
            continue;
        }
        for pattern in [&mut rough, &mut exact] {
            if matches!(letter, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(letter);
        }
    }
    // Folding a string is much slower than comparing it, so the rough pattern excludes most strings first. The
    // condition is a CASE, because PostgreSQL expects a CASE to match many rows. PostgreSQL then reads rows in the
    // order of the list until the page is full. For two conditions PostgreSQL would expect few matches, and would read
    // the whole table even for a frequent name.
    let like = |sql: String, pattern: String| Expr::cust(sql).like(LikeExpr::new(pattern + "%").escape('!'));
    CaseStatement::new()
        .case(like(lower, rough), like(folded, exact))
        .finally(Expr::cust("1 = 0"))
        .into()
}

/// Condition that the column is a phone number that ends with these digits, in any notation. `digits` must have at
/// least [`INDEXED_DIGITS`] digits.
#[must_use]
pub fn is_number(backend: DbBackend, column: &str, digits: &str) -> SimpleExpr {
    let last = digits
        .get(digits.len().saturating_sub(INDEXED_DIGITS)..)
        .unwrap_or(digits);
    Expr::cust(format!("{column} IS NOT NULL"))
        .and(Expr::cust(last_digits(backend, column)).eq(last))
        .and(Expr::cust(without_signs(column)).like(LikeExpr::new(format!("%{digits}"))))
}

/// The last digits of a phone number, as SQL. On SQLite only [`SIGNS`] are removed from the number, and other
/// characters remain.
#[must_use]
pub(super) fn last_digits(backend: DbBackend, column: &str) -> String {
    if backend == DbBackend::Postgres {
        format!("right(translate({column}, translate({column}, '0123456789', ''), ''), {INDEXED_DIGITS})")
    } else {
        format!("substr({}, -{INDEXED_DIGITS})", without_signs(column))
    }
}

fn without_signs(column: &str) -> String {
    SIGNS
        .iter()
        .fold(column.to_owned(), |sql, sign| format!("REPLACE({sql}, '{sign}', '')"))
}
