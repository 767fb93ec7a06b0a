use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::rows::{Case, Contact, Row, RowSet, Script, Service, StoredRow};
use crate::{Fault, sample};

/// Adds rows of one resource to a set.
fn put<R: Row>(rows: &mut RowSet, given: impl IntoIterator<Item = serde_json::Value>) {
    for row in given {
        let row: R = serde_json::from_value(row).unwrap();
        let stored = StoredRow {
            version: 0,
            row: row.clone(),
        };
        R::table_mut(rows).insert(row.code().to_owned(), Arc::new(stored));
    }
}

fn contact(code: &str, name: &str) -> serde_json::Value {
    json!({"code": code, "name": name, "phone": "+15145550101", "language": "fr", "rank": 1, "on_call": true})
}

#[test]
fn what_is_written_reads_back_the_same() {
    let rows = sample::rows();
    let files = write(&rows);
    let again = parse(&files).unwrap();
    assert_eq!(again, rows);
    assert_eq!(write(&again), files);
}

#[test]
fn a_folder_holds_a_rulebook() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = sample::rows();
    write_folder(&rows, folder.path()).unwrap();
    assert_eq!(read_folder(folder.path()).unwrap(), rows);
    assert_eq!(write_folder(&rows, folder.path()).unwrap(), WriteSummary::default());
    rows.scripts.clear();
    rows.taxes.clear();
    let written = write_folder(&rows, folder.path()).unwrap();
    assert!(written.removed.contains(&"taxes.toml".to_owned()), "{written:?}");
    assert_eq!(read_folder(folder.path()).unwrap(), rows);
    assert!(read_folder(&folder.path().join("nowhere")).is_err());
}

fn files(texts: &[(&str, &str)]) -> Files {
    texts
        .iter()
        .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn every_fault_names_its_file_line_and_column() {
    let taxes = "# a\n[tps]\nnames = { en = \"GST\" }\nrank = 1\nrate = 5.0\n\n[tvq]\nnames = { en = \"QST\" }\nrank = 2\nrat = \"1\"\n\n\
                 [eco]\ncode = \"eco\"\n\n[none]\nrank = 1\n";
    let faults = parse(&files(&[
        ("taxes.toml", taxes),
        ("contacts.toml", "[a\n"),
        ("tax.toml", ""),
        ("scripts/lost.rhai", ""),
        (
            "scripts.toml",
            "\n[gone]\nhook = \"price\"\nrank = 1\n\n[last]\nhook = \"prise\"\nrank = 1\n",
        ),
        ("scripts/last.rhai", ""),
        ("services.toml", "camera = 1\n"),
    ]))
    .unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let expected = [
        "services.toml:1:10: expected a table",
        "taxes.toml:5:8: ",
        "taxes.toml:10:1: unknown field `rat`, expected one of `code`, `names`, `rank`, `rate`; did you mean `rate`?",
        "taxes.toml:13:1: the row's code is the name of its table",
        "taxes.toml:15:1: missing field `names`",
        "scripts.toml:2:2: the script `gone` has no file scripts/gone.rhai",
        "scripts.toml:7:8: unknown variant `prise`, expected one of `price`, `priority`, `tool`, `library`; did you mean `price`?",
        "contacts.toml:1:3: ",
        "scripts/lost.rhai: no row in scripts.toml has the code `lost`; did you mean `last`?",
        "tax.toml: this file belongs to no resource; did you mean `taxes.toml`?",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} is not {expected}");
    }
}

const WRITTEN_BY_HAND: &str = r#"# Who answers.
# Keep this in the order of seniority.

# Zoé founded the firm.
[zoe]
name = "Zoé"   # with an accent
phone = '+15145550101'
# She reads both.
language = "fr"
rank = 1
on_call = true
# (until May)

# Max came in 2020.
[max]
on_call = true
name = "Max"
phone = "+15145550102"
language = "fr"
rank = 2

# Nobody knows Bob.
[bob]
name = "Bob"
phone = "+15145550103"
language = "fr"
rank = 3
on_call = true
"#;

