//! All settings, typed. Only this module reads the environment.
//!
//! The order of precedence is: flags, environment, `ringbook.toml`, defaults. An error names the setting, the source of
//! its value and what was expected. [`table`] lists the settings, [`values`] parses their types, [`flags`] makes the
//! command-line options.

pub mod flags;
pub mod table;
pub mod values;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use toml::Value;

pub use self::flags::Flags;
use self::{table::SETTINGS, values::ExpectedClause};
use base::secret::Secret;
use base::telemetry::{LogFormat, LogSettings};
use store::{Database, secrets::WEBHOOK_LENGTH};

/// The settings of one process.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table describes each setting")]
pub struct Settings {
    pub database: Database,
    pub read_database: Option<Database>,
    pub database_connections: u32,
    pub listen: SocketAddr,
    pub public_url: Option<String>,
    pub secret_key: Option<Secret<[u8; 32]>>,
    pub admin_key: Option<Secret>,
    pub vapi_secret: Option<Secret>,
    pub twilio: Option<TwilioAccount>,
    pub operator_number: Option<String>,
    pub vapi_api_key: Option<Secret>,
    pub twilio_base_url: String,
    pub vapi_base_url: String,
    pub trusted_proxies: Vec<IpNet>,
    pub cors_origins: Vec<String>,
    pub docs: PageAddress,
    pub metrics: PageAddress,
    pub workers: Vec<Worker>,
    pub web: bool,
    pub reconcile_every: Duration,
    pub spool_dir: Option<PathBuf>,
    pub spool_size_mb: u32,
    pub log_level: String,
    pub log_format: Option<LogFormat>,
    pub include_stack_trace: bool,
    pub rate_limit_enabled: bool,
    pub max_connections: usize,
}

impl Settings {
    /// The settings for logging.
    #[must_use]
    pub fn log(&self) -> LogSettings<'_> {
        LogSettings {
            level: &self.log_level,
            format: self.log_format,
            stack_traces: self.include_stack_trace,
        }
    }

    /// Returns the folder of the spool: the configured folder, else a folder next to the SQLite file, else a folder in
    /// the working folder.
    #[must_use]
    pub fn spool_folder(&self) -> PathBuf {
        self.spool_dir.clone().unwrap_or_else(|| {
            let beside = self.database.file().and_then(Path::parent).unwrap_or(Path::new(""));
            beside.join("ringbook-spool")
        })
    }
}

/// The Twilio account of the default rulebook.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields have the names that Twilio uses")]
pub struct TwilioAccount {
    pub account_sid: String,
    pub auth_token: Secret,
    pub from: TwilioFrom,
}

/// The sender of SMS messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TwilioFrom {
    Number(String),
    /// A messaging service's SID.
    MessagingService(String),
}

/// Where a page is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageAddress {
    /// At the main address.
    Public,
    /// Nowhere.
    Nowhere,
    /// At a separate address.
    At(SocketAddr),
}

/// A type of background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// Sends SMS messages.
    Outbox,
    /// Publishes scheduled change sets.
    Scheduler,
    /// Escalates a P1 while nobody has acknowledged it.
    Escalation,
    /// Fetches from Vapi the reports that never arrived.
    Reconciler,
    /// Deletes expired data.
    Purge,
}

impl Worker {
    /// All types.
    pub const ALL: &'static [Self] = &[
        Self::Outbox,
        Self::Scheduler,
        Self::Escalation,
        Self::Reconciler,
        Self::Purge,
    ];

    /// The worker's name in RINGBOOK_WORKERS.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Scheduler => "scheduler",
            Self::Escalation => "escalation",
            Self::Reconciler => "reconciler",
            Self::Purge => "purge",
        }
    }
}

