//! Fills in many fields: changes selected rows by a percentage, or enters prices pasted from a spreadsheet.

use rust_decimal::Decimal;

use crate::business::Business;
use crate::prices::amount::{self, Fault, Span};
use crate::prices::sheet::PriceRow;
use crate::words::Words;

/// The steps to which prices may be rounded.
pub const STEPS: [&str; 4] = ["0.01", "1", "5", "10"];

/// Changes the amounts of rows by `percent`. `over` selects the rows: `picked`, `services` or `adjustments`. Returns
/// the number of filled fields.
pub fn raise(words: Words, lines: &mut [PriceRow], percent: Decimal, step: Decimal, over: &str) -> usize {
    let mut filled = 0;
    for line in lines {
        let is_meant = if over == "picked" {
            line.is_picked
        } else {
            line.resource == over
        };
        if !is_meant {
            continue;
        }
        // Rates are percentages already, so they are not changed.
        for field in line.fields.iter_mut().filter(|field| field.is_money()) {
            let Some(span) = field.value().ok().flatten() else {
                continue;
            };
            let raised = |number| amount::raised(number, percent, step);
            if let (Some(from), Some(to)) = (raised(span.from), raised(span.to)) {
                field.put(words, Span { from, to });
                filled += 1;
            }
        }
    }
    filled
}

/// A pasted line that fills no field. `key` is the key of the message that says why.
#[derive(Debug, PartialEq, Eq)]
pub struct Miss {
    pub number: usize,
    pub text: String,
    pub key: &'static str,
}

/// Fills fields from pasted lines. A line is `code<TAB>price`, and a semicolon or a comma may replace the tab. The name
/// of the row in any language may replace the code. A third column may contain the upper end of a range.
pub fn paste(words: Words, business: &Business, lines: &mut [PriceRow], text: &str) -> (usize, Vec<Miss>) {
    let (mut filled, mut misses, mut seen) = (0, Vec::new(), Vec::new());
    for (number, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
        let cells = cells(row);
        let miss = |key| Miss {
            number: number + 1,
            text: row.trim().chars().take(60).collect(),
            key,
        };
        let (Some(name), Some(price)) = (cells.first(), cells.get(1)) else {
            misses.push(miss("prices-paste-columns"));
            continue;
        };
        let Some(line) = lines.iter_mut().find(|line| is_named(business, line, name)) else {
            // The first line of a spreadsheet may name its columns.
            if number > 0 || amount::number(price).is_ok() {
                misses.push(miss("prices-paste-unknown"));
            }
            continue;
        };
        if seen.contains(&line.name()) {
            misses.push(miss("prices-paste-twice"));
            continue;
        }
        match put(words, line, price, cells.get(2).map_or("", String::as_str)) {
            Ok(()) => {
                seen.push(line.name());
                filled += 1;
            }
            Err(key) => misses.push(miss(key)),
        }
    }
    (filled, misses)
}

fn put(words: Words, line: &mut PriceRow, price: &str, upper: &str) -> Result<(), &'static str> {
    let key = |fault: Fault| fault.key();
    let mut span = match line.fields.first() {
        None => return Err("prices-paste-refused"),
        Some(field) if field.column.starts_with("price") => amount::span(price, "price").map_err(key)?,
        Some(field) => amount::span(price, field.column).map_err(key)?,
    };
    if !upper.is_empty() {
        span.to = amount::number(upper).map_err(key)?;
        if span.from > span.to {
            return Err(Fault::Crossed.key());
        }
    }
    for field in &mut line.fields {
        let part = match field.column {
            "price_from" => Span::one(span.from),
            "price_to" => Span::one(span.to),
            _ => span,
        };
        field.put(words, part);
    }
    Ok(())
}

fn is_named(business: &Business, line: &PriceRow, name: &str) -> bool {
    let is_name = |code: &str| business.row_name(line.resource, &line.code, code).to_lowercase() == name.to_lowercase();
    line.code.eq_ignore_ascii_case(name) || ["en", "fr"].into_iter().any(is_name)
}

/// The cells of a line without quotation marks. Tabs separate the cells. In a line without tabs, semicolons separate
/// the cells. In a line without tabs and semicolons, only the first comma is a separator.
fn cells(row: &str) -> Vec<String> {
    let cells: Vec<&str> = if row.contains('\t') {
        row.split('\t').collect()
    } else if row.contains(';') {
        row.split(';').collect()
    } else if let Some((code, rest)) = row.split_once(',') {
        vec![code, rest]
    } else {
        vec![row]
    };
    let plain = |cell: &str| cell.trim().trim_matches('"').trim().to_owned();
    cells.into_iter().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_of_a_line_are_found() {
        assert_eq!(cells("camera\t350,00\t400,00"), ["camera", "350,00", "400,00"]);
        assert_eq!(cells("\"camera\";\"350,00\""), ["camera", "350,00"]);
        assert_eq!(cells("camera,350.00"), ["camera", "350.00"]);
        assert_eq!(cells("camera"), ["camera"]);
    }
}
