//! `ringbook backup`, which works while servers run, and `ringbook restore`, which refuses a database in use. Both
//! print which encryption key belongs to the backup, and how many SMS messages become dead letters.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::print;
use crate::backup::{BackupResult, files, postgres, sqlite};
use crate::first_start;
use crate::settings::Settings;
use base::clock::Clock;
use base::telemetry::scrub;
use store::{connect, last_runs};

/// The options of a backup.
#[derive(Debug, clap::Args)]
pub struct Backup {
    /// A folder, or the path of a new file with an extension. The folder is created if missing, and the file in it is
    /// named after the time
    #[arg(long, default_value = ".")]
    to: PathBuf,
    /// Also copy the encryption key of the stored secrets next to the backup, as FILE.key: both files together reveal
    /// the secrets
    #[arg(long)]
    with_key: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

/// The options of a restore.
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// The backup
    file: PathBuf,
    /// Restore even if the database is not empty; its content is kept under another name
    #[arg(long)]
    force: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

/// Creates a backup.
pub(super) async fn back_up(settings: &Settings, how: Backup) -> Result<()> {
    let clock = Clock::system();
    let stamp = clock.now().format("%Y%m%dT%H%M%SZ").to_string();
    let bar = bar(how.quiet);
    let progress = told(&bar);
    let copied = match settings.database.file() {
        Some(file) => {
            let to = files::target(&how.to, &stamp, "db")?;
            refuse_taken_key(&to, how.with_key)?;
            sqlite::back_up(file, &to, &clock, &progress).await
        }
        None => {
            let to = files::target(&how.to, &stamp, "dump")?;
            refuse_taken_key(&to, how.with_key)?;
            let path = search_path();
            let with = postgres::How {
                path: &path,
                progress: &progress,
            };
            postgres::back_up(&settings.database, &to, with).await
        }
    };
    bar.finish_and_clear();
    let copied = copied?;
    note_success(settings, &clock).await;
    let mut text = format!("{} ({})", copied.file.display(), HumanBytes(copied.bytes));
    text.push_str(&about_texts(&copied));
    text.push_str(&if how.with_key {
        let key = write_key(settings, &copied.file)?;
        format!(
            "\nThe key that decrypts the stored secrets is in {}: both files together reveal the secrets.",
            key.display()
        )
    } else {
        about_key(settings)
    });
    print(&text)
}

/// Records in the database that a backup succeeded, for the servers' `/metrics`. The backup is complete even if this
/// record cannot be written.
async fn note_success(settings: &Settings, clock: &Clock) {
    let noted = async {
        let db = connect::open_for_migration(&settings.database).await?;
        let noted = last_runs::note(&db, last_runs::BACKUP, clock.now()).await;
        db.close().await?;
        noted?;
        anyhow::Ok(())
    };
    if let Err(error) = noted.await {
        let cause = scrub(&format!("{error:#}"));
        tracing::warn!(cause, "/metrics will not show when this backup succeeded");
    }
}

/// Restores a backup.
pub(super) async fn restore(settings: &Settings, how: Restore) -> Result<()> {
    let clock = Clock::system();
    let bar = bar(how.quiet);
    let progress = told(&bar);
    let restored = match settings.database.file() {
        Some(file) => sqlite::restore(&how.file, file, how.force, &clock, &progress).await,
        None => {
            let path = search_path();
            let with = postgres::How {
                path: &path,
                progress: &progress,
            };
            postgres::restore(&how.file, &settings.database, how.force, &clock, with).await
        }
    };
    bar.finish_and_clear();
    let restored = restored?;
    let mut text = "The backup is restored.".to_owned();
    if let Some(aside) = restored.previous_content {
        text.push_str(&format!("\nThe previous content is kept as {aside}."));
    }
    if restored.given_up > 0 {
        text.push_str(&format!(
            "\n{} SMS messages were unsent in the backup. They are dead letters now, because they may have been sent since. List the \
             messages in the state `dead`, and resend those that are still needed.",
            restored.given_up
        ));
    }
    text.push_str(&bring_key(settings, &how.file)?);
    print(&text)
}

fn about_texts(copied: &BackupResult) -> String {
    if copied.unsent_sms == 0 {
        return String::new();
    }
    format!(
        "\n{} SMS messages are unsent in this backup: after a restore they are not sent, because they may have been sent since.",
        copied.unsent_sms
    )
}

fn about_key(settings: &Settings) -> String {
    let key = if settings.secret_key.is_some() {
        "RINGBOOK_SECRET_KEY".to_owned()
    } else {
        first_start::key_file(settings).display().to_string()
    };
    format!(
        "\nThe key that decrypts the stored secrets ({key}) is not in the backup: store a copy of the key elsewhere. Without \
         the key, the secrets are lost."
    )
}

fn refuse_taken_key(to: &Path, with_key: bool) -> Result<()> {
    let key = files::beside(to, ".key");
    if with_key && key.exists() {
        return Err(anyhow!(
            "{} exists already; a backup never overwrites a file",
            key.display()
        ));
    }
    Ok(())
}

/// Returns the encryption key as 64 hexadecimal digits, like in the key file.
fn key_text(settings: &Settings) -> Result<String> {
    if let Some(key) = &settings.secret_key {
        return Ok(hex::encode(key.expose()));
    }
    let file = first_start::key_file(settings);
    let text = std::fs::read_to_string(&file);
    Ok(text
        .with_context(|| format!("the key file {} cannot be read", file.display()))?
        .trim()
        .to_owned())
}

fn write_key(settings: &Settings, backup: &Path) -> Result<PathBuf> {
    use std::io::Write as _;
    let path = files::beside(backup, ".key");
    let text = key_text(settings)?;
    let mut file = files::make(&path)?;
    writeln!(file, "{text}").with_context(|| format!("{} cannot be written", path.display()))?;
    files::keep(&path)?;
    Ok(path)
}

/// Copies the backup's key to the path of the key file, if there is no key file.
fn bring_key(settings: &Settings, backup: &Path) -> Result<String> {
    use std::io::Write as _;
    let (kept, wanted) = (files::beside(backup, ".key"), first_start::key_file(settings));
    let brought = kept.exists().then(|| std::fs::read_to_string(&kept)).transpose();
    let brought = brought.with_context(|| format!("{} cannot be read", kept.display()))?;
    let there = settings.secret_key.is_some() || wanted.exists();
    match brought {
        Some(brought) if !there => {
            let mut file = files::make(&wanted)?;
            writeln!(file, "{}", brought.trim()).with_context(|| format!("{} cannot be written", wanted.display()))?;
            files::keep(&wanted)?;
            Ok(format!("\nThe key of the backup is now in {}.", wanted.display()))
        }
        Some(brought) if key_text(settings)? != brought.trim() => Ok(format!(
            "\nThe key of the backup, in {}, is not the key that this server uses: no stored secret can be decrypted. Set \
             RINGBOOK_SECRET_KEY to the key of the backup.",
            kept.display()
        )),
        Some(_) => Ok(String::new()),
        None if there => Ok(String::new()),
        None => Ok(format!(
            "\nThere is no encryption key here: put the key of this backup into {}, or set RINGBOOK_SECRET_KEY, before you \
             start the server. A new key cannot decrypt the stored secrets.",
            wanted.display()
        )),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the location of programs is not a setting of Ringbook"
)]
fn search_path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

fn bar(hidden: bool) -> ProgressBar {
    if hidden {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {bytes} of {total_bytes}, {bytes_per_sec}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn told(bar: &ProgressBar) -> impl Fn(u64, Option<u64>) + Send + Sync {
    let bar = bar.clone();
    move |done, all| {
        if let Some(all) = all {
            bar.set_length(all);
        }
        bar.set_position(done);
        bar.tick();
    }
}
