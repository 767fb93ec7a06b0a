//! Turns a rulebook, facts and an instant into a decision. A decision is pure and synchronous: equal input always gives
//! the same bytes.
//!
//! A decision has this order: service, base price, adjustments, price scripts, rounding, taxes, priority, priority
//! scripts, recipients. Each row that took part adds a step to the trace.

mod price_steps;
mod priority;
mod tool_script;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

pub use self::tool_script::{ToolAnswer, ToolFault};
use super::compile::Rulebook;
use super::decision::{Decision, Price, Step};
use super::derive;
use super::facts::{ExtractedFacts, Fact, Facts};
use super::hearing::HearingResult;
use super::language;
use super::rows::{AssistantRule, Offer, Priority, PriorityRule, Resource, Service};
use super::rulebook_queries::HeardCall;
use super::script::{self, Budget, CompiledScript, Run, ScriptVersion, Skips};
use super::spoken_summary;
use super::vocabulary::Env;

/// The `dropped_scripts` of a stored decision, each with the reason from the decision's trace.
pub type SkippedScripts = BTreeMap<String, String>;

/// A decision in progress.
pub(super) struct Deciding<'a> {
    book: &'a Rulebook,
    extracted: &'a ExtractedFacts,
    at: DateTime<Utc>,
    heard: Arc<HearingResult>,
    pub(super) env: Env<'a>,
    derived: Facts,
    language: String,
    service: Option<&'a Service>,
    trace: Vec<Step>,
    said: Vec<String>,
    dropped: Vec<String>,
    skips: Skips,
    ran: Vec<ScriptVersion>,
    faulted: Vec<ScriptVersion>,
    budget: Budget,
}

/// A decision, with the scripts that ran and the scripts that failed, so that failures can be counted.
#[derive(Debug)]
pub struct CountedDecision {
    pub decision: Decision,
    /// The scripts that ran, including those that failed.
    pub ran: Vec<ScriptVersion>,
    /// The scripts that failed because of their own error; skipped scripts are not included.
    pub faulted: Vec<ScriptVersion>,
}

impl Rulebook {
    /// Makes the decision. `at` is the instant of the facts, not the current time.
    #[must_use]
    pub fn decide(&self, extracted: &ExtractedFacts, at: DateTime<Utc>) -> Decision {
        self.decide_without(extracted, at, Skips::none()).decision
    }

    /// Decides as [`Self::decide`] does, but with an existing listening result. The listening result must be from this
    /// rulebook, or from a rulebook that recognizes the same phrases.
    #[must_use]
    pub fn decide_listened(&self, extracted: &ExtractedFacts, at: DateTime<Utc>, listened: &HeardCall) -> Decision {
        Deciding::of(self, extracted, at, listened.clone()).decided().decision
    }

    /// Decides without the scripts in `skips`: scripts in quarantine, or the `dropped_scripts` of a stored decision.
    #[must_use]
    pub fn decide_without(&self, extracted: &ExtractedFacts, at: DateTime<Utc>, skips: Skips) -> CountedDecision {
        let mut deciding = Deciding::new(self, extracted, at);
        deciding.skips = skips;
        deciding.decided()
    }

    /// Returns the first assistant rule with a true condition.
    #[must_use]
    pub fn assistant_rule(&self, extracted: &ExtractedFacts, at: DateTime<Utc>) -> Option<&AssistantRule> {
        let deciding = Deciding::new(self, extracted, at);
        self.assistants.matching(&deciding.env).next()
    }

    /// Returns the recipients, and the steps for the trace. The candidates are the service's contacts, else the rule's
    /// contacts, else the contacts with `on_call`. The recipients are the candidates on shift, or all candidates if
    /// nobody is on shift.
    fn notify(
        &self,
        service: Option<&Service>,
        rule: Option<&PriorityRule>,
        at: DateTime<Utc>,
    ) -> (Vec<String>, Vec<Step>) {
        let own = service.map(|service| &service.notify).filter(|codes| !codes.is_empty());
        let rules = || rule.map(|rule| &rule.notify).filter(|codes| !codes.is_empty());
        self.recipients_on_shift(own.or_else(rules).map(Vec::as_slice), at)
    }

