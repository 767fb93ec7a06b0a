//! Masks phone numbers.
//!
//! [`mask_phone`] masks a value that is a phone number. [`scrub`] masks every part of a text that may be a phone
//! number. Both functions leave enough digits to distinguish two callers in a log. [`shapes`] recognizes runs of digits
//! that are not phone numbers.

mod shapes;

use shapes::RunPart;

/// Minimum number of digits of a phone number: a local number has seven.
const MIN_DIGITS: usize = 7;
/// If a run contains a price or a time, its other digits are masked only if there are at least this many. This number
/// is smaller than [`MIN_DIGITS`], because the price or time may be the beginning of a phone number (`06:12 34 56 78`).
const MIN_DIGITS_BESIDE_SHAPE: usize = 6;
/// Number of digits of a complete phone number in North America, without and with the country code.
const WHOLE_NUMBER: std::ops::RangeInclusive<usize> = 10..=11;

/// Masks `+15145550101` as `+1514***0101`. A number with fewer than nine digits is hidden completely.
#[must_use]
pub fn mask_phone(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(|c| c.is_numeric()).collect();
    if digits.len() < 9 {
        return "***".to_owned();
    }
    let plus = if number.trim_start().starts_with('+') { "+" } else { "" };
    // Show at most four leading digits, and hide at least three digits before the last four.
    let head: String = digits.iter().take(4.min(digits.len() - 7)).collect();
    let tail: String = digits.iter().skip(digits.len() - 4).collect();
    format!("{plus}{head}***{tail}")
}

/// Masks every run of at least seven digits. A run consists of digits of any script, and continues up to the next
/// letter. The function skips prices, dates, times, percentages, street addresses, references and technical ids.
/// Masking a masked text changes nothing.
#[must_use]
pub fn scrub(text: &str) -> String {
    if text.chars().filter(|c| c.is_numeric()).count() < MIN_DIGITS {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        if let Some(end) = shapes::identifier(&chars, at) {
            out.extend(&chars[at..end]);
            at = end;
        } else if c.is_numeric() {
            let end = run_end(&chars, at);
            mask_run(&chars, at, end, &mut out);
            at = end;
        } else {
            out.push(*c);
            at += 1;
        }
    }
    out
}

/// The end of the run that begins at `start`: the position after the last digit before a letter or an identifier.
fn run_end(chars: &[char], start: usize) -> usize {
    let mut end = start;
    for (at, c) in chars.iter().enumerate().skip(start) {
        if c.is_numeric() && (at == start || shapes::identifier(chars, at).is_none()) {
            end = at + 1;
        } else if c.is_alphanumeric() {
            break;
        }
    }
    end
}

fn digits_in(chars: &[char]) -> usize {
    chars.iter().filter(|c| c.is_numeric()).count()
}

fn mask_run(chars: &[char], start: usize, end: usize, out: &mut String) {
    let run = &chars[start..end];
    let total = digits_in(run);
    if total < MIN_DIGITS {
        out.extend(run);
        return;
    }
    let shapes = shapes::all(chars, start, end);
    let recognised: usize = shapes
        .iter()
        .map(|shape| digits_in(&chars[shape.start..shape.end]))
        .sum();
    let left = total - recognised;
    // `514 555.01 01` is one phone number, although `514 555.01` looks like a price.
    let is_split = shapes.iter().all(RunPart::is_ambiguous) && left >= 2 && WHOLE_NUMBER.contains(&total);
    if shapes.is_empty() || is_split {
        out.push_str(&mask_phone(&run.iter().collect::<String>()));
        return;
    }
    if left < MIN_DIGITS_BESIDE_SHAPE {
        out.extend(run);
        return;
    }
    let mut at = start;
    for shape in &shapes {
        mask_piece(&chars[at..shape.start], out);
        out.extend(&chars[shape.start..shape.end]);
        at = shape.end;
    }
    mask_piece(&chars[at..end], out);
}

