use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::change_set::{Edit, ExpectedVersion, applied};
use rules::rows::{Case, Contact, FactMapping, Resource, RowSet, Service, StoredRow, Tax, with_row};
use rules::sample;

fn with<R: Row>(rows: &mut RowSet, row: Value) {
    let row: R = serde_json::from_value(row).unwrap();
    let stored = StoredRow {
        version: 3,
        row: row.clone(),
    };
    R::table_mut(rows).insert(row.code().to_owned(), Arc::new(stored));
}

/// Writes a sheet, and reads it into the same rows and into an empty rulebook.
fn survives<R: Row + Type>(rows: &RowSet) {
    let text = write::<R>(rows).unwrap();
    assert_eq!(
        read::<R>(text.as_bytes(), rows, Missing::DeletedAsOf(1)).unwrap(),
        [],
        "{text}"
    );
    let bare = text.replace(",3\r\n", ",\r\n").replace(",0\r\n", ",\r\n");
    let edits = read::<R>(bare.as_bytes(), &RowSet::default(), Missing::Stay).unwrap();
    let made = applied(&RowSet::default(), 1, &edits);
    let bare = |rows: &RowSet| -> Vec<R> { R::table(rows).values().map(|stored| stored.row.clone()).collect() };
    assert!(bare(&made.rows) == bare(rows), "{text}");
    let again = write::<R>(&made.rows).unwrap();
    let lines = |text: &str| {
        text.replace(",3\r\n", "\r\n")
            .replace(",1\r\n", "\r\n")
            .replace(",0\r\n", "\r\n")
    };
    assert_eq!(lines(&again).lines().count(), lines(&text).lines().count());
}

#[test]
fn the_sample_goes_out_and_comes_back() {
    for resource in Resource::ALL {
        with_row!(*resource, R => survives::<R>(&sample::rows()));
    }
}

#[test]
fn a_price_list_reads_as_one() {
    let mut rows = sample::rows();
    rows.services.retain(|code, _| code == "french_drain");
    for stored in rows.services.values_mut() {
        let words = ["drain français", "drains|drain français", "french drain*"];
        Arc::make_mut(stored).row.keywords = words.map(str::to_owned).into();
    }
    with::<Contact>(
        &mut rows,
        json!({"code": "a", "name": "=1+1", "phone": "+15145550101", "language": "fr", "rank": 1, "on_call": true}),
    );
    let text = write::<Service>(&rows).unwrap();
    let mut lines = text.trim_start_matches('\u{feff}').split("\r\n");
    assert_eq!(
        lines.next().unwrap(),
        "code,names.en,names.fr,keywords,weak_keywords,rank,offer,price_from,price_to,quantity_fact,unit.en,unit.fr,lead_days_min,\
         lead_days_max,lead_working_days,reason.en,reason.fr,notify,version"
    );
    assert_eq!(
        lines.next().unwrap(),
        "french_drain,French drain,Drain français,drain français | drains|drain français | french drain*,,21,offered,500.00,800.00,\
         metres,per metre,le mètre,7,21,false,,,,0"
    );
    let contacts = write::<Contact>(&rows).unwrap();
    assert!(
        contacts.contains("a,'=1+1,'+15145550101,fr,1,true,,,,3\r\n"),
        "{contacts}"
    );
    survives::<Contact>(&rows);
}