    /// Returns the template of the rule. If a script changed the priority, returns the first template of a rule with
    /// the new priority.
    fn template_for(&self, priority: Priority, rule: Option<&PriorityRule>) -> Option<String> {
        match rule {
            Some(rule) if rule.priority == priority => rule.template.clone(),
            None if priority == self.settings().default_priority => None,
            _ => {
                let mut same = self.priorities.rows().filter(|rule| rule.priority == priority);
                same.find_map(|rule| rule.template.clone())
            }
        }
    }
}

impl<'a> Deciding<'a> {
    /// Listens to the words, and derives the facts that do not depend on rules.
    pub(super) fn new(book: &'a Rulebook, extracted: &'a ExtractedFacts, at: DateTime<Utc>) -> Self {
        Self::of(book, extracted, at, book.listened(extracted))
    }

    fn of(book: &'a Rulebook, extracted: &'a ExtractedFacts, at: DateTime<Utc>, listened: HeardCall) -> Self {
        let HeardCall { heard, likelihoods } = listened;
        let mut env = book.vocabulary.env(&extracted.facts, heard.said.clone());
        env.mentioned.clone_from(&heard.mentioned);
        env.denied.clone_from(&heard.denied);
        let service = book.services.find(&extracted.facts, &heard, &likelihoods);
        let area = book.areas.find(&extracted.facts);
        let language = language::language(&book.settings().languages, &extracted.facts, heard.text());
        let trace = heard.steps();

        let mut deciding = Self {
            book,
            extracted,
            at,
            heard,
            env,
            derived: Facts::new(),
            language: language.clone(),
            service: service.as_ref().map(|(service, _)| *service),
            trace,
            said: Vec::new(),
            dropped: Vec::new(),
            skips: Skips::none(),
            ran: Vec::new(),
            faulted: Vec::new(),
            budget: Budget::default(),
        };
        for note in &extracted.notes {
            deciding
                .trace
                .push(Step::plain(Resource::FactMappings, &note.fact, &note.why));
        }
        for likelihood in likelihoods {
            let percent = Fact::Number(Decimal::from(likelihood.percent));
            if let Some(reasons) = likelihood.reasons {
                let why = format!("{} of 100: {reasons}", likelihood.percent);
                deciding
                    .trace
                    .push(Step::plain(Resource::Classifiers, &likelihood.code, why));
                deciding.derive(&likelihood.code, percent);
            } else if let Some((slot, _)) = book.vocabulary.get(&likelihood.code) {
                deciding.env.set(slot, percent);
            }
        }
        if let Some((service, why)) = service {
            deciding.trace.push(Step::plain(Resource::Services, &service.code, why));
            deciding.derive("service", Fact::Text(service.code.clone()));
            deciding.derive("offer", Fact::Text(offer_name(service.offer).to_owned()));
        }
        if let Some((area, why)) = area {
            deciding.trace.push(Step::plain(Resource::Areas, &area.code, why));
            deciding.derive("area", Fact::Text(area.code.clone()));
        }
        deciding.derive("language", Fact::Text(language));
        for (name, fact) in derive::clock(derive::local(at, book.zone), book.calendar.as_ref()) {
            deciding.derive(name, fact);
        }
        deciding
    }

    fn derive(&mut self, name: &str, fact: Fact) {
        if let Some((slot, _)) = self.book.vocabulary.get(name) {
            self.env.set(slot, fact.clone());
        }
        self.derived.insert(name.to_owned(), fact);
    }

