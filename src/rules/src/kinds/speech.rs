//! The caller's words, tokenized once for all kinds that search them.

use std::cell::OnceCell;

use super::number_words::said_numbers;
use super::tokens::{Plain, Token};

/// The caller's words, as text and as tokens.
#[derive(Debug)]
pub struct Speech<'a> {
    text: &'a str,
    plain: &'a Plain,
    words: OnceCell<Vec<Token<'a>>>,
    tokens: OnceCell<Vec<Token<'a>>>,
}

impl<'a> Speech<'a> {
    /// Wraps a text and its plain form. The tokens are computed at the first use.
    #[must_use]
    pub const fn of(text: &'a str, plain: &'a Plain) -> Self {
        Self {
            text,
            plain,
            words: OnceCell::new(),
            tokens: OnceCell::new(),
        }
    }

    /// The text, unchanged.
    #[must_use]
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Returns the tokens, with number words left as words.
    pub fn words(&self) -> &[Token<'a>] {
        self.words.get_or_init(|| self.plain.words())
    }

    /// Returns the tokens, with number words converted to numbers.
    pub fn tokens(&self) -> &[Token<'a>] {
        self.tokens.get_or_init(|| said_numbers(self.words()))
    }
}
