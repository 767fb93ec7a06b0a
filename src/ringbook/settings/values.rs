//! Parses the values of settings. The values are already trimmed and not empty. An error describes the expected value
//! with a clause that completes "must be …". The error never repeats the value, because it may be a secret.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use base64::Engine as _;
use ipnet::IpNet;
use poem::http::Uri;

use store::postgres_limits::PREPARED_STATEMENTS;

use super::{Database, LogFormat, PageAddress, Secret, Worker};

/// A clause that describes the expected value, and completes "must be …".
pub type ExpectedClause = String;

/// Yes or no.
pub fn boolean(value: &str) -> Result<bool, ExpectedClause> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false".into()),
    }
}

/// Parses the path of a folder. The folder does not have to exist.
pub fn folder(value: &str) -> Result<PathBuf, ExpectedClause> {
    Ok(PathBuf::from(value))
}

/// Parses a number of megabytes, up to a terabyte.
pub fn megabytes(value: &str) -> Result<u32, ExpectedClause> {
    let number = value.parse().ok().filter(|number| *number <= 1_000_000);
    number.ok_or_else(|| "a whole number of megabytes, up to 1000000".into())
}

/// Parses a number of database connections.
pub fn connections(value: &str) -> Result<u32, ExpectedClause> {
    let number = value.parse().ok().filter(|number| (6..=1_000).contains(number));
    number.ok_or_else(|| "a whole number of connections from 6 to 1000".into())
}

/// Parses a number from `MIN` to `MAX`.
pub fn count<const MIN: usize, const MAX: usize>(value: &str) -> Result<usize, ExpectedClause> {
    let number = value.parse().ok().filter(|number| (MIN..=MAX).contains(number));
    number.ok_or_else(|| format!("a whole number from {MIN} to {MAX}"))
}

/// Parses an IP address and a port.
pub fn address(value: &str) -> Result<SocketAddr, ExpectedClause> {
    SocketAddr::from_str(value).map_err(|_| "an address and a port such as 127.0.0.1:8080 or [::1]:8080".into())
}

/// Parses where a page is served.
pub fn place(value: &str) -> Result<PageAddress, ExpectedClause> {
    match value {
        "on" | "true" => Ok(PageAddress::Public),
        "off" | "false" => Ok(PageAddress::Nowhere),
        value => {
            let address =
                SocketAddr::from_str(value).map_err(|_| "on, off, or an address and a port such as 127.0.0.1:9090");
            Ok(PageAddress::At(address?))
        }
    }
}

/// The parameters of a PostgreSQL URL that the driver supports.
const POSTGRES_PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// A database URL. Rejects a URL with parts that the driver would ignore or misread.
pub fn database(value: &str) -> Result<Database, ExpectedClause> {
    const EXPECTED: &str = "sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME";
    let database = Database::parse(value).ok_or(EXPECTED)?;
    if matches!(database, Database::Postgres(_)) {
        postgres(value)?;
    }
    Ok(database)
}

fn postgres(value: &str) -> Result<(), ExpectedClause> {
    let several = "the URL of one server: for several hosts, put HAProxy, a virtual IP address or a host name that follows the \
                   primary in front of them";
    let rest = value.split_once("://").map_or("", |(_, rest)| rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let hosts = place.split('/').next().unwrap_or_default();
    let hosts = hosts.rsplit('@').next().unwrap_or_default();
    if hosts.contains(',') {
        return Err(several.into());
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, given) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "target_session_attrs" | "load_balance_hosts" => {
                return Err(format!("{several}; omit `{name}`, which would be ignored"));
            }
            "host" | "hostaddr" | "port" if given.contains([',']) || given.to_ascii_lowercase().contains("%2c") => {
                return Err(several.into());
            }
            "statement-cache-capacity"
                if given
                    .parse::<usize>()
                    .is_ok_and(|capacity| capacity < PREPARED_STATEMENTS) =>
            {
                return Err(format!(
                    "a URL without `statement-cache-capacity`, or with {PREPARED_STATEMENTS} or more: a connection with a \
                     smaller cache leaves prepared statements on the server until it ends"
                ));
            }
            name if POSTGRES_PARAMETERS.contains(&name) || name.starts_with("options") => {}
            // The error names the parameter but not its value, which may be a secret.
            name => {
                let name: String = name
                    .chars()
                    .filter(|letter| letter.is_ascii_alphanumeric() || "_-".contains(*letter))
                    .collect();
                return Err(format!("a URL without the parameter `{name}`, which would be ignored"));
            }
        }
    }
    Ok(())
}

