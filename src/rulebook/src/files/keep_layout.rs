//! Updates an existing file so that it contains the new rows. Bytes that the new rows do not change stay the same.
//!
//! Unchanged rows, fields and list items keep their order, their layout and the comments above and beside them. A
//! changed row is rewritten completely if it is not laid out as one `[code]` table with one field per line. If the
//! lines of a row are not contiguous, the whole file is rewritten.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::read;
use super::write::{field_text, fields, inline, row_text};
use super::{FileFault, Files, file_name, parse};
use crate::rows::{Resource, Row, RowSet, StoredRow};

/// Whether the layout of a file could be preserved.
pub(super) enum LayoutResult {
    /// The text of the file with the new rows. Everything else is unchanged.
    Whole(String),
    /// The layout cannot be preserved, so the file must be rewritten.
    Not,
}

/// Updates the text of a file so that it contains the given rows.
///
/// # Errors
/// When the file is not valid TOML. The error contains the position.
pub(super) fn kept<R: Row>(text: &str, rows: &RowSet) -> Result<LayoutResult, FileFault> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.first() {
        let offset = error.span().map_or(0, |span| span.start);
        let told = format!("{}; correct the file, or export to another folder", error.message());
        return Err(FileFault::at("", text, offset, told));
    }
    let merged = merged::<R>(text, table.get_ref(), rows).filter(|merged| holds::<R>(merged, rows));
    Ok(merged.map_or(LayoutResult::Not, LayoutResult::Whole))
}

/// Whether a file contains exactly these rows. This check ensures that preserving the layout never loses a row.
fn holds<R: Row>(text: &str, rows: &RowSet) -> bool {
    let mut files = Files::from([(file_name(R::RESOURCE), text.to_owned())]);
    if R::RESOURCE == Resource::Scripts {
        files.extend(super::write::scripts(rows));
    }
    let Ok(found) = parse(&files) else { return false };
    let (found, wanted) = (R::table(&found), R::table(rows));
    found.len() == wanted.len()
        && found
            .iter()
            .zip(wanted)
            .all(|((code, found), (wanted_code, wanted))| code == wanted_code && found.row == wanted.row)
}

/// Consecutive lines that belong to one row or field.
struct LineGroup {
    /// The row's code or the field's name; `None` for lines that belong to no row or field.
    name: Option<String>,
    text: String,
}

/// The lines of a file with their line endings, and the byte offset of each line's start.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let mut starts = vec![0];
        starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        if starts.last() == Some(&text.len()) {
            starts.pop();
        }
        Self { text, starts }
    }

    /// Returns the index of the line that contains a byte offset.
    fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    fn slice(&self, lines: Range<usize>) -> &'a str {
        let end = |line: usize| self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text.get(end(lines.start)..end(lines.end)).unwrap_or_default()
    }

    fn line(&self, line: usize) -> &'a str {
        self.slice(line..line + 1).trim()
    }

    /// Returns the index of the first line of the comment directly above a line.
    fn with_comment(&self, line: usize, least: usize) -> usize {
        let mut first = line;
        while first > least && self.line(first - 1).starts_with('#') {
            first -= 1;
        }
        first
    }
}

/// Returns the byte range of a value. For a table, the range includes the header and the tables below it.
fn extent(value: &Spanned<DeValue<'_>>) -> Range<usize> {
    let mut all = value.span();
    let mut add = |one: Range<usize>| all = all.start.min(one.start)..all.end.max(one.end);
    match value.get_ref() {
        DeValue::Table(entries) => {
            for (key, value) in entries {
                add(key.span());
                add(extent(value));
            }
        }
        DeValue::Array(items) => items.iter().for_each(|item| add(extent(item))),
        _ => {}
    }
    all
}

