//! Backs up a running database, and restores it.
//!
//! A backup is complete, verified and readable by its owner only. [`sqlite`] and [`postgres`] implement backups, and
//! [`files`] creates the files. Unsent SMS messages in a backup become dead letters ([`store::restore_guard`]), because
//! they may have been sent after the backup.

pub mod files;
pub mod postgres;
pub mod programs;
pub mod sqlite;

use std::path::PathBuf;

use sea_orm::DbErr;

use store::connect::ConnectError;
use store::migrate::MigrateError;

/// Why a backup or a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database does not exist.
    #[error("the database {} does not exist", .0.display())]
    NoDatabase(PathBuf),
    /// The folder of the file does not exist.
    #[error("the folder {} does not exist: create it, or set `--to` to a folder, which is created", .0.display())]
    NoFolder(PathBuf),
    #[error("{} exists already; a backup never overwrites a file", .0.display())]
    Exists(PathBuf),
    /// The file is not a backup of this kind of database.
    #[error("{} is not a backup of {expected} database", path.display())]
    OtherKind {
        path: PathBuf,
        /// The kind of database in DATABASE_URL.
        expected: &'static str,
    },
    #[error("{} is damaged: {fault}", path.display())]
    Damaged {
        path: PathBuf,
        /// The error message of the program or query that found the damage.
        fault: String,
    },
    /// The file contains no rulebook.
    #[error("{} is not a database of Ringbook", .0.display())]
    NotOurs(PathBuf),
    /// The target is not empty.
    #[error(
        "the database {0} is not empty: nothing was changed. `--force` keeps its content under another name and \
         restores the backup"
    )]
    NotEmpty(String),
    /// The target is in use.
    #[error("the database {0} is in use: stop every `ringbook` that works on it, then try again; nothing was changed")]
    InUse(String),
    /// A PostgreSQL program is missing.
    #[error(
        "PostgreSQL's {program} is neither in the PATH nor in /usr/lib/postgresql: install it, or run this on a machine that has it:\n  {command}"
    )]
    NoProgram {
        program: &'static str,
        /// The command line.
        command: String,
    },
    /// A PostgreSQL program failed.
    #[error("{program} failed: {said}")]
    Program {
        program: &'static str,
        /// The error output of the program.
        said: String,
    },
    #[error("{} cannot be used", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The schema is unknown to this program.
    #[error(transparent)]
    Schema(#[from] MigrateError),
    #[error("the database failed")]
    Database(#[from] DbErr),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupResult {
    pub file: PathBuf,
    pub bytes: u64,
    /// Number of SMS messages that were unsent when the backup was made.
    pub unsent_sms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreResult {
    /// The file or schema to which the previous content was moved.
    pub previous_content: Option<String>,
    /// Number of SMS messages that became dead letters, because they may have been sent after the backup.
    pub given_up: i64,
}

/// Reports progress: the number of bytes written, and the total number of bytes if it is known.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);
