//! What every page works with.

use std::sync::Arc;

use admin::AdminState;
use poem::Response;
use poem::endpoint::BoxEndpoint;

/// The admin API and how browsers reach it. Cloning is cheap.
#[derive(Clone)]
pub struct Console {
    /// The state of the admin API.
    pub(crate) admin: AdminState,
    /// The admin API itself.
    pub(crate) api: Arc<BoxEndpoint<'static, Response>>,
    /// Whether browsers reach the server by https.
    pub(crate) https: bool,
}
