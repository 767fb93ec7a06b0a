//! The address of a database.

use std::path::Path;

use base::secret::Secret;

/// Where everything is kept. The address may hold a password, so it does not show itself.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file.
    Sqlite(Secret),
    /// A server.
    Postgres(Secret),
}

impl Database {
    /// A database address, if it is one that we can use: two pools could not share a database in memory.
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

    /// The address, password and all.
    #[must_use]
    pub fn url(&self) -> &str {
        let (Self::Sqlite(url) | Self::Postgres(url)) = self;
        url.expose()
    }

    /// The file of a SQLite database; nothing for one on a server.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        let Self::Sqlite(url) = self else { return None };
        let file = url.expose().strip_prefix("sqlite:")?;
        let file = file.strip_prefix("//").unwrap_or(file);
        Some(Path::new(file.split('?').next().unwrap_or(file)))
    }
}
