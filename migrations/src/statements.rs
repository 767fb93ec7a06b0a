//! Splits SQL files into single statements.
//!
//! The parser recognizes comments, quoted strings and names, and PostgreSQL's dollar quotes. A semicolon in the body of
//! a SQLite trigger does not end the statement.

/// Splits SQL into statements, in their order and without the semicolons between them. A comment before a statement
/// stays in that statement.
pub fn split(sql: &str) -> Vec<&str> {
    let bytes = sql.as_bytes();
    let (mut all, mut start, mut at) = (Vec::new(), 0, 0);
    let mut seen = Seen::default();
    while at < bytes.len() {
        let rest = &sql[at..];
        let byte = bytes[at];
        at += match byte {
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            b'\'' | b'"' => {
                seen.something = true;
                // A doubled quote ends one quoted part and begins the next.
                rest[1..].find(char::from(byte)).map_or(rest.len(), |end| end + 2)
            }
            b'$' => {
                seen.something = true;
                dollar_tag(rest).map_or(1, |tag| {
                    let body = &rest[tag.len()..];
                    body.find(tag).map_or(rest.len(), |end| end + 2 * tag.len())
                })
            }
            b';' if seen.depth == 0 => {
                if seen.something {
                    all.push(sql[start..at].trim());
                }
                start = at + 1;
                seen = Seen::default();
                1
            }
            letter if letter.is_ascii_alphabetic() || letter == b'_' => {
                let word = rest
                    .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                    .map_or(rest, |end| &rest[..end]);
                seen.word(word);
                word.len()
            }
            other => {
                seen.something |= !other.is_ascii_whitespace();
                rest.chars().next().map_or(1, char::len_utf8)
            }
        };
    }
    if seen.something {
        all.push(sql[start..].trim());
    }
    all
}

/// Describes the part of the current statement that the parser has read.
#[derive(Default)]
struct Seen {
    /// Whether the statement contains more than comments and white space.
    something: bool,
    words: usize,
    /// Whether the statement begins with CREATE.
    creates: bool,
    /// Whether the statement creates a trigger.
    trigger: bool,
    /// Number of open BEGIN and CASE blocks of a trigger.
    depth: usize,
}

impl Seen {
    fn word(&mut self, word: &str) {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        self.something = true;
        self.words += 1;
        self.creates |= self.words == 1 && is("CREATE");
        self.trigger |= self.creates && self.words <= 3 && is("TRIGGER");
        if self.trigger && (is("BEGIN") || (is("CASE") && self.depth > 0)) {
            self.depth += 1;
        } else if self.trigger && is("END") {
            self.depth = self.depth.saturating_sub(1);
        }
    }
}

/// Returns the dollar-quote tag, `$$` or `$name$`, at the start of `text`. `None` if `text` does not begin with a tag.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    let name = &text[1..end - 1];
    let is_name = !name.starts_with(|letter: char| letter.is_ascii_digit())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    is_name.then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_text_comments_and_bodies_end_nothing() {
        let sql = "-- a; b\nCREATE TABLE t (a text DEFAULT 'x;''y', \"b;\" int); /* ; */\n\
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN a; b; END $$;\n\
            DO $body$ x; $$ y; $body$;\n\
            CREATE TRIGGER r BEFORE UPDATE ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 3; END;\n\
            UPDATE t SET a = 'BEGIN;'; -- the end";
        let all = split(sql);
        let begins: Vec<&str> = all.iter().map(|sql| sql.trim_start_matches("-- a; b\n")).collect();
        let begins: Vec<&str> = begins.iter().map(|sql| sql.trim_start_matches("/* ; */\n")).collect();
        let firsts: Vec<String> = begins
            .iter()
            .map(|sql| sql.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            firsts,
            [
                "CREATE TABLE",
                "CREATE FUNCTION",
                "DO $body$",
                "CREATE TRIGGER",
                "UPDATE t"
            ]
        );
        assert!(begins[3].ends_with("END"), "{}", begins[3]);
        assert_eq!(split(" ; -- nothing\n ; "), Vec::<&str>::new());
    }
}
