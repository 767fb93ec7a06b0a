//! Links a smaller program if the linker and the C library allow it.

#![expect(
    clippy::disallowed_methods,
    reason = "Cargo passes the platforms and folders in environment variables"
)]

use std::env::var_os;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/ringbook/build.rs");
    let is_native = var_os("HOST") == var_os("TARGET");
    // Packed relocations save 3 MB. glibc reads packed relocations (DT_RELR) since 2.36. A program linked with them does
    // not start with an older glibc.
    if is_native && cfg!(target_os = "linux") && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // Identical functions become one function, which saves 1 MB. Not every linker knows this option.
    if is_native && links("-Wl,--icf=all") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}

/// The version of glibc; `None` if the system uses another C library.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Returns whether the linker accepts this argument: an empty program is linked with the linker and flags that Cargo
/// uses.
fn links(argument: &str) -> bool {
    let (Some(rustc), Some(folder)) = (var_os("RUSTC"), var_os("OUT_DIR")) else {
        return false;
    };
    let empty = Path::new(&folder).join("empty.rs");
    if std::fs::write(&empty, "fn main() {}").is_err() {
        return false;
    }
    let mut command = Command::new(rustc);
    command.arg(&empty).arg("--out-dir").arg(&folder);
    if let Some(linker) = var_os("RUSTC_LINKER") {
        command.arg("-C").arg(format!("linker={}", linker.display()));
    }
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    command.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    let output = command.arg("-C").arg(format!("link-arg={argument}")).output();
    output.is_ok_and(|output| output.status.success())
}