/// Masks the digits of `piece` as one phone number. The characters before the first digit and after the last digit
/// stay.
fn mask_piece(piece: &[char], out: &mut String) {
    let first = piece.iter().position(|c| c.is_numeric());
    let last = piece.iter().rposition(|c| c.is_numeric());
    let (Some(first), Some(last)) = (first, last) else {
        out.extend(piece);
        return;
    };
    out.extend(&piece[..first]);
    out.push_str(&mask_phone(&piece[first..=last].iter().collect::<String>()));
    out.extend(&piece[last + 1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_number_is_hidden() {
        assert_eq!(mask_phone("+15145550101"), "+1514***0101");
        assert_eq!(mask_phone("514 555-0101"), "514***0101");
        assert_eq!(mask_phone("911"), "***");
        assert_eq!(mask_phone("numéro"), "***");
    }

    #[test]
    fn numbers_inside_a_text_are_masked_and_the_rest_stays() {
        assert_eq!(
            scrub("sent to +1 (514) 555-0101, code 21211."),
            "sent to +1514***0101, code 21211."
        );
        assert_eq!(scrub("invalid input \"5145550101\""), "invalid input \"514***0101\"");
        assert_eq!(scrub("line 12, column 7"), "line 12, column 7");
    }

    /// Tries many separators between the digits, many groupings, and the digits of several scripts.
    #[test]
    fn a_number_is_masked_however_it_is_written() {
        let separators = [
            "",
            " ",
            "-",
            ".",
            "/",
            "_",
            "\u{a0}",
            "\u{202f}",
            "\u{2011}",
            "\u{2013}",
            "\u{2014}",
            "\u{2212}",
            " / ",
            ")",
            ",",
            ";",
            ":",
            "|",
            "*",
            "***",
            "~",
            "\t",
            "\n",
            "\r\n",
            "\u{200b}",
            "\u{200d}",
            "\u{feff}",
            "\\",
            "·",
            "•",
            "…",
            "=",
            "#",
            "'",
            "\"",
            "📞",
            "\u{fe0f}\u{20e3}",
            ", ",
            " - ",
            ". ",
            "__",
            "½",
        ];
        let groupings: [&[usize]; 8] = [
            &[10],
            &[3, 3, 4],
            &[3, 7],
            &[6, 4],
            &[2, 2, 2, 2, 2],
            &[1; 10],
            &[5, 5],
            &[4, 3, 3],
        ];
        let zeros = [
            '0',
            '\u{ff10}',
            '\u{660}',
            '\u{6f0}',
            '\u{966}',
            '\u{1d7d8}',
            '\u{1d7ce}',
        ];
        let shown = |digits: &str| -> String {
            let digit = |c: char| {
                zeros
                    .iter()
                    .find_map(|zero| (u32::from(c)).checked_sub(u32::from(*zero)).filter(|n| *n < 10))
            };
            digits.chars().filter_map(digit).map(|n| n.to_string()).collect()
        };
        for zero in zeros {
            for separator in separators {
                for grouping in groupings {
                    for number in ["5149998888", "0612345678", "1234567890", "4385550101"] {
                        let script = |c: char| char::from_u32(u32::from(zero) + u32::from(c) - u32::from('0')).unwrap();
                        let digits: Vec<char> = number.chars().map(script).collect();
                        let mut rest = &digits[..];
                        let mut groups = Vec::new();
                        for length in grouping {
                            let (group, after) = rest.split_at(*length);
                            groups.push(group.iter().collect::<String>());
                            rest = after;
                        }
                        let written = groups.join(separator);
                        for text in [
                            written.clone(),
                            format!("appelez {written} svp"),
                            format!("+1 {written}"),
                        ] {
                            let masked = scrub(&text);
                            assert!(!shown(&masked).contains(number), "{text:?} is shown as {masked:?}");
                            assert_eq!(scrub(&masked), masked, "{text:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_local_number_is_masked_too() {
        for text in [
            "555-0101",
            "5550101",
            "555 01 01",
            "poste 555.0101",
            "apt 555-0101 demain",
        ] {
            assert!(digits_in(&scrub(text).chars().collect::<Vec<_>>()) < 7, "{text}");
        }
    }

    /// Texts that owners often write and that are not phone numbers.
    #[test]
    fn prices_dates_references_and_addresses_stay() {
        for text in [
            "350.00-1000.00",
            "350.00 - 1000.00",
            "350.00–1000.00 CAD",
            "$350.00-$1,000.00",
            "$350-1000",
            "$ 350 – $ 1,000",
            "350-1000 $",
            "350 à 1000 $",
            "1 250,00 $ – 12 500,00 $",
            "1\u{202f}250,00\u{a0}$",
            "12,500.00",
            "5 000 000 $",
            "350.00 + 24.50 = 374.50",
            "350.00 × 1.5 = 525.00, 14.975 %",
            "175.00 (9.975 %) 52.36",
            "2026-11-24",
            "2026-11-24 15:02",
            "2026-11-24T15:02:00.123456Z",
            "2026-11-24T15:02:00-05:00",
            "2026-11-24/2026-11-30",
            "24/11/2026 - 30/11/2026",
            "11/24/2026, 8:00-18:00",
            "08:00-12:00, 13:00-17:00",
            "Lun. 08:00-18:00 / 08:00-18:00 / 09:00-12:00",
            "RB-234567",
            "RB-7K2M4Q 24/11/2026",
            "1 RB-234567, 2 RB-765432",
            "01937c4e-6f00-7000-8000-000000000001",
            "12 01937c4e-6f00-7000-8000-000000000001",
            "SM01234567c9abcdef01234567c9abcdef",
            "4521 5e Avenue, app. 4, Montréal (Québec) H2S 1Z6",
            "1200-1210 rue Sainte-Catherine Ouest",
            "101-1200, rue Saint-Denis, H2X 3K8",
            "10235 101 St NW, Edmonton",
            "4-10235 101 Street NW",
            "1200 Main St, Burlington, VT 05401-1234",
            "P1 · 4521 rue Fabre · 350.00-450.00 CAD · RB-234567",
            "+1514***0101",
            "514***0101 / 514***0102",
        ] {
            assert_eq!(scrub(text), text);
        }
        // A phone number beside a price, date, reference or address is still masked.
        for (text, masked) in [
            ("514-555-0101 350.00-1000.00", "514***0101 350.00-1000.00"),
            ("2026-11-24 15:02 5145550101", "2026-11-24 15:02 514***0101"),
            ("06:12 34 56 78", "061***5678"),
            ("514 555.01 01", "514***0101"),
            ("RB-234567 514-555-0101", "RB-234567 514***0101"),
            ("514-555-0101, 1200 rue Fabre", "5145***1200 rue Fabre"),
        ] {
            assert_eq!(scrub(text), masked);
        }
    }
}