#[test]
fn an_export_touches_only_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("contacts.toml");
    std::fs::write(&path, WRITTEN_BY_HAND).unwrap();
    let mut rows = read_folder(folder.path()).unwrap();
    assert_eq!(write_folder(&rows, folder.path()).unwrap(), WriteSummary::default());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), WRITTEN_BY_HAND);

    let mut zoe = contact("zoe", "Zoé T.");
    zoe["language"] = json!("en");
    put::<Contact>(&mut rows, [zoe, contact("amy", "Amy")]);
    rows.contacts.remove("bob");
    let written = write_folder(&rows, folder.path()).unwrap();
    let changed = ["contacts.toml".to_owned()];
    assert_eq!((&written.changed[..], written.rewritten.len()), (&changed[..], 0));
    let expected = WRITTEN_BY_HAND
        .replace("\"Zoé\"   # with", "\"Zoé T.\"   # with")
        .replacen("language = \"fr\"", "language = \"en\"", 1);
    let (kept, _) = expected.split_once("# Nobody").unwrap();
    let amy = "[amy]\nname = \"Amy\"\nphone = \"+15145550101\"\nlanguage = \"fr\"\nrank = 1\non_call = true\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{kept}{amy}"));
    assert_eq!(read_folder(folder.path()).unwrap(), rows);
}

#[test]
fn a_list_with_an_item_a_line_keeps_the_comments_beside_its_items() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("services.toml");
    let text = "[camera]\nnames = {}\nkeywords = [ # what they say\n    \"camera\", # English\n    # all forms\n    \"caméra*\"\n    \
                # the end\n]\nrank = 1 # first\noffer = \"offered\"\n";
    std::fs::write(&path, text).unwrap();
    let mut rows = read_folder(folder.path()).unwrap();
    let keywords = ["caméra*", "cam", "camera"];
    let row = json!({"code": "camera", "names": {}, "keywords": keywords, "rank": 1, "offer": "offered"});
    put::<Service>(&mut rows, [row]);
    write_folder(&rows, folder.path()).unwrap();
    let expected = "[camera]\nnames = {}\nkeywords = [ # what they say\n    # all forms\n    \"caméra*\",\n    \"cam\",\n    \
                    \"camera\", # English\n    # the end\n]\nrank = 1 # first\noffer = \"offered\"\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn a_layout_that_cannot_be_kept_is_written_anew_and_a_file_that_is_no_toml_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("contacts.toml");
    let inline =
        "zoe = { name = \"Zoé\", phone = \"+15145550101\", language = \"fr\", rank = 1, on_call = true } # all\n";
    std::fs::write(&path, inline).unwrap();
    let mut rows = read_folder(folder.path()).unwrap();
    put::<Contact>(&mut rows, [contact("amy", "Amy")]);
    let written = write_folder(&rows, folder.path()).unwrap();
    assert_eq!(written.rewritten, ["contacts.toml"]);
    assert_eq!(read_folder(folder.path()).unwrap(), rows);
    std::fs::write(&path, "[zoe\n").unwrap();
    let faults = write_folder(&rows, folder.path()).unwrap_err();
    assert!(faults[0].to_string().starts_with("contacts.toml:1:5: "), "{faults:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "[zoe\n");
}

/// Strings that are difficult for TOML.
fn awkward() -> impl Strategy<Value = String> {
    let parts = [
        "a", "é", "\"", "'", "'''", "\"\"\"", "\\", "\n", "\r\n", "\t", " ", "#", "=", "[x]", "\u{7f}", "\u{85}",
        "\u{1b}", "null", "😀", "\u{feff}", ".", ",",
    ];
    prop::collection::vec(prop::sample::select(parts.to_vec()), 0..6).prop_map(|parts| parts.concat())
}

prop_compose! {
    fn service()(
        fr in awkward(), reason in awkward(), keywords in prop::collection::vec(awkward(), 0..4), rank in 0..3i64,
        fact in prop::option::of(awkward()), working in any::<bool>(), price in prop::option::of(0i64..999_999),
    ) -> serde_json::Value {
        let price = price.map(|price| crate::money::Money::from_minor(price).to_string());
        json!({
            "names": {"fr": fr, "en": "x"}, "keywords": keywords, "rank": rank, "offer": "offered",
            "reason": if reason.is_empty() { json!({}) } else { json!({"fr": reason}) }, "quantity_fact": fact,
            "lead_working_days": working, "price_from": price,
        })
    }
}

prop_compose! {
    fn case()(said in awkward(), expect in prop::collection::btree_map(awkward(), value(), 0..4)) -> serde_json::Value {
        json!({"at": "2026-11-24T15:00:00Z", "said": said, "facts": {}, "expect": expect})
    }
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<i32>().prop_map(|number| json!(f64::from(number) / 8.0)),
        awkward().prop_map(Into::into),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            prop::collection::btree_map(awkward(), inner, 0..3).prop_map(|entries| json!(entries)),
        ]
    })
}

