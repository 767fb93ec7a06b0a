//! Tests that the sample compiles, that its cases pass, and that compile errors have a position in its files.

use super::files::{self, Files};
use super::{compile, sample};

/// Compiles the files, runs their cases and returns the number of cases.
fn pass(files: &Files) -> usize {
    let rows = files::parse(files).unwrap();
    let book = compile(1, &rows, None).unwrap_or_else(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    });
    let results = book.run_cases();
    let failed: Vec<_> = results
        .iter()
        .filter(|case| !case.passed)
        .map(|case| (&case.code, &case.mismatches))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    results.len()
}

#[test]
fn the_sample_compiles_and_its_cases_pass() {
    assert!(pass(&sample::files()) >= 30);
}

#[test]
fn the_sample_decides_to_the_cent() {
    let mut files = sample::files();
    files.insert(
        "cases.toml".to_owned(),
        include_str!("../../../tests/data/sample/cases.toml").to_owned(),
    );
    assert!(pass(&files) >= 30);
}

#[test]
fn a_fault_found_later_is_told_with_its_place_in_the_files() {
    let mut texts = sample::files();
    let text = "[far]\nnames = { en = \"Far\" }\nrank = 1\nkind = \"add\"\namount = \"1.00\"\n\
                condition = 'true && aera == \"x\"'\nservices = [\"camera_inspection\", \"camera\"]\n";
    texts.insert("adjustments.toml".to_owned(), text.to_owned());
    let script = "let a = 1;\nlet b = ;\n";
    texts.insert("scripts/spring_promotion.rhai".to_owned(), script.to_owned());
    let rows = files::parse(&texts).unwrap();
    let faults = compile(1, &rows, None).unwrap_err();
    let told: Vec<String> = faults
        .iter()
        .map(|fault| files::Places::of(&texts).locate(fault).to_string())
        .collect();
    for expected in [
        "adjustments.toml:6:22: far, condition: ",
        "scripts/spring_promotion.rhai:2:9: ",
    ] {
        assert!(
            told.iter().any(|told| told.starts_with(expected)),
            "{expected}: {told:#?}"
        );
    }
    assert!(told.iter().all(|told| told.contains(':')), "{told:#?}");
    let texts = sample::files();
    let case = files::Places::of(&texts).locate_case("camera_fr", "/service", "should be x");
    assert!(case.line.is_some_and(|line| line > 1), "{case:?}");
}
