//! Checks the set-up: the server itself runs the checks of `ringbook doctor`, and lists the values to configure at
//! Vapi.

use std::time::Duration;

use poem_openapi::OpenApi;

use super::auth::{Admin, Key};
use super::errors::{Fails, NoExtraErrors};
use super::responses::ReadResponse;
use super::setup_checks::Setup;
use super::state::AdminState;
use store::dry_run;
use web::problem::{Code, Problem};

/// Timeout of all checks together.
const DEADLINE: Duration = Duration::from_secs(45);
/// Seconds to wait before a retry after a timeout.
const RETRY_AFTER_S: u32 = 60;

pub struct SetupApi(pub AdminState);

#[OpenApi(prefix_path = "/admin/v1/setup")]
impl SetupApi {
    /// Check the set-up
    ///
    /// Runs the checks of `ringbook doctor` on the server: settings, secret key, database, public URL, clocks, Vapi and
    /// Twilio, each with what to do. Nothing is changed; no secret is shown. The result is cached for ten seconds.
    #[oai(path = "/", method = "get")]
    async fn get_setup(&self, key: Key<Admin>) -> Result<ReadResponse<Setup>, Fails<NoExtraErrors>> {
        if key.rulebook_id.is_some() {
            let detail = "This key is for one rulebook only; the set-up covers the whole installation.";
            return Err(Problem::new(Code::Forbidden, detail).into());
        }
        // The checks run in their own task, so that a client that disconnects does not leave connections half open.
        let (checks, clock) = (self.0.setup.clone(), self.0.clock.clone());
        let run = dry_run::spawn(async move { tokio::time::timeout(DEADLINE, checks.run(&clock)).await });
        match run.await {
            Ok(Ok(found)) => Ok(ReadResponse::new(found)),
            Ok(Err(too_long)) => Err(Problem::unavailable(&too_long, RETRY_AFTER_S).into()),
            Err(error) => Err(Problem::internal(&error).into()),
        }
    }
}
