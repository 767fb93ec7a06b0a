//! Tests of the precedence of settings, and of the errors for invalid settings.

use super::*;

fn load(env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    load_with(&Flags::default(), env)
}

fn load_with(flags: &Flags, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let env = |name: &str| {
        env.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Settings::load_from(flags, env, Path::new("no such file"))
}

fn file(content: &str) -> (tempfile::TempDir, Flags) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ringbook.toml");
    std::fs::write(&path, content).unwrap();
    (
        folder,
        Flags {
            config: Some(path),
            ..Flags::default()
        },
    )
}

#[test]
fn without_anything_set_the_defaults_hold() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.database.file(), Some(Path::new("ringbook.db")));
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert!(settings.twilio.is_none() && settings.rate_limit_enabled && !settings.include_stack_trace);
    assert_eq!(settings.workers, Worker::ALL);
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let (_folder, flags) = file("listen = '127.0.0.1:1'\nlog_level = 'warn'\nrate_limit_enabled = false");
    let env = [("RINGBOOK_LISTEN", "127.0.0.1:2"), ("LOG_FORMAT", "json")];
    let settings = load_with(&flags, &env).unwrap();
    assert_eq!((settings.listen.port(), settings.log_level.as_str()), (2, "warn"));
    assert_eq!(settings.log_format, Some(LogFormat::Json));
    assert!(!settings.rate_limit_enabled);
    assert_eq!(
        load_with(&flags.with("listen", "127.0.0.1:3"), &env)
            .unwrap()
            .listen
            .port(),
        3
    );
}

#[test]
fn a_phone_number_and_a_secret_of_digits_stay_as_they_are() {
    let settings = load(&[
        ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
        ("TWILIO_AUTH_TOKEN", "00123456"),
        ("TWILIO_FROM", "+15145550100"),
        ("RINGBOOK_VAPI_SECRET", "001234567890123456789012"),
    ])
    .unwrap();
    let twilio = settings.twilio.unwrap();
    assert_eq!(twilio.from, TwilioFrom::Number("+15145550100".into()));
    assert_eq!(twilio.auth_token.expose(), "00123456");
    assert_eq!(settings.vapi_secret.unwrap().expose(), "001234567890123456789012");
}

#[test]
fn a_bad_value_names_the_setting_its_source_and_what_was_expected() {
    let error = load(&[("RINGBOOK_LISTEN", "8080")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "RINGBOOK_LISTEN (from the environment) must be an address and a port such as 127.0.0.1:8080 or [::1]:8080"
    );
    for (name, value) in [
        ("DATABASE_URL", "mysql://x"),
        ("RINGBOOK_PUBLIC_URL", "my.host.example"),
        ("RINGBOOK_SECRET_KEY", "abc"),
        ("RINGBOOK_ADMIN_KEY", "short"),
        ("RINGBOOK_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("RINGBOOK_WORKERS", "everything"),
        ("LOG_LEVEL", "verbose"),
        ("RATE_LIMIT_ENABLED", "maybe"),
        ("TWILIO_FROM", "514-555-0100"),
    ] {
        let error = load(&[(name, value)]).unwrap_err().to_string();
        assert!(error.starts_with(name) && error.contains("must be"), "{error}");
        assert!(
            !error.contains(value) || value.len() < 6,
            "the value is repeated: {error}"
        );
    }
}

#[test]
fn half_a_twilio_account_is_refused() {
    let error = load(&[("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("TWILIO_AUTH_TOKEN"), "{error}");
}

#[test]
fn a_misspelt_key_is_refused_with_the_nearest() {
    let (_folder, flags) = file("databse_url = 'sqlite://x.db'");
    let error = load_with(&flags, &[]).unwrap_err().to_string();
    assert!(
        error.contains("databse_url") && error.contains("did you mean `database_url`"),
        "{error}"
    );
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    assert!(load(&[("RINGBOOK_ADMIN_KEY", ""), ("TWILIO_ACCOUNT_SID", " ")]).is_ok());
}

#[test]
fn settings_do_not_show_their_secrets() {
    let settings = load(&[
        ("DATABASE_URL", "postgres://u:hunter2@h/n"),
        ("RINGBOOK_ADMIN_KEY", "hunter2hunter2hunter2"),
    ]);
    assert!(!format!("{:?}", settings.unwrap()).contains("hunter2"));
}

#[test]
fn the_operators_page_names_every_setting() {
    for setting in SETTINGS {
        assert!(
            include_str!("../../../docs/operator.md").contains(setting.env),
            "{} is missing",
            setting.env
        );
    }
}
