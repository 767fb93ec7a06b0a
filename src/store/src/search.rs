//! Searches people by part of a name or address, or by a phone number in any notation.
//!
//! There is no index: it scans the rows of one rulebook.

use sea_orm::sea_query::{Expr, ExprTrait as _, LikeExpr, SimpleExpr};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Accented letters that neither database folds, each with its base letter.
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

/// Condition that the column contains a string, ignoring case and accents.
#[must_use]
pub fn contains(column: &str, text: &str) -> SimpleExpr {
    let mut sql = format!("LOWER(COALESCE({column}, ''))");
    for (letters, plain) in ACCENTS {
        for letter in letters.chars() {
            sql = format!("REPLACE({sql}, '{letter}', '{plain}')");
        }
    }
    let plain: String = text.nfd().filter(|c| !is_combining_mark(*c)).collect();
    let mut pattern = String::from("%");
    for letter in plain.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    Expr::cust(sql).like(LikeExpr::new(pattern).escape('!'))
}

/// Condition that the column is a phone number that ends with these digits, in any notation.
#[must_use]
pub fn is_number(column: &str, digits: &str) -> SimpleExpr {
    let sql = SIGNS.iter().fold(format!("COALESCE({column}, '')"), |sql, sign| {
        format!("REPLACE({sql}, '{sign}', '')")
    });
    Expr::cust(sql).like(LikeExpr::new(format!("%{digits}")))
}
