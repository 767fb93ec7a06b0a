//! Splits the text of a condition or a script into tokens, to find the names and values that it contains. The module
//! does not parse the text.

use rust_decimal::Decimal;

/// Maximum length, in bytes, of a literal that counts as a value.
const MAX_LITERAL: usize = 100;
/// Maximum number of literals after a fact's name.
const MAX_BESIDE: usize = 8;

/// A token of a condition or script that may be a name or a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Number(Decimal),
}

/// The names and values that a condition or a script contains.
#[derive(Debug, Default)]
pub(super) struct NamedValues {
    pub(super) tokens: Vec<Token>,
}

impl NamedValues {
    pub(super) fn of(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let length = if c == '"' || c == '`' || c == '\'' {
                let inside = rest[1..].split(c).next().unwrap_or_default();
                if !inside.is_empty() && inside.len() <= MAX_LITERAL {
                    tokens.push(Token::Text(inside.to_owned()));
                }
                (inside.len() + 2).min(rest.len())
            } else if c.is_ascii_digit() {
                let end = rest
                    .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))
                    .unwrap_or(rest.len());
                let number = rest[..end].trim_end_matches('.').replace('_', "").parse::<Decimal>();
                tokens.extend(number.map(Token::Number));
                end
            } else if c.is_alphabetic() || c == '_' {
                let end = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            } else {
                c.len_utf8()
            };
            rest = &rest[length..];
        }
        Self { tokens }
    }

    /// Whether the text names a fact, as an identifier in a condition or as a string in a script.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tokens.iter().any(|token| is_name(token, name))
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        texts_in(&self.tokens)
    }

    /// Returns the literals next to a fact's name: the literals from the name to the next word, and the literal before
    /// the name.
    pub(super) fn beside(&self, name: &str) -> Self {
        let mut tokens = Vec::new();
        for (place, _) in self.tokens.iter().enumerate().filter(|(_, token)| is_name(token, name)) {
            let is_word = |token: &&Token| matches!(token, Token::Word(_));
            let after = self.tokens.iter().skip(place + 1);
            let literals = after.skip_while(|token| matches!(token, Token::Word(word) if word == "in"));
            tokens.extend(literals.take_while(|token| !is_word(token)).take(MAX_BESIDE).cloned());
            let before = self.tokens[..place].iter().rev().find(|token| !is_word(token));
            tokens.extend(before.cloned());
        }
        Self { tokens }
    }
}

fn is_name(token: &Token, name: &str) -> bool {
    matches!(token, Token::Word(text) | Token::Text(text) if text == name)
}

fn texts_in(tokens: &[Token]) -> impl Iterator<Item = &String> {
    tokens.iter().filter_map(|token| match token {
        Token::Text(text) => Some(text),
        _ => None,
    })
}
