//! Who may import whom: the tables of ARCHITECTURE.md, held against the source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Put things together, so they may import all.
const COMPOSERS: [&str; 7] = ["app", "bootstrap", "accounts", "first_start", "cli", "main", "lib"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the Markdown table whose first column has this heading.
fn table(heading: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {heading} |")))
        .skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let name = cells.next().unwrap().to_owned();
        let list = cells.next().unwrap_or_default().split(',').map(str::trim);
        (
            name,
            list.filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect(),
        )
    });
    cells.collect()
}

/// Every source file below `src` that is not test code, by its path there, without comments and test modules.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let (src, mut files) = (root().join("src"), Vec::new());
    walk(&src, &mut files);
    let named = files.into_iter().filter_map(|path| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        let is_source = Path::new(&name).extension().is_some_and(|ending| ending == "rs") && !name.contains("tests");
        let text = is_source.then(|| std::fs::read_to_string(&path).unwrap())?;
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
        Some((name, lines.join("\n")))
    });
    named.collect()
}

/// The crate's own modules that a file names after `crate::`, alone or in braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            continue;
        };
        let (mut depth, mut first) = (1, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => first.push(' '),
                _ if depth == 1 => first.push(c),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        found.extend(
            first
                .split_whitespace()
                .filter_map(|path| path.split("::").next())
                .map(ToOwned::to_owned),
        );
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn every_folder_imports_only_what_it_may() {
    let allowed = table("folder");
    assert!(allowed.len() > 10, "the table of folders was not found");
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let home = file.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        if COMPOSERS.contains(&home.as_str()) {
            continue;
        }
        let none = BTreeSet::new();
        let may = allowed.get(&home).unwrap_or(&none);
        let names = imports(&code);
        wrong.extend(
            names
                .into_iter()
                .filter(|name| *name != home && !may.contains(name))
                .map(|name| format!("{file} imports {name}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_message_path_and_the_pure_core_keep_their_doors() {
    for (file, code) in sources() {
        let names = imports(&code);
        if file.starts_with("webhook/") && names.contains("outbox") {
            assert!(
                ["webhook/transact.rs", "webhook/texts.rs"].contains(&file.as_str()),
                "{file} imports outbox"
            );
        }
        let doors = ["rulebook/current.rs", "rulebook/quarantine.rs"];
        if file.starts_with("rulebook/") && !doors.contains(&file.as_str()) && !file.starts_with("rulebook/publish") {
            let outside: Vec<_> = names.iter().filter(|name| *name != "rulebook").collect();
            assert!(outside.is_empty(), "{file}, of the pure core, imports {outside:?}");
        }
    }
}

/// A task that is begun otherwise would leave a trial (`dry_run=true`), and commit.
#[test]
fn what_the_admin_api_does_in_a_task_stays_within_a_trial() {
    let leaves = ["admin/last_use.rs"];
    for (file, code) in sources() {
        let may =
            leaves.contains(&file.as_str()) || !(file.starts_with("admin/") || file.starts_with("rulebook/publish"));
        assert!(
            may || !code.contains("tokio::spawn("),
            "{file}: use store::trial::spawn"
        );
    }
}

#[test]
fn few_doors_lead_to_each_guarded_crate() {
    let doors = table("crate");
    assert!(doors.len() > 8, "the table of crates was not found");
    let sources = sources();
    for (name, allowed) in doors {
        let uses = |code: &str| {
            let path = format!("{name}::");
            code.match_indices(&path)
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
        };
        let found: BTreeSet<String> = sources
            .iter()
            .filter(|(_, code)| uses(code))
            .map(|(file, _)| file.clone())
            .collect();
        assert_eq!(found, allowed, "the doors to {name}");
    }
}
