//! Messages for people at startup: all URLs, one command to try and, at the first start, the new
//! secrets.
//!
//! A secret is shown once, and only on a terminal. A service's output goes to a journal that many people can read. A
//! service therefore writes its secrets to a file that only the owner of the file can read. Secrets from the settings
//! are never shown.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::settings::Settings;
use base::secret::Secret;

/// The name of the file with the secrets, without its extension.
const SECRETS_FILE: &str = "ringbook-first-start";
/// Maximum number of files with secrets in a folder.
const MAX_FILES: u32 = 100;

/// Secrets that the first start created. Secrets from the settings are not included.
#[derive(Debug, Default)]
pub struct NewSecrets {
    /// The first admin key.
    pub admin_key: Option<Secret>,
    /// The token of a one-time link that signs in to the console.
    pub login_link: Option<Secret>,
    /// The default rulebook's webhook secret.
    pub vapi_secret: Option<Secret>,
}

impl NewSecrets {
    /// Whether the start created no secrets.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.admin_key.is_none() && self.vapi_secret.is_none()
    }

    /// Writes the secrets to a new file in a folder. Only the owner of the file can read it. Returns the path of the
    /// file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path, listening: SocketAddr) -> std::io::Result<PathBuf> {
        let mut text =
            "These secrets were created at the first start of Ringbook and are shown only here. Store them safely, and delete this file.\n\n"
                .to_owned();
        for (name, secret) in [("Admin key", &self.admin_key), ("Webhook secret", &self.vapi_secret)] {
            if let Some(secret) = secret {
                let _ = writeln!(text, "{name:<15} {}", secret.expose());
            }
        }
        if let Some(link) = self.login_address(listening) {
            let _ = writeln!(text, "{:<15} {link}", "Console, once");
        }
        // An existing file belongs to another first start, or to an attacker who waits for this first start.
        let names = std::iter::once(format!("{SECRETS_FILE}.txt"))
            .chain((2..MAX_FILES).map(|n| format!("{SECRETS_FILE}-{n}.txt")));
        let mut last = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        for path in names.map(|name| folder.join(name)) {
            match std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
            {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())?;
                    file.sync_all()?;
                    return Ok(path);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Returns the one-time URL that signs in to the console.
    fn login_address(&self, listening: SocketAddr) -> Option<String> {
        let token = self.login_link.as_ref()?;
        Some(format!(
            "{}/console/login?link={}",
            local_url(listening),
            token.expose()
        ))
    }
}

/// Returns the lines that the terminal shows at startup. `written` is the file with the secrets, if the terminal does
/// not show them.
#[must_use]
pub fn welcome(settings: &Settings, listening: SocketAddr, new: &NewSecrets, written: Option<&Path>) -> String {
    let local = local_url(listening);
    let public = settings.public_url.as_deref().unwrap_or(&local);
    let mut text = format!(
        "Ringbook is running.\n\n  Vapi's server URL  {public}/webhooks/vapi\n  Console            {local}/console\n  Swagger UI         \
         {local}/docs\n  Health             {local}/health/ready\n"
    );
    if let Some(path) = written {
        let _ = writeln!(
            text,
            "\nThe new admin key and webhook secret, and a link that opens the console, are in {}: store them safely, and \
             delete the file.",
            path.display()
        );
        return text;
    }
    if let Some(key) = &new.admin_key {
        let _ = writeln!(text, "\n  Admin key          {}", key.expose());
    }
    if let Some(secret) = &new.vapi_secret {
        let _ = writeln!(text, "  Webhook secret     {}", secret.expose());
    }
    if new.admin_key.is_some() || new.vapi_secret.is_some() {
        text.push_str("\nThese are shown only once: store them safely.\n");
    }
    if let Some(link) = new.login_address(listening) {
        let _ = writeln!(text, "\nOpen the console (the link works once, within a day): {link}");
    }
    if let Some(key) = &new.admin_key {
        let _ = writeln!(
            text,
            "\nTry: curl -H 'Authorization: Bearer {}' {local}/admin/v1/rulebooks/default/services",
            key.expose()
        );
    }
    if let Some(secret) = &new.vapi_secret {
        let _ = writeln!(
            text,
            "     ringbook simulate --count 3 --url {local} --secret {}",
            secret.expose()
        );
    }
    text
}

