//! Who is asking, and whether they may.
//!
//! In: the `Authorization` header of a request. Out: a [`Caller`], or 401, or 403 with the role that is needed.
//! An operation declares the role it needs by the type of its first argument, `Key<Viewer>`, `Key<Editor>`,
//! `Key<Publisher>` or `Key<Admin>`: check and document come from that one place.

use std::marker::PhantomData;
use std::ops::Deref;

use poem::{Request, RequestBody, http::header};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, Enum, ExtractParamOptions};
use sea_orm::EntityTrait as _;
use uuid::Uuid;

use super::AdminState;
use super::at_once::Place;
use super::keys;
use super::masking::Hidden;
use crate::edge::connections::Connection;
use crate::edge::{ClientAddress, request_id};
use crate::problem::{Code, Problem};
use crate::rulebook::publish::Author;
use crate::store::api_keys;

/// What a key may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Role {
    /// Reads; phone numbers are masked.
    Viewer,
    /// Changes the rules.
    Editor,
    /// Changes the rules, and approves what others changed beyond the guard rails.
    Publisher,
    /// Makes rulebooks, keys and secrets.
    Admin,
}

impl Role {
    /// Its name in the API and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Publisher => "publisher",
            Self::Admin => "admin",
        }
    }

    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Publisher, Self::Admin]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// A role as a type, for [`Key`].
pub trait Needs: Send + Sync + 'static {
    /// The least role that will do.
    const ROLE: Role;
}

/// Any key will do.
pub struct Viewer;
/// A key that may change the rules.
pub struct Editor;
/// A key that may approve what others changed.
pub struct Publisher;
/// A key that may make rulebooks, keys and secrets.
pub struct Admin;

impl Needs for Viewer {
    const ROLE: Role = Role::Viewer;
}
impl Needs for Editor {
    const ROLE: Role = Role::Editor;
}
impl Needs for Publisher {
    const ROLE: Role = Role::Publisher;
}
impl Needs for Admin {
    const ROLE: Role = Role::Admin;
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key's id.
    pub key_id: Uuid,
    /// The key's name, as people wrote it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The only rulebook it may see; none is all of them.
    pub rulebook_id: Option<Uuid>,
    /// From where.
    pub address: String,
}

impl Caller {
    /// Whether a rulebook exists for this caller.
    #[must_use]
    pub fn sees(&self, rulebook_id: Uuid) -> bool {
        self.rulebook_id.is_none_or(|own| own == rulebook_id)
    }

    /// Whether phone numbers are hidden from this caller.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.role == Role::Viewer
    }

    /// As the author of a change.
    #[must_use]
    pub fn author(&self) -> Author {
        Author {
            name: self.name.clone(),
            key_id: Some(self.key_id),
            address: Some(self.address.clone()),
            request_id: request_id::current().map(|id| id.to_string()),
        }
    }
}

/// The caller, proven to have at least the role `N`, and the request's place among those of its key.
pub struct Key<N>(
    Caller,
    #[expect(dead_code, reason = "held until the request is answered")] Place,
    PhantomData<N>,
);

impl<N> Deref for Key<N> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<'a, N: Needs> ApiExtractor<'a> for Key<N> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        registry.create_security_scheme(
            N::ROLE.name(),
            MetaSecurityScheme {
                ty: "http",
                description: None,
                name: None,
                key_in: None,
                scheme: Some("bearer"),
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    /// The role; the document turns it into the one scheme with the role it needs.
    fn security_schemes() -> Vec<&'static str> {
        vec![N::ROLE.name()]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let state = request.data::<AdminState>().ok_or_else(Problem::unauthorized)?;
        let place = state.at_once.enter(bearer(request).unwrap_or_default())?;
        let caller = recognise(state, request).await?;
        if let Some(hide) = request.data::<Hidden>() {
            hide.note(&caller);
        }
        if caller.role < N::ROLE {
            let detail = format!(
                "This needs a key with the role `{}`; the key `{}` has the role `{}`.",
                N::ROLE.name(),
                caller.name,
                caller.role.name()
            );
            return Err(Problem::new(Code::Forbidden, detail).into());
        }
        Ok(Self(caller, place, PhantomData))
    }
}

/// 401: what to send, and never what was wrong with what was sent.
fn unknown_key() -> Problem {
    let detail = "Send `Authorization: Bearer KEY` with an admin key that is neither revoked nor expired; in Swagger UI, \
                  press Authorize and paste the key.";
    Problem::new(Code::Unauthorized, detail)
}

/// Finds the key by its prefix and compares its hash in constant time, also where there is none. Only a key that is not ours
/// is a guess: one that has expired was known to whoever sends it.
async fn recognise(state: &AdminState, request: &Request) -> Result<Caller, Problem> {
    let text = bearer(request).ok_or_else(unknown_key)?;
    let (address, now) = (ClientAddress::of(request), state.clock.now());
    let prefix = keys::prefix_of(text);
    let beginning = prefix.as_deref().unwrap_or_default();
    let found = match &prefix {
        Some(prefix) => api_keys::by_prefix(state.latest(), prefix).await?,
        None => Vec::new(),
    };
    let Some(key) = among(found, text) else {
        state.guesses.wrong(address, beginning, now)?;
        return Err(unknown_key());
    };
    if !key.is_valid(now) {
        return Err(unknown_key());
    }
    Connection::prove(request);
    state.guesses.right(address, key.id)?;
    let role = Role::named(&key.role).ok_or_else(unknown_key)?;
    state.last_use.note(&state.db, &key, now);
    Ok(Caller {
        key_id: key.id,
        name: key.name,
        role,
        rulebook_id: key.rulebook_id,
        address: address.0.to_string(),
    })
}

/// Whether a caller who was let in would be let in now, with the same role: for answers that go on. While the database does not
/// say, the answer goes on.
pub(super) async fn still_may(state: &AdminState, caller: &Caller) -> bool {
    match api_keys::Entity::find_by_id(caller.key_id).one(state.latest()).await {
        Ok(Some(key)) => {
            let same = key.role == caller.role.name() && key.rulebook_id == caller.rulebook_id;
            same && key.is_valid(state.clock.now())
        }
        Ok(None) => false,
        Err(_) => true,
    }
}

/// The key of this text among those that begin like it. Where none does, as much is worked out in vain.
fn among(found: Vec<api_keys::Model>, text: &str) -> Option<api_keys::Model> {
    if found.is_empty() {
        std::hint::black_box(keys::matches(&[0; 32], text));
    }
    found.into_iter().find(|key| keys::matches(&key.hash, text))
}

fn bearer(request: &Request) -> Option<&str> {
    let (scheme, key) = request.header(header::AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}
