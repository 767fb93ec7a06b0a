//! Authenticates and authorizes requests by API key.
//!
//! An operation declares its minimum role by the type of its first argument: `Key<Viewer>`, `Key<Dispatcher>`,
//! `Key<Editor>`, `Key<Publisher>` or `Key<Admin>`. The check and the OpenAPI document both use this type.

use std::marker::PhantomData;
use std::ops::Deref;

use poem::http::{Method, header};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, Enum, ExtractParamOptions};
use sea_orm::EntityTrait as _;
use uuid::Uuid;

use super::api_key_format;
use super::concurrency_limit::RequestSlot;
use super::masking::HideNumbers;
use super::state::AdminState;
use revisions::publish::Author;
use store::api_keys;
use web::connections::Connection;
use web::problem::{Code, Problem};
use web::{ClientAddress, request_id};

/// What a key may do. From `viewer` to `admin` each role includes the previous ones; `owner` is separate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case")]
pub enum Role {
    /// Reads; phone numbers are masked.
    Viewer,
    /// Sees phone numbers, acknowledges leads, resends SMS messages, resolves notices. Changes no rule.
    Dispatcher,
    /// Also changes the rules.
    Editor,
    /// Also approves other people's changes that exceed the guard rails.
    Publisher,
    /// Also creates rulebooks, keys and secrets.
    Admin,
    /// Reads everything and approves other people's changes. Makes no changes.
    Owner,
}

impl Role {
    /// All roles.
    const ALL: [Self; 6] = [
        Self::Viewer,
        Self::Dispatcher,
        Self::Editor,
        Self::Publisher,
        Self::Admin,
        Self::Owner,
    ];

    /// Whether this role may run an operation that needs `least`; `reads` is true if the operation changes nothing.
    #[must_use]
    pub fn includes(self, least: Self, reads: bool) -> bool {
        match self {
            // An owner may approve and reject. Only these operations have the minimum role `publisher`.
            Self::Owner => reads || matches!(least, Self::Viewer | Self::Publisher | Self::Owner),
            ranked => ranked as u8 >= least as u8,
        }
    }

    /// The role's name in the API and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Dispatcher => "dispatcher",
            Self::Editor => "editor",
            Self::Publisher => "publisher",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// The type parameter of [`Key`]: the minimum role of an operation.
pub trait Needs: Send + Sync + 'static {
    /// The minimum role.
    const ROLE: Role;
}

/// Every key has at least this role.
pub struct Viewer;
pub struct Dispatcher;
pub struct Editor;
pub struct Publisher;
pub struct Admin;

impl Needs for Viewer {
    const ROLE: Role = Role::Viewer;
}
impl Needs for Dispatcher {
    const ROLE: Role = Role::Dispatcher;
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

/// The authenticated API caller.
#[derive(Debug, Clone)]
pub struct Caller {
    pub key_id: Uuid,
    pub name: String,
    pub role: Role,
    /// The only rulebook that the API caller may access; `None` means all rulebooks.
    pub rulebook_id: Option<Uuid>,
    /// The client address.
    pub address: String,
}

impl Caller {
    /// Whether the API caller may access a rulebook.
    #[must_use]
    pub fn sees(&self, rulebook_id: Uuid) -> bool {
        self.rulebook_id.is_none_or(|own| own == rulebook_id)
    }

    /// Whether phone numbers are masked for this API caller.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.role == Role::Viewer
    }

    /// The API caller as the author of a change.
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

/// The id of the API key of a console session. The console adds this id as an extension to the requests that the
/// console makes in this process. A client cannot send the id, because no header contains it. Each request reads the
/// key from the database again.
#[derive(Debug, Clone, Copy)]
pub struct SignedIn(pub Uuid);

/// The API caller, who has at least the role `N`, and the [`RequestSlot`] that the request occupies.
pub struct Key<N>(
    Caller,
    #[expect(dead_code, reason = "held until the response is sent")] RequestSlot,
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

    /// Returns the minimum role as the name of the scheme. The OpenAPI document replaces all these schemes with one
    /// scheme, and puts the role into `x-required-role`.
    fn security_schemes() -> Vec<&'static str> {
        vec![N::ROLE.name()]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let state = request.data::<AdminState>().ok_or_else(Problem::unauthorized)?;
        let (place, caller) = match request.data::<SignedIn>() {
            Some(signed_in) => {
                let place = state.at_once.enter(&signed_in.0.to_string())?;
                (place, again(state, request, signed_in.0).await?)
            }
            None => {
                let place = state.at_once.enter(bearer(request).unwrap_or_default())?;
                let text = bearer(request).ok_or_else(unknown_key)?;
                (place, recognise(state, request, text).await?)
            }
        };
        if let Some(hide) = request.data::<HideNumbers>() {
            hide.note(&caller);
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !caller.role.includes(N::ROLE, reads) {
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

/// Returns the 401 problem. The problem says what to send, but never what was wrong with the key.
fn unknown_key() -> Problem {
    let detail = "Send `Authorization: Bearer KEY` with an admin key that is neither revoked nor expired; in Swagger UI, \
                  press Authorize and paste the key.";
    Problem::new(Code::Unauthorized, detail)
}

/// Finds the key by its prefix and compares its hash in constant time. If no key has the prefix, a dummy comparison
/// takes the same time. Only an unknown key counts as a failed guess, because the sender of an expired key knew a real
/// key.
///
/// # Errors
/// 401 for an unknown, revoked or expired key; 429 after too many failed guesses or requests.
pub async fn recognise(state: &AdminState, request: &Request, text: &str) -> Result<Caller, Problem> {
    let (address, now) = (ClientAddress::of(request), state.clock.now());
    let prefix = api_key_format::prefix_of(text);
    let beginning = prefix.as_deref().unwrap_or_default();
    let found = match &prefix {
        Some(prefix) => api_keys::by_prefix(state.latest(), prefix).await?,
        None => Vec::new(),
    };
    let Some(key) = among(found, text) else {
        state.guesses.wrong(address, beginning, now)?;
        return Err(unknown_key());
    };
    admitted(state, request, key)
}

/// Returns the API caller of a console session. The sign-in has verified the key, so this function needs only the key's
/// id.
async fn again(state: &AdminState, request: &Request, key_id: Uuid) -> Result<Caller, Problem> {
    let found = api_keys::by_id(state.latest(), key_id).await?;
    admitted(state, request, found.ok_or_else(unknown_key)?)
}

/// Returns the API caller of a known key, if the key is neither revoked nor expired.
fn admitted(state: &AdminState, request: &Request, key: api_keys::Model) -> Result<Caller, Problem> {
    let (address, now) = (ClientAddress::of(request), state.clock.now());
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

/// Whether the API caller's key is still valid and has the same role and rulebook. A streaming response checks this
/// repeatedly. The result is true while the database does not respond, so that the stream continues.
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

/// Finds the stored key that has the hash of `text`. `found` contains the keys that have the prefix of `text`. If
/// `found` is empty, a dummy comparison takes the same time.
fn among(found: Vec<api_keys::Model>, text: &str) -> Option<api_keys::Model> {
    if found.is_empty() {
        std::hint::black_box(api_key_format::matches(&[0; 32], text));
    }
    found.into_iter().find(|key| api_key_format::matches(&key.hash, text))
}

/// Returns the API key of a request. A request with two `Authorization` headers is rejected, because a proxy may have
/// checked only one of them.
fn bearer(request: &Request) -> Option<&str> {
    let mut sent = request.headers().get_all(header::AUTHORIZATION).iter();
    let (first, None) = (sent.next()?, sent.next()) else {
        return None;
    };
    let (scheme, key) = first.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}