/// Returns the problems of the set-up that every start shows.
#[must_use]
pub fn warnings(settings: &Settings) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    if cfg!(feature = "faults") {
        warnings.push("THIS BUILD BREAKS ON PURPOSE (feature `faults`): it is for tests, never for calls");
    }
    if settings.twilio.is_none() {
        warnings.push("no Twilio account is set here (TWILIO_ACCOUNT_SID): SMS messages wait for an instance with an account, or are recorded as `simulated` if their rulebook simulates");
    } else if settings.public_url.is_none() {
        warnings.push("RINGBOOK_PUBLIC_URL is not set: Twilio cannot report whether a message was delivered");
    }
    if !settings.web && settings.workers.is_empty() {
        warnings.push(
            "RINGBOOK_WEB is false and RINGBOOK_WORKERS is none: this process serves only health checks and metrics",
        );
    }
    if !settings.rate_limit_enabled {
        warnings.push("RATE_LIMIT_ENABLED is false: clients may send any number of requests");
    }
    warnings
}

/// Returns the URL at which a browser on this machine reaches the server.
fn local_url(listening: SocketAddr) -> String {
    if listening.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", listening.port())
    } else {
        format!("http://{listening}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Flags;

    fn settings() -> Settings {
        Settings::load_from(&Flags::default(), |_| None, "no such file".as_ref()).unwrap()
    }

    #[test]
    fn the_first_start_shows_the_new_secrets_and_a_command_to_try() {
        let new = NewSecrets {
            admin_key: Some(Secret::new("KEY".into())),
            login_link: Some(Secret::new("LINK".into())),
            vapi_secret: Some(Secret::new("SECRET".into())),
        };
        let text = welcome(&settings(), "0.0.0.0:8080".parse().unwrap(), &new, None);
        for part in [
            "/webhooks/vapi",
            "http://127.0.0.1:8080/console\n",
            "http://127.0.0.1:8080/console/login?link=LINK\n",
            "http://127.0.0.1:8080/docs",
            "/health/ready",
            "SECRET",
            "curl -H 'Authorization: Bearer KEY'",
            "ringbook simulate --count 3 --url http://127.0.0.1:8080 --secret SECRET",
        ] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
    }

    #[test]
    fn without_a_terminal_the_secrets_are_in_a_file_of_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let address = "127.0.0.1:8080".parse().unwrap();
        let new = NewSecrets {
            admin_key: Some(Secret::new("KEY".into())),
            login_link: Some(Secret::new("LINK".into())),
            vapi_secret: Some(Secret::new("SECRET".into())),
        };
        let first = new.write(folder.path(), address).unwrap();
        assert_ne!(
            new.write(folder.path(), address).unwrap(),
            first,
            "an existing file is not overwritten"
        );
        let mode = std::fs::metadata(&first).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let kept = std::fs::read_to_string(&first).unwrap();
        assert!(
            ["KEY", "SECRET", "LINK"].iter().all(|secret| kept.contains(secret)),
            "{kept}"
        );
        let text = welcome(&settings(), "127.0.0.1:8080".parse().unwrap(), &new, Some(&first));
        assert!(
            !["KEY", "SECRET", "LINK"].iter().any(|secret| text.contains(secret))
                && text.contains("ringbook-first-start.txt"),
            "{text}"
        );
    }

    #[test]
    fn later_starts_show_no_secret() {
        let text = welcome(
            &settings(),
            "127.0.0.1:8080".parse().unwrap(),
            &NewSecrets::default(),
            None,
        );
        assert!(
            text.contains("/docs") && !text.contains("key") && !text.contains("curl"),
            "{text}"
        );
    }

    #[test]
    fn without_twilio_the_start_says_that_texts_are_simulated() {
        assert!(
            warnings(&settings())
                .iter()
                .any(|warning| warning.contains("simulated"))
        );
    }
}
