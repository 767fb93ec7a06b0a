//! Sessions: a random token in a cookie (`HttpOnly`, `SameSite=Strict`).
//!
//! The database stores only the hash of the token. A session has the rights of its API key, so every request reads the
//! session and the key again.

use base::keys;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use poem::Request;
use poem::http::header;
use sea_orm::{DatabaseTransaction, DbErr};
use sha2::{Digest as _, Sha256};
use store::{api_keys, console_login_links, console_sessions};
use uuid::Uuid;
use web::problem::Problem;

use crate::state::Console;
use crate::words::Language;

const COOKIE: &str = "ringbook_console";
const TOKEN_BYTES: usize = 32;
/// A session ends after this time without use.
const IDLE_LIMIT: TimeDelta = TimeDelta::hours(12);
/// A session ends at this age, even if it is in use.
const ABSOLUTE_LIMIT: TimeDelta = TimeDelta::days(7);
/// How long a one-time sign-in link is valid.
const LINK_LIMIT: TimeDelta = TimeDelta::hours(24);
/// Maximum number of sessions per key. A new session ends the session that has been unused for the longest time.
const MAX_PER_KEY: u64 = 50;
/// The stored time of the last use is updated only if it is at least this old.
const COARSENESS: TimeDelta = TimeDelta::seconds(60);

/// An error while a link is created.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The operating system returned no random bytes.
    #[error(transparent)]
    Randomness(#[from] keys::KeyError),
    /// The database returned an error.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// A session that is valid now.
pub struct Session {
    pub row: console_sessions::Model,
    pub key: api_keys::Model,
    pub token: String,
}

/// The session token of a request. `None` if there are two cookies with the session cookie's name, because another site
/// may have set one of them.
pub fn token_of(request: &Request) -> Option<String> {
    let lines = request.headers().get_all(header::COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut own = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    let (token, None) = (own.next()?, own.next()) else {
        return None;
    };
    (token.len() == 2 * TOKEN_BYTES).then(|| token.to_owned())
}

/// A new session.
pub struct Begun {
    pub token: String,
    pub cookie: String,
}

/// Begins a session with the rights of a key.
pub async fn begin(console: &Console, key_id: Uuid, language: Option<Language>) -> Result<Begun, Problem> {
    let token = hex::encode(keys::random::<TOKEN_BYTES>().map_err(|error| Problem::internal(&error))?);
    let now = console.admin.clock.now();
    let row = console_sessions::Model {
        id: console.admin.clock.new_id(),
        token_hash: hash(&token),
        key_id,
        language: language.map(|language| language.code().to_owned()),
        created_at: now,
        last_used_at: now,
        expires_at: now + ABSOLUTE_LIMIT,
    };
    write(console, move |tx| {
        Box::pin(async move {
            console_sessions::forget(tx, now, now - IDLE_LIMIT).await?;
            while console_sessions::count_of_key(tx, key_id).await? >= MAX_PER_KEY {
                console_sessions::end_oldest_of_key(tx, key_id).await?;
            }
            console_sessions::insert(tx, row).await
        })
    })
    .await?;
    let cookie = cookie(console, &token, ABSOLUTE_LIMIT);
    Ok(Begun { token, cookie })
}

/// Creates a one-time sign-in link for a key, in the transaction `tx`. Returns the token of the link.
///
/// # Errors
/// When the operating system returns no random bytes, or the database returns an error.
pub async fn new_link(tx: &DatabaseTransaction, key_id: Uuid, now: DateTime<Utc>) -> Result<String, LinkError> {
    let token = hex::encode(keys::random::<TOKEN_BYTES>()?);
    let link = console_login_links::Model {
        token_hash: hash(&token),
        key_id,
        expires_at: now + LINK_LIMIT,
    };
    console_login_links::insert(tx, link).await?;
    Ok(token)
}

/// Redeems a one-time link and returns its key. `None` if the link was used, has expired or does not exist, or if the
/// link's key is not valid.
pub async fn redeem(console: &Console, token: &str) -> Result<Option<api_keys::Model>, Problem> {
    let (db, now) = (console.admin.db.clone(), console.admin.clock.now());
    let hash = hash(token);
    let redeemed = tokio::spawn(async move {
        let tx = store::begin(&db).await?;
        let key_id = console_login_links::redeem(&tx, &hash, now).await?;
        let key = match key_id {
            Some(id) => api_keys::by_id(&*tx, id).await?,
            None => None,
        };
        tx.commit().await?;
        Ok::<_, DbErr>(key.filter(|key| key.is_valid(now)))
    });
    let redeemed = redeemed.await.map_err(|error| Problem::internal(&error))?;
    redeemed.map_err(Problem::from)
}

/// Returns the session of a token. `None` if the session has ended, or if the session's key was revoked or has expired.
pub async fn find(console: &Console, token: String) -> Result<Option<Session>, Problem> {
    let (db, now) = (console.admin.latest(), console.admin.clock.now());
    let Some(row) = console_sessions::by_hash(db, &hash(&token)).await? else {
        return Ok(None);
    };
    let key = api_keys::by_id(db, row.key_id).await?.filter(|key| key.is_valid(now));
    let Some(key) = key.filter(|_| is_current(&row, now)) else {
        end(console, row.id).await?;
        return Ok(None);
    };
    if now - row.last_used_at >= COARSENESS {
        let id = row.id;
        write(console, move |tx| Box::pin(console_sessions::touch(tx, id, now))).await?;
    }
    Ok(Some(Session { row, key, token }))
}

/// Ends a session.
pub async fn end(console: &Console, id: Uuid) -> Result<(), Problem> {
    write(console, move |tx| Box::pin(console_sessions::end(tx, id))).await
}

/// Stores the language that the person chose.
pub async fn choose_language(console: &Console, id: Uuid, language: Language) -> Result<(), Problem> {
    write(console, move |tx| {
        Box::pin(console_sessions::choose_language(tx, id, language.code()))
    })
    .await
}

/// The `Set-Cookie` value that deletes the session's cookie.
pub fn no_cookie(console: &Console) -> String {
    cookie(console, "", TimeDelta::zero())
}

fn is_current(row: &console_sessions::Model, now: DateTime<Utc>) -> bool {
    now < row.expires_at && now - row.last_used_at < IDLE_LIMIT
}

fn cookie(console: &Console, token: &str, age: TimeDelta) -> String {
    let secure = if console.https { "; Secure" } else { "" };
    let seconds = age.num_seconds();
    format!("{COOKIE}={token}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Writes in a spawned task, so that a browser that disconnects does not cancel the transaction.
async fn write<W>(console: &Console, work: W) -> Result<(), Problem>
where
    W: for<'a> FnOnce(&'a DatabaseTransaction) -> BoxFuture<'a, Result<(), DbErr>> + Send + 'static,
{
    let db = console.admin.db.clone();
    let done = tokio::spawn(async move {
        let tx = store::begin(&db).await?;
        work(&tx).await?;
        tx.commit().await
    });
    let done = done.await.map_err(|error| Problem::internal(&error))?;
    done.map_err(Problem::from)
}
