//! Runs `ringbook rules` as a person or a CI job does.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rules::rows::{RowSet, StoredRow};
use rules::{files, sample};

use crate::both;
use crate::support::{Database, database::TestDatabase};

both!(
    an_export_of_an_import_of_an_export_is_the_same_bytes,
    an_import_shows_what_changes_asks_and_opens_a_change_set,
    a_difference_is_told_and_answered_like_diff,
    a_sheet_goes_through_the_command_line,
);

/// A database and a working folder.
struct Desk {
    database: TestDatabase,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn new(kind: Database) -> Self {
        Self {
            database: TestDatabase::create(kind).await,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs the command without a terminal.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ringbook"))
            .arg("rules")
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("DATABASE_URL", &self.database.url)
            .env("RINGBOOK_SECRET_KEY", "01".repeat(32))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs the command, which must succeed. Returns its output.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", error(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the first occurrence of a string in a file.
    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file}: {text}");
        std::fs::write(self.path(file), text.replacen(from, to, 1)).unwrap();
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the sample with values that files could lose: quotes, line breaks, line endings, empty and absent values.
fn awkward() -> RowSet {
    fn change<R: Clone>(row: &mut Arc<StoredRow<R>>, change: impl FnOnce(&mut R)) {
        change(&mut Arc::make_mut(row).row);
    }
    let mut rows = sample::rows();
    for (number, contact) in rows.contacts.values_mut().enumerate() {
        let name = ["\"Zoé\" l'Œuf \\ 'x'", "\u{1f3a5}\tcaméra", " [x] # = \u{7f} '''", ""][number % 4];
        change(contact, |row| row.name = format!("a{name}"));
    }
    for (number, script) in rows.scripts.values_mut().enumerate() {
        change(script, |row| {
            row.source = match number {
                0 => row.source.trim_end().replace('\n', "\r\n"),
                _ => format!("{}\n\n", row.source),
            };
        });
    }
    let drain = rows.services.get_mut("french_drain").unwrap();
    change(drain, |row| row.price_to = Some("9999999999.99".parse().unwrap()));
    let refused = rows.services.get_mut("pool").unwrap();
    change(refused, |row| {
        row.reason.insert(
            "fr".to_owned(),
            "Non.\nVraiment « non » :\r\nl'\"été\" '''.\n".to_owned(),
        );
        row.reason.insert("en".to_owned(), "No.\n'Really' \\ no.\n".to_owned());
    });
    let case = rows.cases.values_mut().next().unwrap();
    change(case, |row| {
        row.expect.insert("/nowhere".to_owned(), serde_json::Value::Null);
        "null\n'''\\".clone_into(&mut row.comment);
    });
    rows
}

fn bytes(folder: &Path) -> files::Files {
    files::read_texts(folder).unwrap()
}

async fn an_export_of_an_import_of_an_export_is_the_same_bytes(kind: Database) {
    let (first, second) = (Desk::new(kind).await, Desk::new(kind).await);
    files::write_folder(&awkward(), &first.path("rules")).unwrap();
    let told = first.done(&["import", "rules", "--yes"]);
    assert!(told.contains("is new") && told.contains("revision 1"), "{told}");
    first.done(&["export", "out"]);
    assert_eq!(bytes(&first.path("out")), files::write(&awkward()));

    let out = first.path("out");
    second.done(&["import", out.to_str().unwrap(), "--yes"]);
    second.done(&["export", "again"]);
    assert_eq!(bytes(&second.path("again")), bytes(&out));
    let same = second.done(&["import", "again", "--yes", "--publish"]);
    assert!(
        same.contains("nothing changed: `default` stays at revision 1"),
        "{same}"
    );
    first.database.remove().await;
    second.database.remove().await;
}

async fn an_import_shows_what_changes_asks_and_opens_a_change_set(kind: Database) {
    let desk = Desk::new(kind).await;
    files::write_folder(&sample::rows(), &desk.path("rules")).unwrap();
    desk.done(&["import", "rules", "--yes"]);
    desk.edit(
        "rules/services.toml",
        "price_to = \"350.00\"",
        "price_to = \"420.00\" # dearer",
    );
    let alone = desk.run(&["import", "rules"]);
    assert!(
        !alone.status.success() && error(&alone).contains("--yes"),
        "{}",
        error(&alone)
    );
    let told = desk.done(&["import", "rules", "--yes"]);
    assert!(
        told.contains("\n-  price_to: 350.00\n+  price_to: 420.00\n\n1 row changed\n"),
        "{told}"
    );
    let id = told.split("rules publish ").nth(1).unwrap().trim();
    // Importing the same folder again returns the same change set and opens no second change set.
    let again = desk.done(&["import", "rules", "--yes"]);
    assert_eq!(again.split("rules publish ").nth(1).unwrap().trim(), id);
    desk.done(&["export", "head"]);
    assert!(
        !std::fs::read_to_string(desk.path("head/services.toml"))
            .unwrap()
            .contains("420.00")
    );
    let told = desk.done(&["publish", id, "--yes"]);
    assert!(told.contains("revision 2"), "{told}");
    let again = desk.run(&["publish", id, "--yes"]);
    assert!(!again.status.success(), "a change set was published twice");
    // The next export keeps the comment that is in the folder.
    desk.done(&["export", "rules"]);
    assert!(
        std::fs::read_to_string(desk.path("rules/services.toml"))
            .unwrap()
            .contains("\"420.00\" # dearer")
    );

    desk.edit(
        "rules/services.toml",
        "price_to = \"420.00\" # dearer",
        "prise_to = \"430.00\"",
    );
    let faulty = desk.run(&["publish", "rules", "--yes"]);
    let said = error(&faulty);
    assert!(
        !faulty.status.success() && said.contains("services.toml:") && said.contains("did you mean `price_to`?"),
        "{said}"
    );
    let checked = desk.run(&["check", "rules"]);
    assert!(!checked.status.success() && error(&checked).contains("services.toml:"));
    desk.edit("rules/services.toml", "prise_to", "price_to");
    assert!(desk.done(&["check", "rules"]).contains("cases pass"));
    assert!(desk.done(&["publish", "rules", "--yes"]).contains("revision 3"));
    desk.database.remove().await;
}

async fn a_difference_is_told_and_answered_like_diff(kind: Database) {
    let desk = Desk::new(kind).await;
    files::write_folder(&sample::rows(), &desk.path("rules")).unwrap();
    desk.done(&["import", "rules", "--yes"]);
    let answer = |arguments: &[&str]| {
        let output = desk.run(&[&["diff"], arguments].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(answer(&["rules"]), (Some(0), String::new()));
    desk.edit("rules/services.toml", "price_to = \"350.00\"", "price_to = \"420.00\"");
    let changed = "-  price_to: 350.00\n+  price_to: 420.00\n";
    let (code, told) = answer(&["rules"]);
    assert!(code == Some(1) && told.contains(changed), "{code:?} {told}");
    desk.done(&["publish", "rules", "--yes"]);
    assert_eq!(answer(&["rules"]).0, Some(0));
    for sides in [&["1", "2"][..], &["1"], &["1", "head"], &["1", "rules"]] {
        let (code, told) = answer(sides);
        assert!(code == Some(1) && told.contains(changed), "{sides:?} {code:?} {told}");
    }
    let (code, told) = answer(&["2", "1", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (code, told[0]["changes"][0]["after"].as_str()),
        (Some(1), Some("350.00"))
    );
    for trouble in [&["nowhere"][..], &["1", "9"], &["1", "--rulebook", "none"]] {
        assert_eq!(answer(trouble).0, Some(2), "{trouble:?}");
    }
    desk.done(&["export", "one", "--revision", "1"]);
    assert_eq!(answer(&["one", "1"]).0, Some(0));
    desk.database.remove().await;
}

async fn a_sheet_goes_through_the_command_line(kind: Database) {
    let desk = Desk::new(kind).await;
    files::write_folder(&sample::rows(), &desk.path("rules")).unwrap();
    desk.done(&["import", "rules", "--yes"]);
    let sheet = ["--csv", "prices.csv", "--resource", "services"];
    desk.done(&[&["export"], &sheet[..]].concat());
    let import = [&["import"], &sheet[..], &["--yes", "--publish"]].concat();
    assert!(desk.done(&import).contains("nothing changed"));
    desk.edit("prices.csv", "350.00,350.00", "350.00,420.00");
    assert!(desk.done(&import).contains("revision 2"));
    let stale = desk.run(&import);
    assert!(
        stale.status.success(),
        "a sheet with the current values must import without an error"
    );
    desk.edit("prices.csv", "350.00,420.00", "\"350,50\",420.00");
    let faulty = desk.run(&import);
    assert!(
        !faulty.status.success() && error(&faulty).contains("column price_from"),
        "{}",
        error(&faulty)
    );
    let unknown = desk.run(&["export", "--csv", "x.csv", "--resource", "service"]);
    assert!(
        error(&unknown).contains("did you mean `services`?"),
        "{}",
        error(&unknown)
    );
    desk.database.remove().await;
}