fn merged<R: Row>(text: &str, table: &DeTable<'_>, rows: &RowSet) -> Option<String> {
    let lines = Lines::of(text);
    let wanted = R::table(rows);
    let mut pieces: Vec<LineGroup> = Vec::new();
    let mut done = 0;
    for (code, value) in table {
        let extent = extent(value);
        let head = lines.at(code.span().start.min(extent.start));
        let last = lines.at(extent.end.saturating_sub(1).max(code.span().start));
        if head < done || !lines.line(head).starts_with('[') {
            return None;
        }
        let first = lines.with_comment(head, done);
        pieces.push(LineGroup {
            name: None,
            text: lines.slice(done..first).to_owned(),
        });
        let name = code.get_ref().as_ref();
        let text = match wanted.get(name) {
            None => String::new(),
            Some(stored) => {
                let before = row_of::<R>(name, value, stored);
                match before {
                    Some(before) if before == stored.row => lines.slice(first..last + 1).to_owned(),
                    before => {
                        let block = Block {
                            lines: &lines,
                            rows: first..last + 1,
                            head,
                        };
                        block.changed(name, value, before.as_ref(), &stored.row)
                    }
                }
            }
        };
        pieces.push(LineGroup {
            name: Some(name.to_owned()),
            text,
        });
        done = last + 1;
    }
    pieces.push(LineGroup {
        name: None,
        text: lines.slice(done..lines.starts.len()).to_owned(),
    });
    let mut merged = String::new();
    remove_rows(&mut pieces);
    insert_rows(
        &mut pieces,
        wanted
            .iter()
            .map(|(code, stored)| (code.as_str(), row_text(code, &fields(&stored.row)))),
    );
    for piece in pieces {
        merged.push_str(&piece.text);
    }
    // If the last row was removed, the blank line before it must be removed too.
    while merged.ends_with("\n\n") && !text.ends_with("\n\n") {
        merged.pop();
    }
    // A file with CRLF line endings keeps them.
    if text.contains("\r\n") {
        merged = merged.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    Some(merged)
}

/// Reads the row from the file. The source of a script is taken from `wanted`, because the source has its own file.
fn row_of<R: Row>(code: &str, value: &Spanned<DeValue<'_>>, wanted: &Arc<StoredRow<R>>) -> Option<R> {
    let source = serde_json::to_value(&wanted.row)
        .ok()
        .filter(|_| R::RESOURCE == Resource::Scripts);
    let source = source.as_ref().and_then(|row| row["source"].as_str());
    read::row::<R>(code, value.clone(), source).ok()
}

/// Completes the removal of rows, so that no double blank line is left.
fn remove_rows(pieces: &mut [LineGroup]) {
    for place in 0..pieces.len() {
        if pieces[place].name.is_none() || !pieces[place].text.is_empty() {
            continue;
        }
        if let Some(after) = pieces.get_mut(place + 1) {
            let rest = after.text.trim_start_matches(['\r', '\n']).to_owned();
            after.text = rest;
        }
        pieces[place].name = None;
    }
}

/// Inserts new rows. Each is inserted before the first row that sorts after it, or at the end if the rows are not
/// sorted.
fn insert_rows<'a>(pieces: &mut Vec<LineGroup>, wanted: impl Iterator<Item = (&'a str, String)>) {
    let sorted = pieces.iter().filter_map(|piece| piece.name.as_deref()).is_sorted();
    for (code, text) in wanted {
        if pieces.iter().any(|piece| piece.name.as_deref() == Some(code)) {
            continue;
        }
        let next = pieces
            .iter()
            .position(|piece| sorted && piece.name.as_deref().is_some_and(|name| name > code));
        let name = Some(code.to_owned());
        match next {
            Some(place) => pieces.insert(
                place,
                LineGroup {
                    name,
                    text: format!("{text}\n"),
                },
            ),
            None => {
                let before: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
                let gap = match before.as_str() {
                    "" => "",
                    before if before.ends_with("\n\n") => "",
                    before if before.ends_with('\n') => "\n",
                    _ => "\n\n",
                };
                pieces.push(LineGroup {
                    name,
                    text: format!("{gap}{text}"),
                });
            }
        }
    }
}

/// The lines of one row.
struct Block<'a> {
    lines: &'a Lines<'a>,
    rows: Range<usize>,
    head: usize,
}

