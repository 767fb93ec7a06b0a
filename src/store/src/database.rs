//! The URL of a database.

use std::path::Path;

use base::secret::Secret;

/// The database of this instance. `Debug` hides the URL, because the URL may contain a password.
#[derive(Clone, Debug)]
pub enum Database {
    /// A SQLite file.
    Sqlite(Secret),
    /// A PostgreSQL server.
    Postgres(Secret),
}

impl Database {
    /// Parses a database URL. `None` if the database is not supported. An in-memory SQLite database is not supported,
    /// because two pools cannot share it.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        if url
            .strip_prefix("sqlite:")
            .is_some_and(|file| !file.trim_start_matches('/').is_empty() && !file.contains(":memory:"))
        {
            Some(Self::Sqlite(Secret::new(url.to_owned())))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Some(Self::Postgres(Secret::new(url.to_owned())))
        } else {
            None
        }
    }

    /// The URL, including the password.
    #[must_use]
    pub fn url(&self) -> &str {
        let (Self::Sqlite(url) | Self::Postgres(url)) = self;
        url.expose()
    }

    /// The path of the file of a SQLite database. `None` for PostgreSQL.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        let Self::Sqlite(url) = self else { return None };
        let file = url.expose().strip_prefix("sqlite:")?;
        let file = file.strip_prefix("//").unwrap_or(file);
        Some(Path::new(file.split('?').next().unwrap_or(file)))
    }
}
