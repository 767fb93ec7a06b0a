//! Rules about the structure of the source code that the compiler does not check. The Cargo.toml files define which
//! other crates a crate may use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Maximum number of files in an import cycle within a crate.
const LARGEST_CIRCLE: usize = 4;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the code of each file below `src` by its path, without test files, test modules and comments.
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
        let lines = code.lines().map(|line| line.split("//").next().unwrap());
        let mut before = "";
        let kept = lines.filter(|line| std::mem::replace(&mut before, line.trim()) != "#[cfg(test)]");
        let kept: Vec<&str> = kept.collect();
        Some((name, kept.join("\n")))
    });
    named.collect()
}

/// A task that is not spawned with `store::dry_run::spawn` would escape a dry run (`dry_run=true`) and commit.
#[test]
fn what_the_admin_api_does_in_a_task_stays_within_a_dry_run() {
    let leaves = ["admin/src/last_use.rs", "admin/src/watched_rulebooks.rs"];
    for (file, code) in sources() {
        let may = leaves.contains(&file.as_str())
            || !(file.starts_with("admin/") || file.starts_with("revisions/src/publish"));
        assert!(
            may || !code.contains("tokio::spawn("),
            "{file}: use store::dry_run::spawn"
        );
    }
}

/// Splits the path of a source file into the crate and the module path: `admin/src/change_sets/dto.rs` is `[admin,
/// change_sets, dto]`.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").replacen("/src/", "/", 1);
    let mut parts: Vec<String> = path.split('/').map(ToOwned::to_owned).collect();
    if ["mod", "lib", "main"].contains(&parts.last().unwrap().as_str()) {
        parts.pop();
    }
    parts
}

/// Returns every path in the code that begins with `crate` or `super`. A path with braces is expanded into several
/// paths.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let length = if length > 0 {
            length
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        if !token.trim().is_empty() {
            tokens.push(token);
        }
        rest = after;
    }
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let begins = at == 0 || tokens[at - 1] != "::";
        if begins && ["crate", "super"].contains(token) {
            spell(&tokens[at..], &[], &mut found);
        }
    }
    // `pub(crate)` is not an import.
    found.retain(|path| path.len() > 1);
    found
}

/// Expands the path at the beginning of `tokens`, and adds the result to `found`. Returns the number of tokens in the
/// path.
fn spell(tokens: &[&str], before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let (mut path, mut at) = (before.to_vec(), 0);
    loop {
        match tokens.get(at).copied() {
            Some("{") if at > 0 || !before.is_empty() => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at += spell(&tokens[at..], &path, found).max(1);
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            Some(name) if name.chars().all(|c| c.is_alphanumeric() || c == '_') => path.push(name.to_owned()),
            _ => break,
        }
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    found.push(path);
    at
}

/// Finds the file that a path in a module refers to: the longest prefix of the path that is a file.
fn target<'a>(path: &[String], from: &[String], files: &'a BTreeMap<Vec<String>, String>) -> Option<&'a String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let mut whole = if ups > 0 {
        from.get(..from.len().checked_sub(ups)?)?.to_vec()
    } else {
        from[..1].to_vec()
    };
    whole.extend(path[ups.max(1)..].iter().cloned());
    (1..=whole.len()).rev().find_map(|length| files.get(&whole[..length]))
}

/// Returns the files that a file imports directly or indirectly.
fn reached<'a>(from: &'a String, imports: &BTreeMap<&'a String, BTreeSet<&'a String>>) -> BTreeSet<&'a String> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for leads in &imports[file] {
            if seen.insert(*leads) {
                next.push(*leads);
            }
        }
    }
    seen
}

#[test]
fn few_files_of_a_crate_import_each_other_in_a_circle() {
    let sources = sources();
    let files: BTreeMap<Vec<String>, String> = sources.keys().map(|file| (module(file), file.clone())).collect();
    let mut imports: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for (file, code) in &sources {
        let from = module(file);
        let named = paths(code);
        let leads = named.iter().filter_map(|path| target(path, &from, &files));
        imports.insert(file, leads.filter(|leads| *leads != file).collect());
    }
    assert!(
        imports.values().map(BTreeSet::len).sum::<usize>() > 500,
        "too few imports were found"
    );
    let reaches: BTreeMap<&String, BTreeSet<&String>> =
        sources.keys().map(|file| (file, reached(file, &imports))).collect();
    for (file, reached) in &reaches {
        let circle: Vec<_> = reached
            .iter()
            .filter(|other| reaches[**other].contains(*file))
            .collect();
        assert!(
            circle.len() <= LARGEST_CIRCLE,
            "these files import each other in a cycle: {circle:#?}"
        );
    }
}
