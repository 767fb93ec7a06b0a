//! Searches people by part of a name or address, or by a phone number in any notation.
//!
//! The indexes `calls_number` and `leads_number` hold the last digits of numbers, by the same expression as here. A part of a name
//! or address has an index only on a PostgreSQL with the extension `pg_trgm`; else it is searched in the rows of one rulebook.

use sea_orm::DbBackend;
use sea_orm::sea_query::{Expr, ExprTrait as _, LikeExpr, SimpleExpr};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Accented letters that neither database folds, with their base letter.
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

/// Number of digits in the indexes of phone numbers. A search needs as many.
pub const INDEXED_DIGITS: usize = 8;

/// Condition that the column contains a text, ignoring case and accents.
#[must_use]
pub fn contains(backend: DbBackend, column: &str, text: &str) -> SimpleExpr {
    let plain: String = text.nfd().filter(|c| !is_combining_mark(*c)).collect();
    let mut pattern = String::from("%");
    for letter in plain.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    Expr::cust(folded(backend, column)).like(LikeExpr::new(pattern).escape('!'))
}

/// The column without case and accents, as SQL.
fn folded(backend: DbBackend, column: &str) -> String {
    let lower = format!("LOWER(COALESCE({column}, ''))");
    if backend == DbBackend::Postgres {
        let letters: String = ACCENTS.iter().map(|(letters, _)| *letters).collect();
        let plain = ACCENTS.iter().flat_map(|(letters, plain)| letters.chars().map(|_| *plain));
        return format!("translate({lower}, '{letters}', '{}')", plain.collect::<String>());
    }
    ACCENTS.iter().fold(lower, |sql, (letters, plain)| {
        letters
            .chars()
            .fold(sql, |sql, letter| format!("REPLACE({sql}, '{letter}', '{plain}')"))
    })
}

/// Condition that the column is a phone number that ends with these digits, in any notation. There must be
/// [`INDEXED_DIGITS`] or more.
#[must_use]
pub fn is_number(backend: DbBackend, column: &str, digits: &str) -> SimpleExpr {
    let last = digits.get(digits.len().saturating_sub(INDEXED_DIGITS)..).unwrap_or(digits);
    Expr::cust(format!("{column} IS NOT NULL"))
        .and(Expr::cust(last_digits(backend, column)).eq(last))
        .and(Expr::cust(without_signs(column)).like(LikeExpr::new(format!("%{digits}"))))
}

/// The last digits of a phone number, as SQL. On SQLite, a number with other characters than [`SIGNS`] keeps them.
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
