//! The data that the parts of the on-call page share: the month, its shifts, the choice in the URL, and the result of a
//! form.

use chrono::{NaiveDate, NaiveDateTime};
use maud::{Markup, html};
use poem::http::StatusCode;
use rules::rows::{Calendar, Contact, ShiftOverride};
use serde_json::Value;

use super::dates::{Month, from_day, next_day};
use super::roster::{ShiftPart, pieces};
use super::{PLACE, REFUSED};
use crate::business::Business;
use crate::locale::Times;
use crate::refusal::Refusal;
use crate::visit::Visit;
use admin::auth::Role;

/// A form of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Replace,
    Swap,
    Holiday,
    Feed,
    Remove,
}

impl Form {
    /// The prefix of the ids of the form's fields.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Swap => "swap",
            Self::Holiday => "holiday",
            Self::Feed => "feed",
            Self::Remove => "remove",
        }
    }
}

/// An error of a field, or of the whole form if `field` is empty.
#[derive(Clone, Debug)]
pub struct Fault {
    pub field: &'static str,
    pub text: FormMessage,
}

/// A message to the person.
#[derive(Clone, Debug)]
pub enum FormMessage {
    /// The key of a message.
    Key(&'static str),
    /// The key of a message, and its argument.
    Of(&'static str, String),
    /// A sentence from the API, in English.
    Detail(String),
}

impl Fault {
    pub const fn new(field: &'static str, key: &'static str) -> Self {
        let text = FormMessage::Key(key);
        Self { field, text }
    }
}

/// The result of a form.
#[derive(Debug, Default)]
pub struct FormOutcome {
    pub form: Option<Form>,
    pub faults: Vec<Fault>,
    /// The URL of a new calendar feed.
    pub feed: Option<String>,
}

impl FormOutcome {
    pub fn refused(form: Form, faults: Vec<Fault>) -> Self {
        Self {
            form: Some(form),
            faults,
            feed: None,
        }
    }

    pub fn status(&self) -> Option<StatusCode> {
        (!self.faults.is_empty()).then_some(REFUSED)
    }
}

/// The data of the page.
pub struct View<'a> {
    pub visit: &'a Visit,
    pub business: &'a Business,
    pub times: Times,
    pub month: Month,
    pub today: NaiveDate,
    pub may_change: bool,
    pub outcome: FormOutcome,
    /// The shifts from the API, for the month and the days before and after it.
    pub roster: Value,
    pub pieces: Vec<ShiftPart>,
    pub feeds: Vec<Value>,
}

impl<'a> View<'a> {
    pub async fn open(visit: &'a Visit, business: &'a Business, outcome: FormOutcome) -> Result<Self, Refusal> {
        let times = visit.times(business);
        let today = times.now.with_timezone(&times.zone).date_naive();
        let day = from_day(visit.asked("day")).map(Month::of);
        let month = Month::read(visit.asked("month"))
            .or(day)
            .unwrap_or_else(|| Month::of(today));
        // A night shift may begin on the day before the month.
        let first = month.first().pred_opt().unwrap_or_else(|| month.first());
        let (from, until) = (first.to_string(), next_day(month.last()).to_string());
        let path = business.path("/shifts");
        let roster = visit.read(&path, &[("from", &from), ("until", &until)]).await?;
        let pairs = [("revoked", "false"), ("limit", "100")];
        let feeds = visit.read(&business.path("/calendar-feeds"), &pairs).await?;
        Ok(Self {
            pieces: pieces(&roster, times.zone),
            feeds: crate::board::items(feeds),
            may_change: visit.may(Role::Editor),
            visit,
            business,
            times,
            month,
            today,
            outcome,
            roster,
        })
    }

    /// Returns the URL of the page for the shown month, with more parameters.
    pub fn link(&self, pairs: &[(&str, &str)]) -> String {
        let month = self.month.text();
        let mut all = vec![("month", month.as_str())];
        all.extend_from_slice(pairs);
        self.visit.link(PLACE, &all)
    }

