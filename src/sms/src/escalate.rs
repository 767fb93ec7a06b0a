//! Escalates P1 calls that nobody acknowledges: first to the next contact, then to all others, then with a notice.
//!
//! The state of an escalation is its row in `escalations`. A step is one transaction that locks the row. So each step
//! runs once, even after a restart or with several instances. A step does not run if somebody has acknowledged the
//! call. A step reads the contacts from the current head revision, so changes to the on-call rotation take effect.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait as _};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::daily_cap::{self, Cap, QueuedInTransaction, QueuedSms};
use super::{EnqueueResult, NewSms, Outbox, enqueue, inviting, reference_of};
use base::clock::Clock;
use base::poll;
use base::telemetry::rulebooks::named;
use base::telemetry::{chain, metrics, scrub};
use revisions::cache::{LoadError, RulebookCache};
use rules::Rulebook;
use rules::decision::Decision;
use rules::facts::{ExtractedFacts, Facts};
use rules::rows::{Contact, Priority};
use rules::sms_body::{SmsSubject, how_to_reply};
use store::escalations::{self, ALL, FIRST, Model, NEXT, NOBODY_LEFT, NOT_TAKEN, NotifiedStep};
use store::fault_points::{self, Step, or_shorter};
use store::notices::{self, Notice, Severity};
use store::{decisions, leads, rulebooks};

/// Number of seconds until a P1 escalates, if neither the rule nor the settings specify a delay.
pub const ESCALATE_AFTER_S: i64 = 300;
/// Maximum poll interval.
const POLL: Duration = Duration::from_secs(1);
/// Minimum poll interval. Without this interval, an escalation that fails repeatedly would use the processor fully.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(10);
/// Maximum number of escalations per poll.
const MAX_PER_POLL: u64 = 50;

/// Runs due escalations. Cloning is cheap.
#[derive(Clone)]
pub struct Escalator {
    db: DatabaseConnection,
    current: RulebookCache,
    clock: Clock,
    outbox: Outbox,
}

/// Why an escalation step failed.
#[derive(Debug, thiserror::Error)]
enum EscalateError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the database did not store the step")]
    Database(#[from] DbErr),
}

/// The next step of an escalation.
#[derive(Debug, PartialEq)]
pub(super) enum Next<'a> {
    /// Notify these contacts.
    Tell(i64, Vec<&'a Contact>),
    /// No contact is left to notify.
    NobodyLeft,
}

impl Escalator {
    /// Creates the worker; `db` must be the primary database.
    #[must_use]
    pub fn new(db: DatabaseConnection, current: RulebookCache, clock: Clock, outbox: Outbox) -> Self {
        Self {
            db,
            current,
            clock,
            outbox,
        }
    }

    /// Runs due escalations until cancelled. Run this function in a separate task, and stop it only with the token.
    pub async fn run(&self, stop: CancellationToken) {
        poll::run("escalation", POLL, &stop, self, async |this| this.look().await).await;
    }

    /// Runs the escalations that are due by the clock. Returns how many steps this call ran.
    ///
    /// # Errors
    /// If the database cannot list the due escalations.
    pub async fn escalate_due(&self) -> Result<usize, DbErr> {
        let mut done = 0;
        for (rulebook_id, id) in escalations::due(&self.db, self.clock.now(), MAX_PER_POLL).await? {
            match self.go_on(rulebook_id, id).await {
                Ok(true) => done += 1,
                Ok(false) => {}
                Err(error) => {
                    let cause = scrub(&chain(&error));
                    tracing::error!(escalation = %id, cause, "escalation {id} is due and failed; it is retried");
                }
            }
        }
        if done > 0 {
            self.outbox.wake();
        }
        Ok(done)
    }

    /// Runs due escalations. Returns how long to sleep until the next escalation is due.
    async fn look(&self) -> Result<Duration, DbErr> {
        self.escalate_due().await?;
        let (running, next) = escalations::running(&self.db).await?;
        metrics::escalations(running);
        let pause = next.and_then(|at| (at - self.clock.now()).to_std().ok());
        Ok(pause.unwrap_or(POLL).clamp(MIN_POLL_INTERVAL, POLL))
    }

    /// Runs one step of one escalation, in a separate transaction. Returns whether this call ran the step.
    async fn go_on(&self, rulebook_id: Uuid, id: Uuid) -> Result<bool, EscalateError> {
        let head = self.head(rulebook_id).await?;
        let tx = store::begin(&self.db).await?;
        let now = self.clock.now();
        let Some(row) = escalations::lock_due(&tx, rulebook_id, id, now).await? else {
            tx.rollback().await?;
            return Ok(false);
        };
        let row = self.step(&tx, row, head.as_deref(), now).await?;
        escalations::advance(&tx, &row).await?;
        fault_points::reach(Step::EscalateBeforeCommit)?;
        tx.commit().await?;
        fault_points::reach(Step::EscalateAfterCommit)?;
        let (call, step) = (row.call_id.as_deref(), row.step);
        tracing::warn!(
            escalation = %id,
            rulebook = %named(rulebook_id),
            call,
            step,
            "nobody acknowledged a P1: it escalated"
        );
        Ok(true)
    }