/// The test covers every character that may end a cell. A spreadsheet set to French splits at `;`, and then quotes
/// protect neither commas nor line breaks.
#[test]
fn no_cell_begins_a_formula_in_any_spreadsheet() {
    let hostile = [
        "=1+1",
        "\n=1",
        "\r\n =1",
        "\t=1",
        " =1",
        "\u{a0}+1",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "x;=cmd|' /C calc'!A0",
        "x; =1",
        "x\n@y",
        "x\r\n-2",
        "x;＝1",
        "x;'=1",
        "x;'",
        "';=1",
        "x;;=1",
        "a\t+1",
        "'",
        "''=1",
    ];
    let mut rows = sample::rows();
    for (number, text) in hostile.iter().enumerate() {
        let code = format!("h{number}");
        let row =
            json!({"code": code, "name": text, "phone": "+15145550101", "language": "fr", "rank": 1, "on_call": true});
        with::<Contact>(&mut rows, row);
        let row = json!({"code": code, "names": {"en": text, "fr": "x"}, "keywords": ["a", format!("b{text}")], "rank": 100 + number,
            "offer": "offered"});
        with::<Service>(&mut rows, row);
    }
    survives::<Contact>(&rows);
    survives::<Service>(&rows);
    let ours = |cell: &str| cell.starts_with("'+1514") || cell.is_empty();
    for text in [write::<Contact>(&rows).unwrap(), write::<Service>(&rows).unwrap()] {
        let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let cells: Vec<String> = reader
            .records()
            .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let parted = text.split(['\r', '\n', ';', '\t']).map(str::to_owned);
        for cell in cells.into_iter().chain(parted).filter(|cell| !ours(cell)) {
            let first = cell.trim_start().chars().next();
            let is_sign = first.is_some_and(|c| "=+-@＝＋－＠".contains(c));
            assert!(!is_sign, "{cell:?}");
        }
    }
}

/// Reads a sheet of taxes into the sample, in which `tps` has version 0. Returns the edits or the errors.
fn taxes(text: &str) -> Result<Vec<Edit>, Vec<String>> {
    let faults = |faults: Vec<SheetFault>| faults.iter().map(ToString::to_string).collect();
    read::<Tax>(text.as_bytes(), &sample::rows(), Missing::Stay).map_err(faults)
}

#[test]
fn a_sheet_of_some_columns_changes_only_those_and_semicolons_are_taken() {
    for text in [
        "code,rate,version\ntps,6,0\n",
        "\u{feff}sep=;\r\ncode;rate;version\r\ntps;6;0\r\n;;\r\n",
        "rate\tcode\tversion\n6\ttps\t0",
        "code;rate;version;;\r\ntps;6;0;;\r\n;;;;\r\n",
        "code;;rate;version\r\ntps;;6 $;0;;;\r\n",
    ] {
        let edits = taxes(text).unwrap();
        let [Edit::Put { row, expected, .. }] = edits.as_slice() else {
            panic!("{edits:?}")
        };
        assert_eq!(
            (&row["rate"], *expected),
            (&json!("6"), ExpectedVersion::Version(0)),
            "{text}"
        );
        assert_eq!(
            row["names"],
            serde_json::to_value(&sample::rows().taxes["tps"].row.names).unwrap()
        );
    }
    let edits = taxes("code;rate;version\r\ntps;9,975;0\r\n").unwrap();
    let [Edit::Put { row, .. }] = edits.as_slice() else {
        panic!("{edits:?}")
    };
    assert_eq!(row["rate"], json!("9.975"), "a decimal comma");
    assert_eq!(taxes("code,names.fr,version\ntps,,0\n").unwrap().len(), 1);
    let missing = read::<Tax>(b"code\ntps\n", &sample::rows(), Missing::DeletedAsOf(1)).unwrap();
    assert!(
        matches!(missing.as_slice(), [Edit::Delete { code, .. }] if code == "tvq"),
        "{missing:?}"
    );
}