/// Parses the URL of a web server, and removes a trailing slash.
pub fn url(value: &str) -> Result<String, ExpectedClause> {
    let expected = "a URL such as https://ringbook.example.com";
    let uri = Uri::from_str(value).map_err(|_| expected)?;
    if !matches!(uri.scheme_str(), Some("http" | "https"))
        || uri.host().is_none_or(str::is_empty)
        || uri.query().is_some()
    {
        return Err(expected.into());
    }
    Ok(value.trim_end_matches('/').to_owned())
}

/// Parses a secret of at least `N` characters that are valid in a header.
pub fn secret<const N: usize>(value: &str) -> Result<Secret, ExpectedClause> {
    if value.len() < N || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{N} or more visible ASCII characters, without spaces"));
    }
    Ok(Secret::new(value.to_owned()))
}

/// A key of 32 bytes.
pub fn key(value: &str) -> Result<Secret<[u8; 32]>, ExpectedClause> {
    let hex = hex::decode(value).ok();
    let bytes = hex.or_else(|| base64::engine::general_purpose::STANDARD.decode(value).ok());
    let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    key.map(Secret::new)
        .ok_or_else(|| "32 bytes, as 64 hex digits or as base64".into())
}

/// Parses a Twilio identifier that begins with this prefix.
fn sid(value: &str, prefix: &str) -> Result<String, ExpectedClause> {
    if value.starts_with(prefix) && value.len() > 2 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(value.to_owned())
    } else {
        Err(format!("a Twilio identifier that begins with {prefix}"))
    }
}

/// A Twilio account SID.
pub fn account_sid(value: &str) -> Result<String, ExpectedClause> {
    sid(value, "AC")
}

/// Parses the SID of a Twilio messaging service.
pub fn messaging_service_sid(value: &str) -> Result<String, ExpectedClause> {
    sid(value, "MG")
}

/// Parses a phone number with its country code.
pub fn phone(value: &str) -> Result<String, ExpectedClause> {
    let digits = value.strip_prefix('+').unwrap_or_default();
    if (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(value.to_owned())
    } else {
        Err("a number with its country code and nothing else, such as +15145550100".into())
    }
}

/// Parses networks that are separated by commas. A bare address is a network with one address.
pub fn networks(value: &str) -> Result<Vec<IpNet>, ExpectedClause> {
    let network = |item: &str| {
        IpNet::from_str(item)
            .or_else(|_| item.parse::<IpAddr>().map(IpNet::from))
            .ok()
    };
    items(value)
        .map(network)
        .collect::<Option<_>>()
        .ok_or_else(|| "addresses or networks separated by commas, such as 10.0.0.0/8,127.0.0.1".into())
}

/// Parses web origins that are separated by commas.
pub fn origins(value: &str) -> Result<Vec<String>, ExpectedClause> {
    let parsed: Result<Vec<_>, _> = items(value).map(url).collect();
    parsed.map_err(|_| "origins separated by commas, such as https://admin.example.com".into())
}

/// Parses the list of the background work that this process does.
pub fn workers(value: &str) -> Result<Vec<Worker>, ExpectedClause> {
    match value {
        "all" => Ok(Worker::ALL.to_vec()),
        "none" => Ok(Vec::new()),
        list => items(list)
            .map(|name| Worker::ALL.iter().copied().find(|worker| worker.name() == name))
            .collect::<Option<_>>()
            .ok_or_else(|| {
                let names: Vec<&str> = Worker::ALL.iter().map(|worker| worker.name()).collect();
                format!("all, none, or a list of: {}", names.join(", "))
            }),
    }
}

/// Parses a number of seconds from `MIN` to `MAX`.
pub fn seconds<const MIN: u64, const MAX: u64>(value: &str) -> Result<Duration, ExpectedClause> {
    let seconds = value.parse().ok().filter(|seconds| (MIN..=MAX).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| format!("a whole number of seconds from {MIN} to {MAX}"))
}

/// Parses a log level, or a list of levels per module.
pub fn log_level(value: &str) -> Result<String, ExpectedClause> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    // A bare word that is not a level would count as the name of a module, and nothing would be logged.
    let typo =
        items(value).any(|item| !item.contains(['=', '[']) && !levels.contains(&item.to_ascii_lowercase().as_str()));
    if typo || tracing_subscriber::EnvFilter::try_new(value).is_err() {
        return Err("error, warn, info, debug or trace, or levels per module such as info,ringbook=debug".into());
    }
    Ok(value.to_owned())
}

/// Parses the format of log lines.
pub fn log_format(value: &str) -> Result<LogFormat, ExpectedClause> {
    match value {
        "json" => Ok(LogFormat::Json),
        "pretty" => Ok(LogFormat::Pretty),
        _ => Err("json or pretty".into()),
    }
}

fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}
