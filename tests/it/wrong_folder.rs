//! Runs commands in a folder in which no server was ever started. The commands report this and change nothing.

use std::process::{Command, Output};

fn run(folder: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringbook"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("RINGBOOK_SPOOL_SIZE_MB", "0")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_command_that_reads_makes_no_database_and_names_the_one_it_misses() {
    let commands: [&[&str]; 12] = [
        &["audit", "verify", "--quiet"],
        &["backup", "--quiet"],
        &["backtest", "--revision", "1"],
        &["replay"],
        &["reconcile", "--since", "24h", "--dry-run"],
        &["migrate", "status"],
        &["migrate", "down", "1"],
        &["rules", "export", "out"],
        &["rules", "export", "--csv", "out.csv", "--resource", "services"],
        &["rules", "diff", "1", "2"],
        &["rules", "publish", "01900000-0000-7000-8000-000000000000", "--yes"],
        &["doctor", "--json"],
    ];
    let folder = tempfile::tempdir().unwrap();
    let left = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    let check = |there: &[&str]| {
        for arguments in commands {
            let output = run(folder.path(), arguments);
            let told = String::from_utf8_lossy(&output.stderr);
            if arguments[0] != "doctor" {
                assert!(!output.status.success(), "{arguments:?}");
                let file = folder.path().join("ringbook.db");
                assert!(told.contains(file.to_str().unwrap()), "{arguments:?}: {told}");
            }
            assert_eq!(left(), there, "{arguments:?}");
        }
    };
    check(&[]);
    // An empty file is not a database either.
    std::fs::write(folder.path().join("ringbook.db"), "").unwrap();
    let size = || folder.path().join("ringbook.db").metadata().unwrap().len();
    for arguments in commands.iter().filter(|arguments| arguments[0] != "doctor") {
        let output = run(folder.path(), arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && told.contains("ringbook.db"),
            "{arguments:?}: {told}"
        );
        assert!(!folder.path().join("out").exists(), "{arguments:?}");
        assert_eq!(size(), 0, "{arguments:?}");
    }
}
