//! The settings as command-line flags, generated from the table of settings. The help of each flag names the
//! environment variable and the default. Secrets never have a flag, because the process list shows flags.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::table::SETTINGS;

/// The settings given on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The settings file that replaces `ringbook.toml`.
    pub config: Option<PathBuf>,
    /// Values by key.
    pub values: BTreeMap<&'static str, String>,
}

impl Flags {
    /// Adds a value, for tests and tools.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.values.insert(key, value.into());
        self
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        if let Some(path) = matches.get_one::<PathBuf>("config") {
            self.config = Some(path.clone());
        }
        for setting in SETTINGS.iter().filter(|setting| setting.flag.is_some()) {
            if let Some(value) = matches.get_one::<String>(setting.key) {
                self.values.insert(setting.key, value.clone());
            }
        }
        Ok(())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .global(true)
            .help_heading("Settings")
            .value_parser(value_parser!(PathBuf))
            .help("Settings file [default: ringbook.toml in this folder, if it exists]");
        SETTINGS
            .iter()
            .filter(|setting| setting.flag.is_some())
            .fold(command.arg(config), |command, setting| {
                let default = setting
                    .default
                    .map(|default| format!(" [default: {default}]"))
                    .unwrap_or_default();
                command.arg(
                    Arg::new(setting.key)
                        .long(setting.flag.unwrap_or(setting.key))
                        .value_name("VALUE")
                        .global(true)
                        // `serve --help` lists all settings. Other commands accept all settings too, but need only a
                        // few.
                        .hide(!EVERYWHERE.contains(&setting.key))
                        .help_heading("Settings")
                        .help(format!("{} [env: {}]{default}", setting.help, setting.env)),
                )
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The settings that every command's help shows.
const EVERYWHERE: [&str; 2] = ["database_url", "log_level"];

/// Builds the section about all settings in the help of `serve`.
#[must_use]
pub fn help_on_settings() -> String {
    let mut help = String::from("Settings of the server, as flags, environment variables or in ringbook.toml:\n");
    for setting in SETTINGS {
        let Some(flag) = setting.flag else { continue };
        let default = setting.default.map(|default| format!(" [default: {default}]"));
        let _ = writeln!(
            help,
            "  --{flag} <VALUE>  [env: {}]{}\n          {}",
            setting.env,
            default.unwrap_or_default(),
            setting.help
        );
    }
    format!("{help}\n{}", help_on_secrets())
}

/// Builds the section about settings that are not flags.
fn help_on_secrets() -> String {
    let mut help = String::from("Settings without a flag, because a process list shows flags:\n");
    for setting in SETTINGS.iter().filter(|setting| setting.flag.is_none()) {
        let _ = writeln!(help, "  {}\n          {}", setting.env, setting.help);
    }
    help.push_str("\nA flag overrides the environment, the environment overrides ringbook.toml, and ringbook.toml overrides the default.\nIn ringbook.toml a setting is named like its flag, with underscores: database_url = \"…\", vapi_secret = \"…\".");
    help
}
