//! Checks files on this machine: the encryption key, a SQLite database, the spool folder and the disk space.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Findings, key_file};
use crate::first_start;
use crate::settings::Settings;
use base::keys::SecretKey;

/// If fewer bytes than this are free on a disk, the doctor reports a warning.
const LITTLE: u64 = 1024 * 1024 * 1024;
/// If fewer bytes than this are free on a disk, the doctor reports an error, because the server soon stops working.
const TOO_LITTLE: u64 = 64 * 1024 * 1024;

/// Checks files and disk space.
pub fn examine(settings: &Settings, found: &mut Findings) -> Option<SecretKey> {
    let key = secret_key(settings, found);
    if let Some(file) = settings.database.file() {
        database(file, found);
    }
    spool(settings, found);
    key
}

/// Checks the spool folder.
fn spool(settings: &Settings, found: &mut Findings) {
    const CHECK: &str = "spool";
    if settings.spool_size_mb == 0 {
        found.warning(
            CHECK,
            "the spool is disabled: while the database is unavailable, messages are rejected",
            "Set RINGBOOK_SPOOL_SIZE_MB.",
        );
        return;
    }
    let folder = settings.spool_folder();
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let place = if folder.is_dir() {
        folder.as_path()
    } else {
        parent.unwrap_or_else(|| Path::new("."))
    };
    if writable(place, CHECK, found) {
        found.ok(CHECK, format!("messages can wait in {}", folder.display()));
    }
}

fn secret_key(settings: &Settings, found: &mut Findings) -> Option<SecretKey> {
    const CHECK: &str = "secret key";
    if let Some(file) = key_file(settings) {
        let shown = file.display();
        match mode(&file) {
            None => {
                found.warning(
                    CHECK,
                    format!("{shown} does not exist yet"),
                    "The first start creates the key. Store a copy: without the key, no stored secret can be decrypted.",
                );
                return None;
            }
            Some(mode) if mode & 0o077 != 0 => found.wrong(
                CHECK,
                format!("{shown} may be read by others (mode {:o})", mode & 0o777),
                format!("chmod 600 {shown}"),
            ),
            Some(_) => found.ok(CHECK, format!("only this user can read {shown}")),
        }
    } else {
        found.ok(CHECK, "from RINGBOOK_SECRET_KEY");
    }
    match first_start::secret_key(settings) {
        Ok(key) => Some(key),
        Err(error) => {
            found.wrong(
                CHECK,
                error.to_string(),
                "Restore the key file from its copy, or set RINGBOOK_SECRET_KEY.",
            );
            None
        }
    }
}

fn database(file: &Path, found: &mut Findings) {
    const CHECK: &str = "database file";
    let shown = file.display();
    match mode(file) {
        None => found.warning(
            CHECK,
            format!("{shown} does not exist yet"),
            "The first start creates it.",
        ),
        Some(mode) if mode & 0o007 != 0 => found.warning(
            CHECK,
            format!(
                "{shown} may be read by everybody on this machine (mode {:o})",
                mode & 0o777
            ),
            format!("The file contains callers' data: chmod 600 {shown}"),
        ),
        Some(_) => found.ok(CHECK, format!("{shown}")),
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    writable(folder.unwrap_or_else(|| Path::new(".")), "database file", found);
}

/// Whether a folder is writable. Also reports its free space.
fn writable(folder: &Path, check: &'static str, found: &mut Findings) -> bool {
    let shown = folder.display();
    let Ok(room) = rustix::fs::statvfs(folder) else {
        found.wrong(
            check,
            format!("the folder {shown} does not exist"),
            format!("mkdir -p {shown}"),
        );
        return false;
    };
    let may = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok();
    if !may {
        found.wrong(
            check,
            format!("the folder {shown} cannot be written to"),
            "Make it writable for the user that runs the server.",
        );
    }
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let megabytes = free / (1024 * 1024);
    let text = format!("{megabytes} MB are free in {shown}");
    // Report each disk once: the database and the spool are mostly on the same disk.
    if !found.first_of_disk(rustix::fs::stat(folder).map_or(0, |stat| stat.st_dev)) {
        return may;
    }
    if free < TOO_LITTLE {
        found.wrong(
            "disk",
            text,
            "Free disk space: a message that cannot be written cannot be accepted.",
        );
    } else if free < LITTLE {
        found.warning(
            "disk",
            text,
            "Free disk space, or shorten the retention (`PUT …/retention`).",
        );
    } else {
        found.ok("disk", text);
    }
    may
}

fn mode(file: &Path) -> Option<u32> {
    Some(fs::metadata(file).ok()?.permissions().mode())
}