    /// Checks the safety rules, and then decides price and priority.
    fn decided(mut self) -> CountedDecision {
        if let Some(rule) = self.danger() {
            return self.warn(rule);
        }
        let price = self.price();
        let (priority, sla_seconds, rule) = self.priority(price.as_ref());
        let mut say = spoken_summary::sentence(self.book.settings(), self.service, price.as_ref(), &self.language);
        for sentence in &self.said {
            say.push(' ');
            say.push_str(sentence);
        }
        self.conclude(price, (priority, sla_seconds), rule, say)
    }

    /// The decision of a safety rule, made without a price.
    fn warn(mut self, rule: &'a PriorityRule) -> CountedDecision {
        let did = format!("danger, before everything else: {}", rule.condition);
        self.trace.push(Step::plain(Resource::PriorityRules, &rule.code, did));
        let say = spoken_summary::label(&rule.say, &self.language, self.book.settings())
            .unwrap_or_default()
            .to_owned();
        self.conclude(None, (rule.priority, rule.sla_seconds), Some(rule), say)
    }

    /// Chooses the recipients, and builds the decision.
    fn conclude(
        mut self,
        price: Option<Price>,
        (priority, sla_seconds): (Priority, i64),
        rule: Option<&'a PriorityRule>,
        say: String,
    ) -> CountedDecision {
        let book = self.book;
        let (notify, turns) = book.notify(self.service, rule, self.at);
        self.trace.extend(turns);
        let area = match self.derived.get("area") {
            Some(Fact::Text(area)) => Some(area.clone()),
            _ => None,
        };
        let decision = Decision {
            revision: book.revision(),
            service: self.service.map(|service| service.code.clone()),
            offer: self.service.map(|service| service.offer),
            area,
            price,
            priority,
            sla_seconds,
            priority_rule: rule.map(|rule| rule.code.clone()),
            notify,
            template: book.template_for(priority, rule),
            say,
            language: self.language,
            dropped_scripts: self.dropped,
            derived: self.derived,
            trace: self.trace,
        };
        CountedDecision {
            decision,
            ran: self.ran,
            faulted: self.faulted,
        }
    }

    /// Runs a script and returns its effects. If the script is skipped or fails, the trace records this and the result
    /// is `None`.
    fn run(&mut self, script: &CompiledScript, run: Run) -> Option<Run> {
        let code = &script.row().code;
        if let Some(why) = self.skips.why(code).map(str::to_owned) {
            self.leave_out(code, why);
            return None;
        }
        self.ran.push(ScriptVersion {
            code: code.clone(),
            version: script.version(),
        });
        match script::run(script, run, &mut self.budget).outcome {
            Ok(mut run) => {
                self.trace.append(&mut run.steps);
                self.said.append(&mut run.said);
                Some(run)
            }
            Err(fault) => {
                self.leave_out(code, format!("dropped with all it did: {fault}"));
                if fault.is_own {
                    let (code, version) = (fault.code, fault.version);
                    self.faulted.push(ScriptVersion { code, version });
                }
                None
            }
        }
    }

    fn leave_out(&mut self, code: &str, why: String) {
        self.trace.push(Step::plain(Resource::Scripts, code, why));
        self.dropped.push(code.to_owned());
    }

    /// Returns the initial state of a script run.
    pub(super) fn to_run(&self) -> Run {
        let mut facts = self.extracted.facts.clone();
        facts.extend(self.derived.clone());
        Run::about(facts, Arc::clone(&self.heard))
    }

    pub(super) fn tell_price(&mut self, price: Option<&Price>) {
        if let Some(price) = price {
            self.derive("price_from", Fact::Number(price.from.decimal()));
            self.derive("price_to", Fact::Number(price.to.decimal()));
        }
    }
}

/// Returns the offer's name as rows and conditions spell it.
#[must_use]
pub const fn offer_name(offer: Offer) -> &'static str {
    match offer {
        Offer::Offered => "offered",
        Offer::Refused => "refused",
        Offer::Assessment => "assessment",
    }
}
