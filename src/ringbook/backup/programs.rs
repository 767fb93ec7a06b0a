//! Finds and runs PostgreSQL's programs.
//!
//! The password is passed in the environment, which other users cannot read. The command line never contains the
//! password.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::BackupError;

/// Where Debian and its derivatives install programs that are not in the PATH.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Parameters that sqlx accepts and libpq rejects.
const NOT_LIBPQ: [&str; 2] = ["statement-cache-capacity", "statement_cache_capacity"];
/// Parameters that have different names in sqlx (first) and in libpq (second).
const OTHER_NAMES: [(&str, &str); 5] = [
    ("ssl-mode", "sslmode"),
    ("ssl-root-cert", "sslrootcert"),
    ("ssl-ca", "sslrootcert"),
    ("ssl-cert", "sslcert"),
    ("ssl-key", "sslkey"),
];

#[must_use]
pub fn find(program: &str, path: &str) -> Option<PathBuf> {
    let on_path = path.split(':').map(|folder| Path::new(folder).join(program));
    if let Some(found) = on_path.filter(|file| file.is_absolute()).find(|file| file.is_file()) {
        return Some(found);
    }
    // Use the newest version: a newer program can read an older server, but an older program rejects a newer server.
    let versions = std::fs::read_dir(DEBIAN).ok()?.filter_map(Result::ok);
    let versions = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.filter(|version| there(*version, program).is_file()).max()?;
    Some(there(newest, program))
}

fn there(version: u32, program: &str) -> PathBuf {
    Path::new(DEBIAN).join(version.to_string()).join("bin").join(program)
}

/// Returns a PostgreSQL URL without its password, and the password. Parameters get the names that libpq expects.
#[must_use]
pub fn apart(url: &str) -> (String, Option<String>) {
    let (address, options) = url
        .split_once('?')
        .map_or((url, ""), |(address, options)| (address, options));
    let (mut kept, mut also) = (Vec::new(), None);
    for option in options.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let name = OTHER_NAMES
            .iter()
            .find(|(ours, _)| *ours == name)
            .map_or(name, |(_, theirs)| theirs);
        if name == "password" {
            also = Some(value);
        } else if !NOT_LIBPQ.contains(&name) {
            kept.push(format!("{name}={value}"));
        }
    }
    let kept = kept.join("&");
    let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", address));
    let (who, place) = rest.rsplit_once('@').map_or(("", rest), |(who, place)| (who, place));
    let (user, password) = who
        .split_once(':')
        .map_or((who, None), |(user, password)| (user, Some(password)));
    let at = if user.is_empty() { "" } else { "@" };
    let question = if kept.is_empty() { "" } else { "?" };
    (
        format!("{scheme}://{user}{at}{place}{question}{kept}"),
        also.or(password).map(decoded),
    )
}

/// Decodes percent-encoding, such as `%41` to `A`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let two = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match two
            .and_then(|two| u8::from_str_radix(two, 16).ok())
            .filter(|_| *first == b'%')
        {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One run of a PostgreSQL program.
pub struct Call {
    program: &'static str,
    arguments: Vec<String>,
    password: Option<String>,
}

impl Call {
    /// A call with a database.
    #[must_use]
    pub fn new(program: &'static str, url: &str, arguments: &[&str]) -> Self {
        let (address, password) = apart(url);
        let mut arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        arguments.push(format!("--dbname={address}"));
        Self {
            program,
            arguments,
            password,
        }
    }

    /// A call with a file.
    #[must_use]
    pub fn without_database(program: &'static str, arguments: &[&str]) -> Self {
        Self {
            program,
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            password: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn with(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Returns the command line as a person would type it. It contains no password, because the program asks for the
    /// password.
    #[must_use]
    pub fn shown(&self) -> String {
        let quoted = self
            .arguments
            .iter()
            .map(|argument| format!("'{}'", argument.replace('\'', "'\\''")));
        format!("{} {}", self.program, quoted.collect::<Vec<_>>().join(" "))
    }

    /// Runs the program to its end. Until then, `meanwhile` is called every 100 ms.
    pub async fn run(&self, path: &str, meanwhile: impl Fn()) -> Result<(), BackupError> {
        let program = find(self.program, path).ok_or_else(|| BackupError::NoProgram {
            program: self.program,
            command: self.shown(),
        })?;
        let mut command = Command::new(&program);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.kill_on_drop(true);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        let child = command.spawn().map_err(super::files::failed(&program))?;
        let mut work = std::pin::pin!(child.wait_with_output());
        let output = loop {
            tokio::select! {
                output = &mut work => break output,
                () = tokio::time::sleep(std::time::Duration::from_millis(100)) => meanwhile(),
            }
        };
        let output = output.map_err(super::files::failed(&program))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(BackupError::Program {
            program: self.program,
            said: said.trim().chars().take(2_000).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password() {
        let (address, password) = apart("postgres://me:p%40ss@host:5/name?sslmode=disable&statement-cache-capacity=0");
        assert_eq!(address, "postgres://me@host:5/name?sslmode=disable");
        assert_eq!(password.as_deref(), Some("p@ss"));
        let (address, password) = apart("postgres://me:other@host/name?password=p%40ss&ssl-mode=require&user=me");
        assert_eq!(address, "postgres://me@host/name?sslmode=require&user=me");
        assert_eq!(password.as_deref(), Some("p@ss"));
        assert_eq!(apart("postgres://host/name"), ("postgres://host/name".to_owned(), None));
        let call = Call::new("pg_dump", "postgres://me:hunter2@host/name", &["--format=custom"]).with("x y");
        assert_eq!(
            call.shown(),
            "pg_dump '--format=custom' '--dbname=postgres://me@host/name' 'x y'"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_not_found() {
        assert_eq!(find("no-such-program-of-postgresql", "/bin:/usr/bin"), None);
        assert!(find("sh", "/nowhere:/bin:/usr/bin").is_some());
    }
}
