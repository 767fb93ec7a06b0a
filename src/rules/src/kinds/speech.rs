//! What was said, split once for every kind that looks into it.

use std::cell::OnceCell;

use super::number::{Plain, Token, said_numbers};

/// What was said, as it stands and in tokens.
#[derive(Debug)]
pub struct Speech<'a> {
    text: &'a str,
    plain: &'a Plain,
    words: OnceCell<Vec<Token<'a>>>,
    tokens: OnceCell<Vec<Token<'a>>>,
}

impl<'a> Speech<'a> {
    /// From a text and its plain form.
    #[must_use]
    pub const fn of(text: &'a str, plain: &'a Plain) -> Self {
        Self {
            text,
            plain,
            words: OnceCell::new(),
            tokens: OnceCell::new(),
        }
    }

    /// As it stands.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Its tokens, with number words left as words.
    pub fn words(&self) -> &[Token<'a>] {
        self.words.get_or_init(|| self.plain.words())
    }

    /// Its tokens.
    pub fn tokens(&self) -> &[Token<'a>] {
        self.tokens.get_or_init(|| said_numbers(self.words()))
    }
}
