//! The state that all pages share: the admin API, and whether browsers use https.

use std::sync::Arc;

use admin::AdminState;
use poem::Response;
use poem::endpoint::BoxEndpoint;

/// The state that all pages share. Cloning is cheap.
#[derive(Clone)]
pub struct Console {
    /// The state of the admin API.
    pub(crate) admin: AdminState,
    /// The admin API itself.
    pub(crate) api: Arc<BoxEndpoint<'static, Response>>,
    /// Whether browsers reach the server over https.
    pub(crate) https: bool,
}
