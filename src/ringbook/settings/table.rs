//! All settings in one table: names, default and description. `--help`, the environment variables, the keys of
//! `ringbook.toml` and the flags are generated from this table, so that they always agree.

#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The key in `ringbook.toml`.
    pub key: &'static str,
    /// The environment variable.
    pub env: &'static str,
    /// The default as a user would write it; `None` if the setting has no default.
    pub default: Option<&'static str>,
    /// The command-line flag. Secrets have no flag, because the process list shows flags.
    pub flag: Option<&'static str>,
    /// The description, for the help.
    pub help: &'static str,
}

const fn setting(
    key: &'static str,
    env: &'static str,
    default: Option<&'static str>,
    flag: Option<&'static str>,
    help: &'static str,
) -> Setting {
    Setting {
        key,
        env,
        default,
        flag,
        help,
    }
}

/// The settings, in the order in which a reader needs them.
#[rustfmt::skip] // one line per setting
pub const SETTINGS: &[Setting] = &[
    setting("database_url", "DATABASE_URL", Some("sqlite://ringbook.db"), Some("database-url"), "The database: sqlite://FILE (created when missing) or postgres://USER@HOST/NAME"),
    setting("database_read_url", "DATABASE_READ_URL", None, Some("database-read-url"), "A replica for the reads of the admin API; default: the database itself"),
    setting("database_connections", "RINGBOOK_DATABASE_CONNECTIONS", Some("30"), Some("database-connections"), "Maximum number of connections of this process to PostgreSQL, 6 or more; fewer if the server, the database or the role allows fewer"),
    setting("listen", "RINGBOOK_LISTEN", Some("127.0.0.1:8080"), Some("listen"), "Address and port to listen on"),
    setting("public_url", "RINGBOOK_PUBLIC_URL", None, Some("public-url"), "The https URL at which Vapi and Twilio reach this server; Twilio's callbacks need it"),
    setting("secret_key", "RINGBOOK_SECRET_KEY", None, None, "32 bytes as 64 hex digits or base64 that encrypt the stored secrets; default: a 0600 file beside the database, created at the first start"),
    setting("admin_key", "RINGBOOK_ADMIN_KEY", None, None, "An admin key, 16 characters or more; a new value revokes the previous key; default: created and shown once at the first start"),
    setting("vapi_secret", "RINGBOOK_VAPI_SECRET", None, None, "The default rulebook's webhook secret, 24 characters or more; default: created and shown once at the first start"),
    setting("twilio_account_sid", "TWILIO_ACCOUNT_SID", None, Some("twilio-account-sid"), "The Twilio account that sends SMS messages; without it this instance sends none"),
    setting("twilio_auth_token", "TWILIO_AUTH_TOKEN", None, None, "The account's token"),
    setting("twilio_from", "TWILIO_FROM", None, Some("twilio-from"), "The sender's number, such as +15145550100"),
    setting("twilio_messaging_service_sid", "TWILIO_MESSAGING_SERVICE_SID", None, Some("twilio-messaging-service-sid"), "The sender's messaging service, instead of a number"),
    setting("operator_number", "RINGBOOK_OPERATOR_NUMBER", None, Some("operator-number"), "A phone number that gets SMS messages about urgent notices, at most six an hour per rulebook, such as +15145550100"),
    setting("vapi_api_key", "VAPI_API_KEY", None, None, "The private key for Vapi's list of calls"),
    setting("twilio_base_url", "TWILIO_BASE_URL", Some("https://api.twilio.com"), Some("twilio-base-url"), "Twilio's API, or a stand-in for it"),
    setting("vapi_base_url", "VAPI_BASE_URL", Some("https://api.vapi.ai"), Some("vapi-base-url"), "Vapi's API, or a stand-in for it"),
    setting("trusted_proxies", "RINGBOOK_TRUSTED_PROXIES", None, Some("trusted-proxies"), "Networks whose X-Forwarded-For or Forwarded header is trusted, separated by commas: 10.0.0.0/8,127.0.0.1"),
    setting("cors_origins", "RINGBOOK_CORS_ORIGINS", None, Some("cors-origins"), "Web origins that may call the admin API from a browser, separated by commas"),
    setting("docs", "RINGBOOK_DOCS", Some("on"), Some("docs"), "Where /docs and /openapi.json are served: on (main address), off, or a separate address and port, which then serves everything"),
    setting("metrics", "RINGBOOK_METRICS", Some("on"), Some("metrics"), "Where /metrics is served: on (main address), off, or a separate address and port, which also serves /health"),
    setting("workers", "RINGBOOK_WORKERS", Some("all"), Some("workers"), "Background work that runs here: all, none, or a list separated by commas (outbox, scheduler, escalation, reconciler, purge)"),
    setting("web", "RINGBOOK_WEB", Some("true"), Some("web"), "Serve webhooks and the admin API; false: only /health and /metrics, for a process with only background work"),
    setting("reconcile_every_s", "RINGBOOK_RECONCILE_EVERY_S", Some("300"), Some("reconcile-every-s"), "Interval in seconds for fetching from Vapi the reports that never arrived; needs a Vapi key"),
    setting("spool_dir", "RINGBOOK_SPOOL_DIR", None, Some("spool-dir"), "The folder where messages wait while the database is unavailable; default: `ringbook-spool` beside the SQLite file, else in the working folder"),
    setting("spool_size_mb", "RINGBOOK_SPOOL_SIZE_MB", Some("256"), Some("spool-size-mb"), "Maximum size of the spool in megabytes; 0 disables it: then messages get 503 while the database is unavailable"),
    setting("log_level", "LOG_LEVEL", Some("info"), Some("log-level"), "error, warn, info, debug or trace; also per module: info,ringbook=debug"),
    setting("log_format", "LOG_FORMAT", None, Some("log-format"), "json (one object a line) or pretty; default: pretty on a terminal, else json"),
    setting("include_stack_trace", "INCLUDE_STACK_TRACE", Some("false"), Some("include-stack-trace"), "Log stack traces of errors and panics"),
    setting("rate_limit_enabled", "RATE_LIMIT_ENABLED", Some("true"), Some("rate-limit-enabled"), "Limit requests per address: 500 a second, 1,000 at once; failed signatures 10 a second, wrong admin keys 10 a minute"),
    setting("max_connections", "RINGBOOK_MAX_CONNECTIONS", Some("2048"), Some("max-connections"), "Maximum number of client connections, half of them from one address; fewer if the limit of open files is low"),
];

#[must_use]
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// Returns the existing key that is most similar to a misspelled key.
#[must_use]
pub fn nearest(key: &str) -> &'static str {
    let distance = |setting: &&Setting| strsim::damerau_levenshtein(setting.key, key);
    SETTINGS.iter().min_by_key(distance).map_or("", |setting| setting.key)
}
