//! Reads and writes folders of rule files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::keep_layout;
use super::keep_layout::LayoutResult;
use super::{EXTENSION, FileFault, Files, SCRIPTS, file_name, parse, write};
use crate::rows::{Resource, RowSet, with_row};

/// Reads a folder.
///
/// # Errors
/// Every error found, including files that cannot be read.
pub fn read_folder(folder: &Path) -> Result<RowSet, Vec<FileFault>> {
    parse(&read_texts(folder)?)
}

/// Reads the files of a folder.
///
/// # Errors
/// Every file that cannot be read.
pub fn read_texts(folder: &Path) -> Result<Files, Vec<FileFault>> {
    let (mut files, mut faults) = (Files::new(), Vec::new());
    for (place, extension) in [(folder.to_owned(), ".toml"), (folder.join("scripts"), EXTENSION)] {
        read_into(folder, &place, extension, &mut files, &mut faults);
    }
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

/// The limits for a folder of rules. Rules are small, and a folder may come from an untrusted source.
const MAX_FILES: usize = 1_000;
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Reads a regular file. Links and devices are refused, because a link may lead anywhere and a device may be endless.
fn read_plain(path: &Path) -> std::io::Result<String> {
    let refused = |text: &str| std::io::Error::new(std::io::ErrorKind::InvalidInput, text);
    let kind = std::fs::symlink_metadata(path)?.file_type();
    if kind.is_symlink() {
        return Err(refused("it is a link; put the file itself there"));
    }
    if !kind.is_file() {
        return Err(refused("it is not a regular file"));
    }
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(refused("it is larger than 8 MiB"));
    }
    Ok(text)
}

fn read_into(folder: &Path, place: &Path, extension: &str, files: &mut Files, faults: &mut Vec<FileFault>) {
    let mut fault = |path: &Path, cause: std::io::Error| {
        let text = format!("cannot be read: {cause}");
        faults.push(FileFault::of_file(path.display().to_string(), text));
    };
    if place != folder && std::fs::symlink_metadata(place).is_ok_and(|of| of.file_type().is_symlink()) {
        let cause = std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "it is a link; put the folder itself there",
        );
        return fault(place, cause);
    }
    let entries = match std::fs::read_dir(place) {
        Ok(entries) => entries,
        // A rulebook without scripts has no folder for them.
        Err(cause) if place != folder && cause.kind() == std::io::ErrorKind::NotFound => return,
        Err(cause) => return fault(place, cause),
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some(name) = path
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| name.ends_with(extension))
        else {
            continue;
        };
        let name = if place == folder {
            name.to_owned()
        } else {
            format!("{SCRIPTS}{name}")
        };
        if files.len() >= MAX_FILES {
            let text = format!("a folder of rules has at most {MAX_FILES} files");
            return faults.push(FileFault::of_file(place.display().to_string(), text));
        }
        match read_plain(&path) {
            Ok(text) => {
                files.insert(name, text);
            }
            Err(cause) => fault(&path, cause),
        }
    }
}

/// The result of writing a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteSummary {
    /// The files that are new or changed.
    pub changed: Vec<String>,
    /// The files that were removed, because their resources or scripts no longer have rows.
    pub removed: Vec<String>,
    /// The changed files whose layout could not be preserved, so that their comments are lost.
    pub rewritten: Vec<String>,
}

/// Writes a folder. In an existing folder only changes are written: all other rows and fields keep their order, layout
/// and comments. Files of resources and scripts that no longer have rows are removed.
///
/// # Errors
/// When an existing file is not valid TOML, or a file cannot be written or removed. If an existing file is not valid
/// TOML, nothing is written.
pub fn write_folder(rows: &RowSet, folder: &Path) -> Result<WriteSummary, Vec<FileFault>> {
    let before = if folder.exists() {
        read_texts(folder)?
    } else {
        Files::new()
    };
    let (mut written, mut files, mut faults) = (WriteSummary::default(), write(rows), Vec::new());
    for resource in Resource::ALL {
        let name = file_name(*resource);
        let (Some(before), Some(after)) = (before.get(&name), files.get_mut(&name)) else {
            continue;
        };
        match with_row!(*resource, R => keep_layout::kept::<R>(before, rows)) {
            Ok(LayoutResult::Whole(text)) => *after = text,
            Ok(LayoutResult::Not) => written.rewritten.push(name),
            Err(text) => faults.push(FileFault { file: name, ..text }),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let failed = |path: PathBuf, cause: std::io::Error| {
        vec![FileFault::of_file(
            path.display().to_string(),
            format!("cannot be written: {cause}"),
        )]
    };
    let scripts = folder.join("scripts");
    std::fs::create_dir_all(&scripts).map_err(|cause| failed(scripts, cause))?;
    for (name, text) in &files {
        if before.get(name) != Some(text) {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|cause| failed(path, cause))?;
            written.changed.push(name.clone());
        }
    }
    let ours = |name: &str| name.starts_with(SCRIPTS) || Resource::ALL.iter().any(|one| file_name(*one) == name);
    for name in before.keys().filter(|name| ours(name) && !files.contains_key(*name)) {
        let path = folder.join(name);
        std::fs::remove_file(&path).map_err(|cause| failed(path, cause))?;
        written.removed.push(name.clone());
    }
    Ok(written)
}