#[test]
fn every_fault_names_its_row_and_column() {
    for (text, expected) in [
        ("", "row 1, column code: the first row names the columns"),
        (
            "code,rates\n",
            "row 1, column rates: there is no such column; did you mean `rate`?",
        ),
        ("code,rate,rate\n", "row 1, column rate: there are two columns"),
        (
            "code,names\n",
            "row 1, column names: there is no such column; did you mean `names.fr`?",
        ),
        (
            "code,rate,version\ntps,\"5,5\",0\n",
            "row 2, column rate: a number has a point, not a comma: write 5.5 instead of 5,5",
        ),
        (
            "code;rate;version\ntps;1.350,50;0\n",
            "row 2, column rate: expected a number such as 1350.00",
        ),
        (
            "code;rate;;version\ntps;5;x;0\n",
            "row 2: cell 3 has content, but its column has no name",
        ),
        (
            "code,rate,version\ntps,5%,0\n",
            "row 2, column rate: expected a number with at most six decimals",
        ),
        (
            "code,rank,version\ntps,1.0,0\n",
            "row 2, column rank: expected a whole number",
        ),
        (
            "code,rate,version\n\ntps,6,\n",
            "row 2, column version: the row exists and would change",
        ),
        (
            "code,rate,version\ntps,6,7\n",
            "row 2, column version: somebody else changed the row: the sheet has version 7",
        ),
        (
            "code,rate,rank,version\neco,6,1,7\n",
            "row 2, column version: the row does not exist any more",
        ),
        (
            "code,rate,rank\neco,6,1\ntps,,1\n",
            "row 3, column rate: the cell is empty",
        ),
        (
            "code,rate\ntps,6,1\n",
            "row 2: expected 2 cells, as in the first row, not 3",
        ),
        ("code\ntps\ntps\n", "row 3, column code: `tps` is already in row 2"),
        ("code,rate\n,6\n", "row 2, column code: the row has no code"),
    ] {
        let faults = taxes(text).unwrap_err();
        assert!(faults[0].starts_with(expected), "{text}: {faults:?}");
    }
    let latin = read::<Tax>(b"code,names.fr\ntps,\xe9\n", &sample::rows(), Missing::Stay).unwrap_err();
    assert!(latin[0].row == 2 && latin[0].text.contains("UTF-8"), "{latin:?}");
    let offer = read::<Service>(
        b"code,offer,version\nfrench_drain,offred,0\n",
        &sample::rows(),
        Missing::Stay,
    )
    .unwrap_err();
    assert_eq!((offer[0].row, offer[0].column.as_str()), (2, "offer"));
    assert!(offer[0].text.contains("did you mean `offered`?"), "{offer:?}");
}

/// Strings that are difficult for spreadsheets.
fn awkward() -> impl Strategy<Value = String> {
    let parts = [
        "a", "é", "\"", "\"\"", "'", "=", "+", "-1", "@", "|", " | ", ",", ";", "\n", "\r\n", "\r", "\t", " ", "[",
        "]", "{", "\u{feff}", "sep=", "null", "\\",
    ];
    prop::collection::vec(prop::sample::select(parts.to_vec()), 0..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_texts_survive(
        names in prop::collection::btree_map("[a-z.]{1,3}", awkward(), 0..3), keywords in prop::collection::vec(awkward(), 0..4),
        fact in prop::option::of(awkward()), price in -99_999i64..99_999, working in any::<bool>(),
        values in prop::collection::btree_map(awkward(), prop::collection::vec(awkward(), 0..3), 0..3), said in awkward(),
    ) {
        let mut rows = RowSet::default();
        let price = rules::money::Money::from_minor(price).to_string();
        with::<Service>(&mut rows, json!({
            "code": "a", "names": names, "keywords": keywords, "rank": 1, "offer": "offered", "quantity_fact": fact,
            "price_from": price, "lead_working_days": working, "notify": keywords,
        }));
        with::<Service>(&mut rows, json!({"code": "b", "names": {}, "keywords": [], "rank": -1, "offer": "refused"}));
        let heads_fit = values.keys().all(|key| !key.is_empty() && key.trim() == key);
        if heads_fit {
            with::<FactMapping>(&mut rows, json!({
                "code": "f", "pointers": keywords, "kind": "text", "default_value": fact, "values": values,
            }));
        }
        with::<Case>(&mut rows, json!({
            "code": "c", "at": "2026-11-24T15:00:00Z", "said": said, "facts": {"a": said}, "expect": {"/price": null, "/a": [1.5, said]},
        }));
        survives::<Service>(&rows);
        survives::<FactMapping>(&rows);
        survives::<Case>(&rows);
    }
}