    /// The URL to which a form of the page is sent.
    pub fn action(&self, path: &str) -> String {
        let month = self.month.text();
        self.visit.link(&format!("{PLACE}{path}"), &[("month", &month)])
    }

    /// The contacts in the order in which they are tried.
    pub fn contacts(&self) -> Vec<&'a Contact> {
        contacts(self.business)
    }

    /// The CSS class of a person's color.
    pub fn colour(&self, contact: &str) -> String {
        let place = self.contacts().iter().position(|one| one.code == contact);
        format!("who{}", place.unwrap_or_default() % 8)
    }

    /// The shift that was chosen in the calendar.
    pub fn chosen(&self) -> Option<&ShiftPart> {
        self.piece(self.visit.asked("who"), self.visit.asked("at"))
    }

    /// The shift to swap with the chosen shift.
    pub fn other(&self) -> Option<&ShiftPart> {
        self.piece(self.visit.asked("with"), self.visit.asked("with_at"))
    }

    fn piece(&self, contact: &str, begin: &str) -> Option<&ShiftPart> {
        let is_it = |piece: &&ShiftPart| piece.contact.as_deref() == Some(contact) && piece.begin() == begin;
        self.pieces.iter().find(is_it)
    }

    /// The day that was chosen in the calendar.
    pub fn day(&self) -> Option<NaiveDate> {
        from_day(self.visit.asked("day"))
    }

    /// The current local wall-clock time.
    pub fn now(&self) -> NaiveDateTime {
        self.times.now.with_timezone(&self.times.zone).naive_local()
    }

    pub fn faults(&self, form: Form, field: &str) -> Vec<&Fault> {
        let own = self.outcome.form == Some(form);
        let faults = self.outcome.faults.iter().filter(|fault| own && fault.field == field);
        faults.collect()
    }

    pub fn sentence(&self, said: &FormMessage) -> Markup {
        let words = self.visit.words;
        match said {
            FormMessage::Key(key) => html! { (words.say(key)) },
            FormMessage::Of(key, what) => html! { (words.say_of(key, &[("what", what)])) },
            FormMessage::Detail(text) => html! { span lang="en" { (self.business.shown(text)) } },
        }
    }

    /// A success message about the last action, or the error of a form without fields.
    pub fn notice(&self) -> Markup {
        let words = self.visit.words;
        let done = match self.visit.asked("done") {
            "replaced" => Some("on-call-done-replaced"),
            "swapped" => Some("on-call-done-swapped"),
            "removed" => Some("on-call-done-removed"),
            "holiday" => Some("on-call-done-holiday"),
            "no-holiday" => Some("on-call-done-no-holiday"),
            "revoked" => Some("on-call-done-revoked"),
            "waits" => Some("on-call-waits"),
            _ => None,
        };
        let waits = done == Some("on-call-waits");
        let faults = self.faults(Form::Remove, "");
        html! {
            @if let Some(key) = done.filter(|_| self.outcome.form.is_none()) {
                p.outcome.waits[waits] role="status" { (words.say(key)) }
            }
            @for fault in faults { p.outcome.wrong role="alert" { (self.sentence(&fault.text)) } }
        }
    }
}

/// The contacts of a business in the order in which they are tried.
pub fn contacts(business: &Business) -> Vec<&Contact> {
    let mut contacts: Vec<&Contact> = business.rows.contacts.values().map(|stored| &stored.row).collect();
    contacts.sort_by_key(|contact| contact.rank);
    contacts
}

/// The calendar of the opening hours and its version.
pub fn opening_hours(business: &Business) -> Option<(&Calendar, i64)> {
    let settings = business.rows.settings.values().next()?;
    let stored = business.rows.calendars.get(settings.row.calendar.as_deref()?)?;
    Some((&stored.row, stored.version))
}

/// The overrides sorted by their beginning, each with its version.
pub fn overrides(business: &Business) -> Vec<(&ShiftOverride, i64)> {
    let stored = business.rows.shift_overrides.values();
    let mut all: Vec<_> = stored.map(|stored| (&stored.row, stored.version)).collect();
    all.sort_by(|(one, _), (other, _)| one.from.cmp(&other.from));
    all
}
