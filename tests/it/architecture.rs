//! What the shape of the source promises and no compiler holds. Which crate may use which is said by their Cargo.toml.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
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

/// A task that is begun otherwise would leave a trial (`dry_run=true`), and commit.
#[test]
fn what_the_admin_api_does_in_a_task_stays_within_a_trial() {
    let leaves = ["admin/src/last_use.rs"];
    for (file, code) in sources() {
        let may = leaves.contains(&file.as_str())
            || !(file.starts_with("admin/") || file.starts_with("revisions/src/publish"));
        assert!(
            may || !code.contains("tokio::spawn("),
            "{file}: use store::trial::spawn"
        );
    }
}
