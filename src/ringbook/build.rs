//! Links the program with packed relocations if the C library can read them. Packed relocations save 3 MB.

#![expect(
    clippy::disallowed_methods,
    reason = "Cargo passes the platforms in environment variables"
)]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/ringbook/build.rs");
    let is_native = std::env::var_os("HOST") == std::env::var_os("TARGET");
    // glibc reads packed relocations (DT_RELR) since 2.36. A program linked with them does not start with an older glibc.
    if is_native && cfg!(target_os = "linux") && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of glibc; `None` if the system uses another C library.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
