//! Finds numbers in the cases of a `switch`. Rhai compares numbers in a `switch` by type: `12` never equals `12.0`, and
//! facts and prices are decimal numbers.

use rhai::{Position, Token};

use super::engine::ENGINE;

/// These functions always return a whole number, so a `switch` on their result may have whole numbers as cases.
const WHOLE: [&str; 2] = ["whole", "len"];

/// A `switch` that is being scanned.
#[derive(Default)]
struct Switch {
    /// Whether the switched expression begins with a function of [`WHOLE`].
    is_whole: Option<bool>,
    /// The brace depth of the cases; `None` before the cases begin.
    open: Option<usize>,
}

/// Returns the position of the first case that is a number. A `switch` on an expression that is certainly a whole
/// number is ignored.
#[must_use]
pub fn number_in_switch(source: &str) -> Option<Position> {
    let sources = [source];
    let (mut depth, mut switches): (usize, Vec<Switch>) = (0, Vec::new());
    let mut number: Option<Position> = None;
    for (token, at) in ENGINE.lex(&sources).0 {
        let before = number.take();
        if let Some(switch) = switches.last_mut()
            && switch.is_whole.is_none()
        {
            let is_whole = |name: &str| WHOLE.contains(&name);
            switch.is_whole = Some(matches!(&token, Token::Identifier(name) if is_whole(name.as_str())));
        }
        match token {
            Token::EOF | Token::LexError(_) => return None,
            Token::Switch => switches.push(Switch::default()),
            Token::LeftBrace => {
                depth += 1;
                if let Some(switch) = switches.last_mut().filter(|switch| switch.open.is_none()) {
                    switch.open = Some(depth);
                }
            }
            Token::RightBrace => {
                switches.pop_if(|switch| switch.open == Some(depth));
                depth = depth.saturating_sub(1);
            }
            Token::IntegerConstant(_) | Token::DecimalConstant(_) => number = Some(at),
            Token::DoubleArrow | Token::If => {
                let switch = switches.last().filter(|switch| switch.open == Some(depth));
                if let Some(at) = before
                    && switch.is_some_and(|switch| switch.is_whole != Some(true))
                {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_in_cases_are_found_and_whole_ones_are_safe() {
        for (source, line) in [
            ("switch fact(\"metres\") {\n 12 => 1,\n _ => 2 }", Some(2)),
            ("switch quote.from { \"a\" => 1, 1.5 => 2 }", Some(1)),
            ("switch x {\n \"a\" | 1 | 2 => 3 }", Some(2)),
            ("switch x { 1 if y => 3 }", Some(1)),
            ("switch x { 1..5 => 3 }", Some(1)),
            ("switch x { -1 => 3 }", Some(1)),
            ("switch x { \"a\" => { switch y {\n 1 => 2 } } }", Some(2)),
            ("switch x { \"a\" => 1, _ => if y > 1 { 2 } else { 3 } }", None),
            ("switch whole(x) { 1 => 2, _ => 3 }", None),
            ("switch whole(x) { 1 => { switch y { 2 => 3 } } }", Some(1)),
            ("switch len(x) { 1 => 2 }", None),
            ("let a = 1; if a == 1 { 2 }", None),
            ("switch", None),
        ] {
            assert_eq!(number_in_switch(source).and_then(Position::line), line, "{source}");
        }
    }
}
