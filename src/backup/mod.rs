//! A database copied while it works, and brought back.
//!
//! In: the database's address and a file. Out: a backup that is whole, readable by its owner only, and checked; or the
//! database as it was. [`sqlite`] and [`postgres`] know how; [`files`] handles the files; what a backup had not yet texted
//! is given up ([`crate::store::restored`]), because nobody knows whether it was sent since.

pub mod files;
pub mod postgres;
pub mod programs;
pub mod sqlite;

use std::path::PathBuf;

use sea_orm::DbErr;

use crate::store::connect::ConnectError;
use crate::store::migrate::MigrateError;

/// Why there is no backup, or why nothing was brought back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("the database {} does not exist", .0.display())]
    NoDatabase(PathBuf),
    /// The folder of the file is not there.
    #[error("the folder {} does not exist; make it, or give a folder, which is made", .0.display())]
    NoFolder(PathBuf),
    /// A file would be overwritten.
    #[error("{} exists already; a backup overwrites nothing", .0.display())]
    Exists(PathBuf),
    /// The file is no backup of this kind of database.
    #[error("{} is not a backup of {expected} database", path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What DATABASE_URL names.
        expected: &'static str,
    },
    /// The copy is damaged.
    #[error("{} is damaged: {fault}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database's own check says.
        fault: String,
    },
    /// It holds no rulebook.
    #[error("{} is not a database of Ringbook's", .0.display())]
    NotOurs(PathBuf),
    /// The target holds something.
    #[error(
        "the database {0} is not empty: nothing was changed. `--force` puts what is there aside, under another name, and \
         brings the backup back"
    )]
    NotEmpty(String),
    /// The target is in use.
    #[error("the database {0} is in use: stop every `ringbook` that works on it, then try again; nothing was changed")]
    InUse(String),
    /// A program of PostgreSQL's is missing.
    #[error(
        "{program} of PostgreSQL is neither on the PATH nor in /usr/lib/postgresql: install it, or run on a machine that has it:\n  {command}"
    )]
    NoProgram {
        /// Which one.
        program: &'static str,
        /// What it is to be called with.
        command: String,
    },
    /// A program of PostgreSQL's failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which one.
        program: &'static str,
        /// Its own words.
        said: String,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The schema is not one that this program knows.
    #[error(transparent)]
    Schema(#[from] MigrateError),
    /// The database did not do what was asked.
    #[error("the database did not do what was asked")]
    Database(#[from] DbErr),
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Where it is.
    pub file: PathBuf,
    /// How large it is.
    pub bytes: u64,
    /// Texts that were waiting when the copy was made.
    pub waiting_texts: i64,
}

/// What was brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where what was there before is now.
    pub put_aside: Option<String>,
    /// Texts given up, because they may have been sent since.
    pub given_up: i64,
}

/// How far a copy is: bytes done, of all where that is known.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Send + Sync);