/// A setting is invalid.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value has the wrong format.
    #[error("{env} (from {source_name}) must be {expected}")]
    Value {
        /// The environment variable of the setting.
        env: &'static str,
        /// The source of the value, for example the environment.
        source_name: String,
        /// What was expected.
        expected: ExpectedClause,
    },
    /// A key in `ringbook.toml` is not a setting.
    #[error("`{key}` in {source_name} is not a setting; did you mean `{nearest}`?")]
    Unknown {
        /// The key as written.
        key: String,
        /// The file.
        source_name: String,
        /// The most similar key that exists.
        nearest: &'static str,
    },
    /// Some settings of a group are missing, and the group must be complete.
    #[error("{0}")]
    Incomplete(&'static str),
    /// The file cannot be read.
    #[error("{0}")]
    File(String),
}

impl Settings {
    /// Loads the settings of this process: `flags` override the environment, which overrides `file`, which overrides the
    /// defaults.
    ///
    /// # Errors
    /// If a value is invalid; the error names the setting and what was expected.
    #[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
    pub fn load(flags: &Flags) -> Result<Self, SettingsError> {
        Self::load_from(flags, |name| std::env::var(name).ok(), Path::new("ringbook.toml"))
    }

    /// Loads the settings like [`Settings::load`], but with the given environment and default file.
    ///
    /// # Errors
    /// The errors of [`Settings::load`].
    pub fn load_from(flags: &Flags, env: impl Fn(&str) -> Option<String>, file: &Path) -> Result<Self, SettingsError> {
        let defaults = SETTINGS
            .iter()
            .filter_map(|setting| Some((setting.key, setting.default?.to_owned())));
        // An empty variable counts as unset, because a compose file passes an empty variable for an omitted setting.
        let environment = SETTINGS.iter().filter_map(|setting| {
            env(setting.env)
                .filter(|value| !value.trim().is_empty())
                .map(|value| (setting.key, value))
        });
        let mut raw = Raw::default();
        raw.merge_texts("the defaults", defaults);
        match &flags.config {
            Some(path) if !path.is_file() => {
                return Err(SettingsError::File(format!(
                    "the file {} named by --config does not exist",
                    path.display()
                )));
            }
            Some(path) => raw.merge_file(path)?,
            None if file.is_file() => raw.merge_file(file)?,
            None => {}
        }
        raw.merge_texts("the environment", environment);
        let flags = flags.values.iter().map(|(key, value)| (*key, value.clone()));
        raw.merge_texts("the command line", flags);
        raw.into_settings()
    }
}

/// The values of all sources, before they are parsed: for each key, its value and the name of its source.
#[derive(Default)]
struct Raw(BTreeMap<String, (Value, String)>);

