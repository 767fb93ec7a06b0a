//! Every operation of the admin API.

use poem_openapi::OpenApi;

use super::api_keys::ApiKeysApi;
use super::audit_log::AuditLogApi;
use super::backtests::BacktestsApi;
use super::calendar_days::CalendarDaysApi;
use super::calendar_feeds::CalendarFeedsApi;
use super::call_cases::CallCasesApi;
use super::calls::CallsApi;
use super::change_sets::ChangeSetsApi;
use super::change_stream::EventsApi;
use super::console_sessions::ConsoleSessionsApi;
use super::decisions::DecisionsApi;
use super::erasures::ErasuresApi;
use super::evaluate::EvaluateApi;
use super::event_replays::EventReplaysApi;
use super::feedback::FeedbackApi;
use super::feedback_cases::FeedbackCasesApi;
use super::guard_rails::GuardRailsApi;
use super::inbound_sms_messages::InboundSmsMessagesApi;
use super::leads::LeadsApi;
use super::lint::LintApi;
use super::notices::NoticesApi;
use super::phrase_matches::PhraseMatchesApi;
use super::profile::ProfileApi;
use super::resources::ResourcesApi;
use super::retention::RetentionApi;
use super::revisions::RevisionsApi;
use super::rule_hits::RuleHitsApi;
use super::rulebook_health::RulebookHealthApi;
use super::rulebooks::RulebooksApi;
use super::script_quarantines::ScriptQuarantinesApi;
use super::scripts::ScriptsApi;
use super::secrets::SecretsApi;
use super::setup::SetupApi;
use super::shifts::ShiftsApi;
use super::sms_delivery::SmsDeliveryApi;
use super::sms_messages::SmsMessagesApi;
use super::sms_resend::SmsResendApi;
use super::sms_suppressions::SmsSuppressionsApi;
use super::state::AdminState;
use super::statements::StatementsApi;
use super::stats::StatsApi;
use super::vocabulary::VocabularyApi;
use super::webhook_auth::WebhookAuthApi;
use super::webhook_events::WebhookEventsApi;

/// Combines every operation into one API.
pub(super) fn apis(state: &AdminState) -> impl OpenApi + use<> {
    (
        RulebooksApi(state.clone()),
        ResourcesApi(state.clone()),
        (
            EvaluateApi(state.clone()),
            ChangeSetsApi(state.clone()),
            BacktestsApi(state.clone()),
            CallCasesApi(state.clone()),
            FeedbackApi(state.clone()),
            FeedbackCasesApi(state.clone()),
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
            PhraseMatchesApi(state.clone()),
            ShiftsApi(state.clone()),
            CalendarFeedsApi(state.clone()),
        ),
        (
            CallsApi(state.clone()),
            DecisionsApi(state.clone()),
            LeadsApi(state.clone()),
            StatementsApi(state.clone()),
        ),
        (
            SmsMessagesApi(state.clone()),
            SmsResendApi(state.clone()),
            InboundSmsMessagesApi(state.clone()),
            SmsSuppressionsApi(state.clone()),
            WebhookEventsApi(state.clone()),
            EventReplaysApi(state.clone()),
            NoticesApi(state.clone()),
            EventsApi(state.clone()),
        ),
        (
            AuditLogApi(state.clone()),
            ApiKeysApi(state.clone()),
            ConsoleSessionsApi(state.clone()),
            StatsApi(state.clone()),
            RulebookHealthApi(state.clone()),
            SetupApi(state.clone()),
        ),
    )
}