/// Up to three rows with different codes.
fn several(row: impl Strategy<Value = serde_json::Value>) -> impl Strategy<Value = Vec<serde_json::Value>> {
    prop::collection::btree_map("[a-d]", row, 0..4).prop_map(|rows| {
        let coded = rows.into_iter().map(|(code, mut row)| {
            row["code"] = code.into();
            row
        });
        coded.collect()
    })
}

fn set(services: Vec<serde_json::Value>, cases: Vec<serde_json::Value>, script: &str) -> RowSet {
    let mut rows = RowSet::default();
    put::<Service>(&mut rows, services);
    put::<Case>(&mut rows, cases);
    put::<Script>(
        &mut rows,
        [json!({"code": "s", "hook": "price", "rank": 1, "source": script})],
    );
    rows
}

proptest! {
    #[test]
    fn any_rows_are_read_back_from_the_bytes_they_are_written_to(
        services in several(service()), cases in several(case()), script in awkward()
    ) {
        let rows = set(services, cases, &script);
        let files = write(&rows);
        let again = parse(&files).map_err(|faults| TestCaseError::fail(format!("{faults:?} {files:?}")))?;
        prop_assert_eq!(&again, &rows);
        prop_assert_eq!(write(&again), files);
    }

    #[test]
    fn a_folder_brought_from_any_rows_to_others_is_as_if_written_anew(
        before in several(service()), after in several(service()), cases in several(case()), others in several(case())
    ) {
        let folder = tempfile::tempdir().unwrap();
        write_folder(&set(before, cases, "a"), folder.path()).unwrap();
        let rows = set(after, others, "b");
        let written = write_folder(&rows, folder.path()).unwrap();
        prop_assert_eq!(written.rewritten, Vec::<String>::new());
        prop_assert_eq!(read_texts(folder.path()).unwrap(), write(&rows));
    }
}

/// A folder may come from an untrusted source: links, endless files and special files are reported, and the read never
/// blocks.
#[test]
fn a_hostile_folder_is_refused_soon() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("scripts")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("services.toml")).status();
    assert!(made.is_ok_and(|status| status.success()));
    std::os::unix::fs::symlink("/dev/zero", at("areas.toml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at("scripts/a.rhai")).unwrap();
    std::fs::create_dir(at("taxes.toml")).unwrap();
    let faults = read_texts(folder.path()).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(
        told.iter().filter(|fault| fault.contains("it is a link")).count() == 2,
        "{told:?}"
    );
    assert!(
        told.iter().filter(|fault| fault.contains("not a regular file")).count() == 2,
        "{told:?}"
    );
    let linked = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc", linked.path().join("scripts")).unwrap();
    assert!(
        read_texts(linked.path()).unwrap_err()[0]
            .to_string()
            .contains("it is a link")
    );
}

/// Parses a hundred thousand tables with one error each. Each file is parsed once, and the number of reported errors is
/// limited.
#[test]
fn very_many_tables_are_told_soon() {
    let began = std::time::Instant::now();
    let tables = |count: usize, row: &str| (0..count).map(|n| format!("[t{n}]\n{row}\n")).collect::<String>();
    let files = Files::from([("taxes.toml".to_owned(), tables(100_000, "rank = 1"))]);
    let faults = parse(&files).unwrap_err();
    assert!(
        faults.len() == 1 && faults[0].text.contains("100000 rows"),
        "{faults:?}"
    );
    let files = Files::from([("taxes.toml".to_owned(), tables(9_000, "rank = 1"))]);
    assert_eq!(parse(&files).unwrap_err().len(), 1_000);
    let places = Places::of(&files);
    for n in 0..1_000 {
        let fault = Fault {
            resource: Resource::Taxes,
            code: format!("t{n}"),
            column: "rate".to_owned(),
            line: None,
            position: None,
            problem: "x",
            text: "x".to_owned(),
        };
        assert_eq!(places.locate(&fault).line, Some(2 * n + 1));
    }
    assert!(
        began.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}