impl Raw {
    fn merge_texts<'a>(&mut self, source_name: &str, values: impl Iterator<Item = (&'a str, String)>) {
        for (key, value) in values {
            self.0
                .insert(key.to_owned(), (Value::String(value), source_name.to_owned()));
        }
    }

    fn merge_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| SettingsError::File(format!("the file {} cannot be read: {error}", path.display())))?;
        let table: toml::Table =
            toml::from_str(&text).map_err(|error| SettingsError::File(format!("{}: {error}", path.display())))?;
        for (key, value) in table {
            self.0.insert(key, (value, path.display().to_string()));
        }
        Ok(())
    }

    fn into_settings(self) -> Result<Settings, SettingsError> {
        self.refuse_unknown_keys()?;
        Ok(Settings {
            database: self.required("database_url", values::database)?,
            read_database: self.optional("database_read_url", values::database)?,
            database_connections: self.required("database_connections", values::connections)?,
            listen: self.required("listen", values::address)?,
            public_url: self.optional("public_url", values::url)?,
            secret_key: self.optional("secret_key", values::key)?,
            admin_key: self.optional("admin_key", values::secret::<16>)?,
            vapi_secret: self.optional("vapi_secret", values::secret::<WEBHOOK_LENGTH>)?,
            twilio: self.twilio()?,
            operator_number: self.optional("operator_number", values::phone)?,
            vapi_api_key: self.optional("vapi_api_key", values::secret::<8>)?,
            twilio_base_url: self.required("twilio_base_url", values::url)?,
            vapi_base_url: self.required("vapi_base_url", values::url)?,
            trusted_proxies: self.optional("trusted_proxies", values::networks)?.unwrap_or_default(),
            cors_origins: self.optional("cors_origins", values::origins)?.unwrap_or_default(),
            docs: self.required("docs", values::place)?,
            metrics: self.required("metrics", values::place)?,
            workers: self.required("workers", values::workers)?,
            web: self.required("web", values::boolean)?,
            reconcile_every: self.required("reconcile_every_s", values::seconds::<10, 86_400>)?,
            spool_dir: self.optional("spool_dir", values::folder)?,
            spool_size_mb: self.required("spool_size_mb", values::megabytes)?,
            log_level: self.required("log_level", values::log_level)?,
            log_format: self.optional("log_format", values::log_format)?,
            include_stack_trace: self.required("include_stack_trace", values::boolean)?,
            rate_limit_enabled: self.required("rate_limit_enabled", values::boolean)?,
            max_connections: self.required("max_connections", values::count::<16, 65_000>)?,
        })
    }

    fn twilio(&self) -> Result<Option<TwilioAccount>, SettingsError> {
        let account_sid = self.optional("twilio_account_sid", values::account_sid)?;
        let auth_token = self.optional("twilio_auth_token", values::secret::<8>)?;
        let number = self.optional("twilio_from", values::phone)?;
        let service = self.optional("twilio_messaging_service_sid", values::messaging_service_sid)?;
        let from = match (number, service) {
            // A messaging service takes precedence, because it selects its numbers itself.
            (_, Some(service)) => Some(TwilioFrom::MessagingService(service)),
            (Some(number), None) => Some(TwilioFrom::Number(number)),
            (None, None) => None,
        };
        match (account_sid, auth_token, from) {
            (None, None, _) => Ok(None),
            (Some(account_sid), Some(auth_token), Some(from)) => Ok(Some(TwilioAccount {
                account_sid,
                auth_token,
                from,
            })),
            (Some(_), Some(_), None) => Err(SettingsError::Incomplete(
                "TWILIO_ACCOUNT_SID is set, but neither TWILIO_FROM nor TWILIO_MESSAGING_SERVICE_SID names the sender",
            )),
            _ => Err(SettingsError::Incomplete(
                "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN belong together: set both or neither",
            )),
        }
    }

    fn refuse_unknown_keys(&self) -> Result<(), SettingsError> {
        match self.0.iter().find(|(key, _)| table::find(key).is_none()) {
            Some((key, (_, source_name))) => Err(SettingsError::Unknown {
                key: key.clone(),
                source_name: source_name.clone(),
                nearest: table::nearest(key),
            }),
            None => Ok(()),
        }
    }

    fn optional<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, ExpectedClause>,
    ) -> Result<Option<T>, SettingsError> {
        let Some((value, source_name)) = self.0.get(key) else {
            return Ok(None);
        };
        let parsed = to_text(value).and_then(|text| parse(text.trim()));
        parsed.map(Some).map_err(|expected| SettingsError::Value {
            env: table::find(key).map_or("a setting", |setting| setting.env),
            source_name: source_name.clone(),
            expected,
        })
    }

    fn required<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, ExpectedClause>) -> Result<T, SettingsError> {
        self.optional(key, parse)?
            .ok_or(SettingsError::Incomplete("a setting lost its default"))
    }
}

/// Converts TOML numbers, booleans and lists to strings, so that all values are strings.
fn to_text(value: &Value) -> Result<String, ExpectedClause> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Boolean(yes) => Ok(yes.to_string()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(to_text).collect();
            Ok(items?.join(","))
        }
        _ => Err("a string in quotes".into()),
    }
}

#[cfg(test)]
mod tests;
