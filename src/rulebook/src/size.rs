//! Calculates the size of a rulebook: its rows as JSON in bytes, and the memory of a compiled revision. Memory is
//! estimated from the rows, because a compiled rulebook cannot be measured. A cache uses the estimate to limit its use
//! of memory. The estimate tends to be too high.

use std::io::{self, Write};

use crate::rows::{Classifier, Resource, Row, RowSet, with_row};

/// Maximum total size of a rulebook's rows as JSON, in bytes.
pub const MAX_ROW_BYTES: usize = 8 * 1024 * 1024;
/// Bytes in memory per byte of rows. This includes the rows, the compiled conditions, the indexes and above all the
/// trie of words.
const MEMORY_PER_BYTE: usize = 16;
/// Fixed memory overhead per row, in bytes, in addition to the memory for the row's JSON.
const MEMORY_PER_ROW: usize = 1024;

/// The size of all rows as JSON, in bytes.
#[must_use]
pub fn row_bytes(rows: &RowSet) -> usize {
    let mut counted = ByteCounter(0);
    for resource in Resource::ALL {
        // The size of classifiers is calculated without serialization, because they are the longest rows and every
        // revision is measured.
        if *resource != Resource::Classifiers {
            with_row!(*resource, R => count::<R>(rows, &mut counted));
        }
    }
    let classifiers = rows.classifiers.values().map(|stored| classifier_bytes(&stored.row));
    counted.0 + classifiers.sum::<usize>()
}

/// Calculates the size of a classifier as JSON, in bytes. Its words need no escapes.
fn classifier_bytes(row: &Classifier) -> usize {
    const FIELDS: usize = "{'code':'','learns':'','bias':-10000,'weights':[]}".len();
    let weights = row.weights.iter().map(|line| line.len() + "'',".len());
    FIELDS + row.code.len() + row.learns.len() + weights.sum::<usize>()
}

/// The estimated size of a revision in memory, in bytes.
#[must_use]
pub fn in_memory(rows: &RowSet, row_bytes: usize) -> usize {
    row_bytes
        .saturating_mul(MEMORY_PER_BYTE)
        .saturating_add(rows.count().saturating_mul(MEMORY_PER_ROW))
}

fn count<R: Row>(rows: &RowSet, counted: &mut ByteCounter) {
    for stored in R::table(rows).values() {
        // The error can be ignored, because a row that cannot be written as JSON can never be published.
        let _ = serde_json::to_writer(&mut *counted, &stored.row);
    }
}

/// A writer that counts bytes.
struct ByteCounter(usize);

impl Write for ByteCounter {
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
    use crate::rows_json;
    use crate::sample;

    #[test]
    fn rows_weigh_what_is_written_of_them() {
        let rows = sample::rows();
        let written = rows_json::to_json(&rows).unwrap().to_string().len();
        let weighed = row_bytes(&rows);
        // Besides the rows, the JSON contains a version for each row and the names of the resources.
        assert!(
            weighed < written && written < weighed + rows.count() * 64,
            "{weighed}, {written}"
        );
        assert!(in_memory(&rows, weighed) > weighed);
        assert_eq!(row_bytes(&RowSet::default()), 0);
    }
}