impl Block<'_> {
    /// Returns the row's lines with the changed fields.
    fn changed<R: Row>(&self, code: &str, value: &Spanned<DeValue<'_>>, before: Option<&R>, after: &R) -> String {
        let after = fields(after);
        let kept = before.and_then(|before| self.fields_changed(value, &fields(before), &after));
        // If the fields cannot be changed in place, the row is rewritten, and only the comment above it stays.
        kept.unwrap_or_else(|| {
            let comment = self.lines.slice(self.rows.start..self.head);
            format!("{comment}{}", row_text(code, &after))
        })
    }

    fn fields_changed(
        &self,
        value: &Spanned<DeValue<'_>>,
        before: &toml::Table,
        after: &toml::Table,
    ) -> Option<String> {
        let DeValue::Table(standing) = value.get_ref() else {
            return None;
        };
        let lines = self.lines;
        let mut pieces = vec![LineGroup {
            name: None,
            text: lines.slice(self.rows.start..self.head + 1).to_owned(),
        }];
        let mut done = self.head + 1;
        for (key, value) in standing {
            let name = key.get_ref().as_ref();
            let place = lines.at(key.span().start);
            let last = lines.at(extent(value).end.saturating_sub(1));
            // Whether the key is the first text in its line.
            let begins = lines.text.get(lines.starts[place]..key.span().start)?.trim().is_empty();
            if place < done || last < place || !begins {
                return None;
            }
            let first = lines.with_comment(place, done);
            pieces.push(LineGroup {
                name: None,
                text: lines.slice(done..first).to_owned(),
            });
            let text = match after.get(name) {
                None => String::new(),
                Some(wanted) if before.get(name) == Some(wanted) => lines.slice(first..last + 1).to_owned(),
                Some(wanted) => {
                    let comment = lines.slice(first..place);
                    let changed = self.field_changed(key.span().end, value, place..last + 1, wanted);
                    format!("{comment}{}", changed.unwrap_or_else(|| field_text(name, wanted)))
                }
            };
            pieces.push(LineGroup {
                name: Some(name.to_owned()),
                text,
            });
            done = last + 1;
        }
        pieces.push(LineGroup {
            name: None,
            text: lines.slice(done..self.rows.end).to_owned(),
        });
        let order: Vec<&String> = after.keys().collect();
        for (place, (name, wanted)) in after.iter().enumerate() {
            // The file may omit a field that has its default value. If the field does not change, it stays omitted.
            let stands = before.get(name) == Some(wanted);
            if stands || pieces.iter().any(|piece| piece.name.as_deref() == Some(name)) {
                continue;
            }
            let earlier = order.iter().take(place).rev().find_map(|earlier| {
                let same = |piece: &LineGroup| piece.name.as_ref() == Some(*earlier);
                pieces.iter().position(same)
            });
            let piece = LineGroup {
                name: Some(name.clone()),
                text: field_text(name, wanted),
            };
            let place = earlier.map_or(1, |earlier| earlier + 1);
            // The last line of a file may have no line ending.
            if let Some(last) = pieces
                .get_mut(place - 1)
                .filter(|last| !last.text.is_empty() && !last.text.ends_with('\n'))
            {
                last.text.push('\n');
            }
            pieces.insert(place, piece);
        }
        Some(pieces.into_iter().map(|piece| piece.text).collect())
    }

    /// Replaces the value in the line `name = value`, and does not change the rest of the line.
    fn field_changed(
        &self,
        key_end: usize,
        value: &Spanned<DeValue<'_>>,
        rows: Range<usize>,
        wanted: &toml::Value,
    ) -> Option<String> {
        let text = self.lines.text;
        let span = value.span();
        if text.get(key_end..span.start)?.trim() != "="
            || field_text("x", wanted).lines().count() > 1 && !wanted.is_array()
        {
            return None;
        }
        let start = self.lines.starts.get(rows.start).copied()?;
        let end = start + self.lines.slice(rows.clone()).len();
        let new = match (value.get_ref(), wanted) {
            (DeValue::Array(standing), toml::Value::Array(wanted)) => self
                .items_changed(&span, &standing.iter().collect::<Vec<_>>(), wanted)
                .unwrap_or_else(|| inline(&toml::Value::Array(wanted.clone()))),
            _ => inline(wanted),
        };
        Some(format!(
            "{}{new}{}",
            text.get(start..span.start)?,
            text.get(span.end..end)?
        ))
    }

    /// Updates a list that has one item per line. Unchanged items keep their lines.
    fn items_changed(
        &self,
        span: &Range<usize>,
        standing: &[&Spanned<DeValue<'_>>],
        wanted: &[toml::Value],
    ) -> Option<String> {
        let (lines, text) = (self.lines, self.lines.text);
        let (open, close) = (lines.at(span.start), lines.at(span.end.saturating_sub(1)));
        let mut done = open + 1;
        let mut known: Vec<(toml::Value, String)> = Vec::new();
        let mut indent = "  ";
        for item in standing {
            let span = extent(item);
            let (first, last) = (lines.at(span.start), lines.at(span.end.saturating_sub(1)));
            let before = text.get(lines.starts[first]..span.start)?;
            if first < done || last >= close || !before.trim().is_empty() {
                return None;
            }
            indent = before;
            // The last item may have no comma.
            let behind = text.get(span.end..)?;
            let behind = behind.get(..behind.find('\n')?)?;
            let comma = if behind.trim_start().starts_with(',') { "" } else { "," };
            let value = serde::Deserialize::deserialize(toml::de::ValueDeserializer::from((*item).clone())).ok()?;
            let lead = text.get(lines.starts[lines.with_comment(first, done)]..span.end)?;
            known.push((value, format!("{lead}{comma}{behind}\n")));
            done = last + 1;
        }
        if standing.is_empty() || wanted.is_empty() {
            return None;
        }
        let tail = text.get(lines.starts.get(done).copied()?..span.end)?;
        let head = text.get(span.start..lines.starts.get(open + 1).copied()?)?;
        let mut body = String::new();
        for item in wanted {
            match known.iter().position(|(value, _)| value == item) {
                Some(place) => body.push_str(&known.remove(place).1),
                None => body.push_str(&format!("{indent}{},\n", inline(item))),
            }
        }
        Some(format!("{head}{body}{tail}"))
    }
}