    /// Runs the next step and queues its SMS messages. Returns the updated row.
    async fn step(
        &self,
        tx: &DatabaseTransaction,
        mut row: Model,
        head: Option<&Rulebook>,
        now: DateTime<Utc>,
    ) -> Result<Model, DbErr> {
        row.next_at = None;
        let (Some(head), Some(decision_id), Some(template)) = (head, row.decision_id, row.template.clone()) else {
            return self.nobody_left(tx, row, now).await;
        };
        let stored = decisions::Entity::find_by_id((row.rulebook_id, decision_id))
            .one(tx)
            .await?;
        let Some(stored) = stored else {
            return self.nobody_left(tx, row, now).await;
        };
        if stored.extracted["erased"] == true {
            // The caller was erased, so there is nobody to call back.
            return Ok(row);
        }
        let read = (
            serde_json::from_value::<ExtractedFacts>(stored.extracted),
            serde_json::from_value::<Decision>(stored.result),
        );
        let (Ok(extracted), Ok(mut decision)) = read else {
            tracing::error!(
                decision = %decision_id,
                "the decision about a P1 cannot be parsed: its escalation ends with a notice"
            );
            return self.nobody_left(tx, row, now).await;
        };
        let Next::Tell(step, contacts) = next(head, &row, &decision, now) else {
            return self.nobody_left(tx, row, now).await;
        };
        let lead = match row.call_id.as_deref() {
            Some(call_id) => leads::of_call(tx, row.rulebook_id, call_id).await?,
            None => None,
        };
        // A lead without a report contains only the booking.
        if let Some(lead) = lead.as_ref().filter(|lead| lead.quote_decision_id.is_some()) {
            lead.settle(&mut decision);
        }
        let known = lead.as_ref().map(leads::Model::facts).unwrap_or_default();
        let mut queued = Vec::new();
        for contact in &contacts {
            let Some(text) = self.text(&row, (&decision, &extracted, &known), contact, head, &template, now) else {
                // The template was deleted.
                return self.nobody_left(tx, row, now).await;
            };
            let id = text.id;
            if enqueue(tx, text).await? == EnqueueResult::Queued {
                queued.push(id);
            }
        }
        // P1 messages are counted only if the rulebook sets a cap, because counting locks a row.
        if let Some(texts) = head.settings().daily_sms_cap {
            let cap = Cap {
                texts,
                day: head.day(now),
            };
            let texts: Vec<QueuedSms<'_>> = queued
                .iter()
                .map(|id| QueuedSms {
                    id: *id,
                    call_id: row.call_id.as_deref(),
                    always_goes: true,
                })
                .collect();
            let queued = QueuedInTransaction {
                rulebook_id: row.rulebook_id,
                texts: &texts,
            };
            daily_cap::hold(tx, &cap, &queued, now, &self.clock).await?;
        }
        row.next_at = now.checked_add_signed(pause(row.after_s));
        let contacts = contacts.iter().map(|contact| contact.code.clone()).collect();
        Ok(row.with_step(NotifiedStep {
            step,
            at: now,
            contacts,
        }))
    }

    fn text(
        &self,
        row: &Model,
        about: (&Decision, &ExtractedFacts, &Facts),
        contact: &Contact,
        head: &Rulebook,
        template: &str,
        now: DateTime<Utc>,
    ) -> Option<NewSms> {
        let id = self.clock.new_id();
        let body = worded(
            head,
            template,
            contact,
            about,
            &reference_of(id),
            self.outbox.takes_replies(),
        )?;
        Some(NewSms {
            rulebook_id: row.rulebook_id,
            id,
            call_id: row.call_id.clone(),
            decision_id: row.decision_id,
            contact: contact.code.clone(),
            template: template.to_owned(),
            priority: Priority::P1.name().to_owned(),
            to_number: contact.phone.clone(),
            body,
            now,
            rule: about.0.priority_rule.clone(),
            held_until: None,
            simulated: false,
        })
    }

    /// Ends an escalation with a notice: nobody acknowledged the call, or the escalation cannot continue.
    async fn nobody_left(&self, tx: &DatabaseTransaction, row: Model, now: DateTime<Utc>) -> Result<Model, DbErr> {
        let row = row.with_step(NotifiedStep {
            step: NOBODY_LEFT,
            at: now,
            contacts: Vec::new(),
        });
        let lead = match row.call_id.as_deref() {
            Some(call_id) => leads::of_call(tx, row.rulebook_id, call_id).await?,
            None => None,
        };
        let notice = unacknowledged(&row, lead.map(|lead| lead.id), now);
        notices::raise(tx, notice, now, self.clock.new_id()).await?;
        Ok(row)
    }

