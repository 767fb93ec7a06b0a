//! Creates files for callers' data. Only the owner of such a file can read it. A new file never overwrites another
//! file, and is synced to disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::BackupError;

/// The format of a file. It is detected from the first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupFormat {
    /// A SQLite database.
    Sqlite,
    /// A PostgreSQL dump in the custom format.
    Postgres,
    Other,
}

/// Creates a new, empty file that only its owner can read.
pub fn make(path: &Path) -> Result<File, BackupError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|source| {
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            BackupError::Exists(path.to_owned())
        } else {
            failed(path)(source)
        }
    })
}

/// Returns `path` with `ending` appended to the file name.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Returns the path of a new backup. If `to` is an existing file, or has an extension and is not a folder, the path is
/// `to` itself. Otherwise `to` is a folder, which is created if it is missing. The backup is then a file in this
/// folder, with the time in its name. So the same `--to` works every night.
pub fn target(to: &Path, stamp: &str, ending: &str) -> Result<PathBuf, BackupError> {
    let slash = to.as_os_str().to_string_lossy().ends_with('/');
    let is_file = !slash && !to.is_dir() && (to.is_file() || to.extension().is_some());
    if is_file {
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(BackupError::NoFolder(folder.to_owned()));
        }
        return Ok(to.to_owned());
    }
    if !to.is_dir() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(to);
        made.map_err(failed(to))?;
    }
    Ok(to.join(format!("ringbook-backup-{stamp}.{ending}")))
}

/// Detects the format of a backup file.
pub fn kind(path: &Path) -> Result<BackupFormat, BackupError> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(failed(path))?;
    file.take(16).read_to_end(&mut head).map_err(failed(path))?;
    Ok(if head == b"SQLite format 3\0" {
        BackupFormat::Sqlite
    } else if head.starts_with(b"PGDMP") {
        BackupFormat::Postgres
    } else {
        BackupFormat::Other
    })
}

/// Syncs a file and its folder to disk.
pub fn keep(path: &Path) -> Result<(), BackupError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    for place in [path, folder] {
        let synced = File::open(place).and_then(|file| file.sync_all());
        synced.map_err(failed(place))?;
    }
    Ok(())
}

/// Renames a file. Fails if the new name exists.
pub fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    std::fs::rename(from, to).map_err(failed(to))
}

/// Returns the size of a file in bytes; 0 if the file does not exist.
#[must_use]
pub fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |file| file.len())
}

/// Deletes an incomplete file that we created, and SQLite's companion files.
pub fn discard(path: &Path) {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(beside(path, ending));
    }
}

pub fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_for_its_owner_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        make(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(make(&path), Err(BackupError::Exists(_))));
        std::fs::write(beside(&path, ".other"), "y").unwrap();
        assert!(matches!(
            rename(&beside(&path, ".other"), &path),
            Err(BackupError::Exists(_))
        ));
    }

    #[test]
    fn a_folder_gets_a_file_named_after_the_time_and_is_made_where_it_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |to: &Path, stamp: &str| target(to, stamp, "db").unwrap();
        for to in ["", "nightly", "a/b/", "with.dots/"].map(|name| folder.path().join(name)) {
            // The second night works like the first.
            for stamp in ["20261122T100000Z", "20261123T100000Z"] {
                assert_eq!(at(&to, stamp), to.join(format!("ringbook-backup-{stamp}.db")));
            }
        }
        let mode = folder.path().join("nightly").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(at(Path::new("here.db"), "x"), Path::new("here.db"));
        let nowhere = folder.path().join("no/such/x.db");
        let error = target(&nowhere, "x", "db").unwrap_err().to_string();
        assert!(error.contains("no/such"), "{error}");
        // An existing file is never overwritten, and never used as a folder.
        std::fs::write(folder.path().join("plain"), "x").unwrap();
        assert_eq!(at(&folder.path().join("plain"), "x"), folder.path().join("plain"));
    }
}
