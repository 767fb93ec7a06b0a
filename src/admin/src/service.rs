//! The routes of the admin API, its document and Swagger UI.

use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::{EndpointExt, IntoEndpoint, Route};
use poem_openapi::{OpenApi, OpenApiService};

use super::api_keys::ApiKeysApi;
use super::audit_log::AuditLogApi;
use super::backtests::BacktestsApi;
use super::calendar_days::CalendarDaysApi;
use super::call_cases::CallCasesApi;
use super::calls::CallsApi;
use super::change_sets::ChangeSetsApi;
use super::decisions::DecisionsApi;
use super::declared::Declared;
use super::docs_page;
use super::docs_scripting;
use super::document;
use super::erasures::ErasuresApi;
use super::evaluate::EvaluateApi;
use super::event_replays::EventReplaysApi;
use super::guard_rails::GuardRailsApi;
use super::inbound_sms_messages::InboundSmsMessagesApi;
use super::leads::LeadsApi;
use super::lint::LintApi;
use super::notices::NoticesApi;
use super::profile::ProfileApi;
use super::reread;
use super::resources;
use super::retention::RetentionApi;
use super::revisions::RevisionsApi;
use super::rule_hits::RuleHitsApi;
use super::rulebooks::RulebooksApi;
use super::script_quarantines::ScriptQuarantinesApi;
use super::scripts::ScriptsApi;
use super::secrets::SecretsApi;
use super::sms_delivery::SmsDeliveryApi;
use super::sms_messages::SmsMessagesApi;
use super::sms_resend::SmsResendApi;
use super::sms_suppressions::SmsSuppressionsApi;
use super::state::AdminState;
use super::stats::StatsApi;
use super::vocabulary::VocabularyApi;
use super::webhook_auth::WebhookAuthApi;
use super::webhook_events::WebhookEventsApi;
use web::conditional::Fixed;

static DOCUMENT: LazyLock<Fixed> = LazyLock::new(|| Fixed::new("application/json", document::served()));

/// Every operation.
pub(super) fn apis(state: &AdminState) -> impl OpenApi + use<> {
    (
        RulebooksApi(state.clone()),
        resources::apis(state),
        (
            EvaluateApi(state.clone()),
            ChangeSetsApi(state.clone()),
            BacktestsApi(state.clone()),
            CallCasesApi(state.clone()),
            RevisionsApi(state.clone()),
        ),
        (
            ScriptsApi(state.clone()),
            ScriptQuarantinesApi(state.clone()),
            VocabularyApi(state.clone()),
        ),
        (
            WebhookAuthApi(state.clone()),
            SecretsApi(state.clone()),
            GuardRailsApi(state.clone()),
            RetentionApi(state.clone()),
            SmsDeliveryApi(state.clone()),
            ProfileApi(state.clone()),
            ErasuresApi(state.clone()),
        ),
        (
            LintApi(state.clone()),
            RuleHitsApi(state.clone()),
            CalendarDaysApi(state.clone()),
        ),
        (
            CallsApi(state.clone()),
            DecisionsApi(state.clone()),
            LeadsApi(state.clone()),
        ),
        (
            SmsMessagesApi(state.clone()),
            SmsResendApi(state.clone()),
            InboundSmsMessagesApi(state.clone()),
            SmsSuppressionsApi(state.clone()),
            WebhookEventsApi(state.clone()),
            EventReplaysApi(state.clone()),
            NoticesApi(state.clone()),
        ),
        (
            AuditLogApi(state.clone()),
            ApiKeysApi(state.clone()),
            StatsApi(state.clone()),
        ),
    )
}

/// The admin API under `/admin/v1` and, where they are `shown`, its document at `/openapi.json` and Swagger UI at `/docs`: to be
/// nested at `/`.
pub fn service(state: AdminState, shown: bool) -> impl IntoEndpoint<Endpoint: 'static> {
    let api = OpenApiService::new(Declared(apis(&state)), "Ringbook", env!("CARGO_PKG_VERSION"));
    let mut routes = Route::new();
    if shown {
        let document = make_sync(|request| DOCUMENT.answer(&request));
        routes = routes
            .at("/openapi.json", poem::get(document))
            .at("/docs/scripting", poem::get(docs_scripting::endpoint()))
            .at("/docs", poem::get(docs_page::endpoint()));
    }
    let replica = state.replica.clone();
    routes.nest("/", api).data(state).around(move |inner, request| {
        let replica = replica.clone();
        async move { reread::answered(&inner, request, &replica).await }
    })
}
