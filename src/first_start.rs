//! What a person reads when the server starts.
//!
//! In: the address, and at the first start the secrets that were just made. Out: a few lines with where everything is
//! and one command to try. A secret is shown once and never again; one that was set is not shown at all.

use std::{fmt::Write as _, net::SocketAddr};

use crate::settings::{Secret, Settings};

/// Secrets made at the first start; those that the settings brought are not among them.
#[derive(Debug, Default)]
pub struct NewSecrets {
    /// The first admin key.
    pub admin_key: Option<Secret>,
    /// The default rulebook's webhook secret.
    pub vapi_secret: Option<Secret>,
}

/// The lines for the terminal; none when nothing is new.
#[must_use]
pub fn welcome(settings: &Settings, listening: SocketAddr, new: &NewSecrets) -> String {
    let local = local_url(listening);
    let public = settings.public_url.as_deref().unwrap_or(&local);
    let mut text = format!(
        "Ringbook is running.\n\n  Vapi's server URL  {public}/webhooks/vapi\n  Swagger UI         {local}/docs\n  Health             \
         {local}/health/ready\n"
    );
    if let Some(key) = &new.admin_key {
        let _ = writeln!(text, "\n  Admin key          {}", key.expose());
    }
    if let Some(secret) = &new.vapi_secret {
        let _ = writeln!(text, "  Webhook secret     {}", secret.expose());
    }
    if new.admin_key.is_some() || new.vapi_secret.is_some() {
        text.push_str("\nThese are shown this once: keep them.\n");
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

/// What cannot work as the server is set up, said at every start.
#[must_use]
pub fn warnings(settings: &Settings) -> Vec<&'static str> {
    let mut warnings = Vec::new();
    if cfg!(feature = "faults") {
        warnings.push("THIS BUILD BREAKS ON PURPOSE (feature `faults`): it is for tests, never for calls");
    }
    if settings.twilio.is_none() {
        warnings.push("no Twilio account is set here (TWILIO_ACCOUNT_SID): SMS messages are left to instances that have one, or recorded as `simulated` where the database says so");
    } else if settings.public_url.is_none() {
        warnings.push("RINGBOOK_PUBLIC_URL is not set: Twilio cannot report whether a text was delivered");
    }
    if !settings.web && settings.workers.is_empty() {
        warnings.push("RINGBOOK_WEB is false and RINGBOOK_WORKERS is none: this process answers and does nothing");
    }
    if !settings.rate_limit_enabled {
        warnings.push("RATE_LIMIT_ENABLED is false: anybody may send as much as they like");
    }
    warnings
}

/// The address as one would type it here.
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
            vapi_secret: Some(Secret::new("SECRET".into())),
        };
        let text = welcome(&settings(), "0.0.0.0:8080".parse().unwrap(), &new);
        for part in [
            "/webhooks/vapi",
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
    fn later_starts_show_no_secret() {
        let text = welcome(&settings(), "127.0.0.1:8080".parse().unwrap(), &NewSecrets::default());
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
