//! How much a rulebook weighs: its rows as they are written, and what a compiled revision of them takes in memory.
//!
//! In: rows. Out: bytes. Memory is told from the rows, because no part of a compiled rulebook can be asked for its size: it
//! is meant for a cache that must not fill the machine, and is rather too high than too low.

use std::io::{self, Write};

use super::rows::{Classifier, Resource, Row, RowSet, with_row};

/// The most bytes that the rows of a rulebook have together, as JSON.
pub const MAX_ROW_BYTES: usize = 8 * 1024 * 1024;
/// Bytes in memory for a byte of rows: the rows themselves, tests, indexes and above all the automaton over words.
const MEMORY_PER_BYTE: usize = 16;
/// What a row takes however short it is.
const MEMORY_PER_ROW: usize = 1024;

/// The bytes of all rows as JSON.
#[must_use]
pub fn row_bytes(rows: &RowSet) -> usize {
    let mut counted = Counted(0);
    for resource in Resource::ALL {
        // Classifiers are the longest rows, and every revision is weighed: they are counted without being written.
        if *resource != Resource::Classifiers {
            with_row!(*resource, R => count::<R>(rows, &mut counted));
        }
    }
    let classifiers = rows.classifiers.values().map(|stored| classifier_bytes(&stored.row));
    counted.0 + classifiers.sum::<usize>()
}

/// The bytes of a classifier as JSON, whose words need no escapes.
fn classifier_bytes(row: &Classifier) -> usize {
    const FIELDS: usize = "{'code':'','learns':'','bias':-10000,'weights':[]}".len();
    let weights = row.weights.iter().map(|line| line.len() + "'',".len());
    FIELDS + row.code.len() + row.learns.len() + weights.sum::<usize>()
}

/// The bytes that a revision takes in memory, as far as its rows tell.
#[must_use]
pub fn in_memory(rows: &RowSet, row_bytes: usize) -> usize {
    row_bytes
        .saturating_mul(MEMORY_PER_BYTE)
        .saturating_add(rows.count().saturating_mul(MEMORY_PER_ROW))
}

fn count<R: Row>(rows: &RowSet, counted: &mut Counted) {
    for stored in R::table(rows).values() {
        // A row that cannot be written as JSON is none that anybody could publish.
        let _ = serde_json::to_writer(&mut *counted, &stored.row);
    }
}

/// Counts what is written to it.
struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keep_rows, sample};

    #[test]
    fn rows_weigh_what_is_written_of_them() {
        let rows = sample::rows();
        let written = keep_rows::to_json(&rows).unwrap().to_string().len();
        let weighed = row_bytes(&rows);
        // Beside the rows, a version each and the names of the resources are written.
        assert!(
            weighed < written && written < weighed + rows.count() * 64,
            "{weighed}, {written}"
        );
        assert!(in_memory(&rows, weighed) > weighed);
        assert_eq!(row_bytes(&RowSet::default()), 0);
    }
}
