//! Compares the OpenAPI document with that of the last release (openapi/released.json, written by `make released`). A
//! change that breaks clients needs a new major or minor version, and any change needs a line in CHANGELOG.md.
//!
//! The test uses no external tool. The tools that compare OpenAPI documents (oasdiff, openapi-changes) are Go programs,
//! and `make test` installs no Go programs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::too_many_lines, reason = "a table of cases is one list")]

mod breaking;
mod cases;
mod schemas;
mod statuses;

use serde_json::Value;

const CHANGELOG: &str = include_str!("../../CHANGELOG.md");

fn documents() -> (Value, Value) {
    let read = |text| whole(serde_json::from_str(text).unwrap());
    let released = read(include_str!("../../openapi/released.json"));
    (released, read(include_str!("../../openapi/ringbook.json")))
}

/// Returns the OpenAPI document with its shared parts inlined.
fn whole(mut document: Value) -> Value {
    let components = document["components"].clone();
    put_back(&mut document["paths"], &components);
    for item in document["paths"]
        .as_object_mut()
        .unwrap()
        .values_mut()
        .map(|item| item.as_object_mut().unwrap())
    {
        let Some(Value::Array(of_path)) = item.remove("parameters") else {
            continue;
        };
        for operation in item.values_mut() {
            let mut all = of_path.clone();
            all.extend(operation["parameters"].as_array().into_iter().flatten().cloned());
            operation["parameters"] = all.into();
        }
    }
    document
}

fn put_back(value: &mut Value, components: &Value) {
    const PARTS: [&str; 4] = ["/responses/", "/parameters/", "/headers/", "/links/"];
    let name = value.get("$ref").and_then(Value::as_str);
    let place = name.and_then(|name| name.strip_prefix("#/components"));
    if let Some(place) = place.filter(|place| PARTS.iter().any(|part| place.starts_with(part))) {
        *value = components.pointer(place).unwrap().clone();
    }
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| put_back(one, components)),
        Value::Object(all) => all.values_mut().for_each(|one| put_back(one, components)),
        _ => {}
    }
}

#[test]
fn what_breaks_clients_has_a_version_that_says_so() {
    let (released, now) = documents();
    let (was, is) = (version(&released), version(&now));
    let breaks = breaking::between(&released, &now);
    assert!(
        breaks.is_empty() || says_so(&was, &is),
        "this breaks clients of {was}:\n- {}\n\nRaise the version in Cargo.toml ({}). If {was} is not released yet, \
         `make released` writes openapi/released.json again.",
        breaks.join("\n- "),
        if was.starts_with("0.") {
            "the minor version, because the major version is 0"
        } else {
            "the major version"
        },
    );
}

#[test]
fn what_differs_is_in_the_changelog() {
    let (released, now) = documents();
    let unreleased = section("Unreleased").unwrap_or_else(|| panic!("CHANGELOG.md has no `## [Unreleased]`"));
    assert!(
        released == now || unreleased.lines().any(|line| line.starts_with("- ")),
        "the OpenAPI document differs from that of {}: describe the change under `## [Unreleased]` in CHANGELOG.md",
        version(&released)
    );
    assert!(
        section(&version(&released)).is_some(),
        "CHANGELOG.md has no section for {}, the version of openapi/released.json",
        version(&released)
    );
}

fn version(document: &Value) -> String {
    document["info"]["version"].as_str().unwrap().to_owned()
}

/// Returns the text below a version's heading.
fn section(version: &str) -> Option<&'static str> {
    let (_, rest) = CHANGELOG.split_once(&format!("\n## [{version}]"))?;
    Some(rest.split("\n## [").next().unwrap_or(rest))
}

/// Returns whether a version may break clients of the previous version. This requires a higher major version. While the
/// major version is 0, a higher minor version is enough.
fn says_so(was: &str, is: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        let plain = version.split(['-', '+']).next().unwrap_or(version);
        plain.split('.').map(|number| number.parse().unwrap()).collect()
    };
    let (was, is) = (numbers(was), numbers(is));
    is[0] > was[0] || (is[0] == 0 && was[0] == 0 && is[1] > was[1])
}

#[test]
fn a_version_says_so_by_the_right_number() {
    for (was, is, may) in [
        ("0.1.0", "0.1.0", false),
        ("0.1.0", "0.1.9", false),
        ("0.1.0", "0.2.0", true),
        ("0.9.0", "1.0.0", true),
        ("1.2.0", "1.3.0", false),
        ("1.2.0", "2.0.0-rc.1", true),
        ("2.0.0", "1.9.0", false),
    ] {
        assert_eq!(says_so(was, is), may, "{was} to {is}");
    }
}