    /// Returns the rulebook at its head revision. `None` if there is no such rulebook, or if its rows have errors.
    async fn head(&self, rulebook_id: Uuid) -> Result<Option<Arc<Rulebook>>, EscalateError> {
        let found = rulebooks::Entity::find_by_id(rulebook_id).one(&self.db).await?;
        let Some(found) = found else { return Ok(None) };
        match self.current.at(rulebook_id, found.head_revision).await {
            Ok(rulebook) => Ok(Some(rulebook)),
            Err(error @ (LoadError::Database(_) | LoadError::Busy(_))) => Err(error.into()),
            Err(error @ (LoadError::Unknown(_) | LoadError::Faults { .. })) => {
                tracing::error!(
                    rulebook = %named(rulebook_id),
                    %error,
                    "a P1 cannot escalate: its rulebook cannot be loaded"
                );
                Ok(None)
            }
        }
    }
}

/// Converts the delay of an escalation step, which is in seconds. Tests may shorten the delay.
#[must_use]
pub fn pause(seconds: i64) -> TimeDelta {
    or_shorter(TimeDelta::try_seconds(seconds).unwrap_or_default())
}

/// Returns the body of an SMS message about a decision. For a P1, the body says how to reply, if replies are possible.
pub fn worded(
    rulebook: &Rulebook,
    template: &str,
    contact: &Contact,
    (decision, extracted, known): (&Decision, &ExtractedFacts, &Facts),
    reference: &str,
    takes_replies: bool,
) -> Option<String> {
    let invites = takes_replies && decision.priority == Priority::P1;
    let says_how = rulebook
        .template_text(template, &contact.language)
        .is_some_and(|text| text.contains("{reply}"));
    let about = SmsSubject {
        decision,
        extracted,
        known,
        reference,
        reply: if invites {
            how_to_reply(&contact.language, false)
        } else {
            ""
        },
    };
    let body = rulebook.worded(template, contact, &about)?;
    Some(if invites && !says_how {
        inviting(&body, &contact.language)
    } else {
        body
    })
}

/// Returns the contacts of the next step. First come contacts who are on call, or whom the service, the rule or the
/// decision names; the other contacts follow. Within both groups, contacts on shift come first, and a smaller rank
/// comes before a larger rank. The second step adds one contact. The third step adds all remaining contacts.
pub(super) fn next<'a>(head: &'a Rulebook, row: &Model, decision: &Decision, now: DateTime<Utc>) -> Next<'a> {
    let told: BTreeSet<String> = row.steps().into_iter().flat_map(|step| step.contacts).collect();
    let reached: BTreeSet<&str> = told
        .iter()
        .filter_map(|code| head.contact(code))
        .map(|contact| contact.phone.as_str())
        .collect();
    let service = decision.service.as_deref().and_then(|code| head.service(code));
    let rule = decision
        .priority_rule
        .as_deref()
        .and_then(|code| head.priority_rule(code));
    let named: BTreeSet<&String> = service
        .into_iter()
        .flat_map(|service| &service.notify)
        .chain(rule.into_iter().flat_map(|rule| &rule.notify))
        .chain(&decision.notify)
        .collect();
    let mut left: Vec<&Contact> = head.contacts();
    left.retain(|contact| !told.contains(&contact.code) && !reached.contains(contact.phone.as_str()));
    left.sort_by_key(|contact| {
        let is_asked = contact.on_call || named.contains(&contact.code);
        (!is_asked, !head.is_on_shift(contact, now), contact.rank)
    });
    let mut phones = BTreeSet::new();
    left.retain(|contact| phones.insert(contact.phone.as_str()));
    match row.step {
        _ if left.is_empty() => Next::NobodyLeft,
        FIRST => Next::Tell(NEXT, left.into_iter().take(1).collect()),
        NEXT => Next::Tell(ALL, left),
        _ => Next::NobodyLeft,
    }
}

fn unacknowledged(row: &Model, lead: Option<Uuid>, now: DateTime<Utc>) -> Notice {
    let told: Vec<String> = row.steps().into_iter().flat_map(|step| step.contacts).collect();
    let told = if told.is_empty() {
        "nobody".to_owned()
    } else {
        told.join(", ")
    };
    let call = row.call_id.as_deref().unwrap_or("without an id");
    let waited = match (now - row.started_at).num_seconds() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    };
    let then = match lead {
        Some(id) => format!(
            "`POST /admin/v1/rulebooks/{}/leads/{id}/acknowledge`",
            named(row.rulebook_id)
        ),
        None => "with the lead of the call".to_owned(),
    };
    Notice {
        rulebook_id: row.rulebook_id,
        code: NOT_TAKEN,
        severity: Severity::Urgent,
        subject: row.subject(),
        text: format!("Nobody acknowledged the P1 of call {call} within {waited}. Notified: {told}."),
        what_to_do: format!(
            "Call the customer back now, or reach a contact another way; then acknowledge the call: {then}."
        ),
    }
}
