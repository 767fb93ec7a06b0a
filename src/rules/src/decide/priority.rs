//! Decides the priority: safety rules, priority rules, the default priority and priority scripts.

use super::Deciding;
use crate::decision::{Price, Step};
use crate::rows::{Hook, Priority, PriorityRule, Resource};

impl<'a> Deciding<'a> {
    /// The first safety rule with a true condition.
    pub(super) fn danger(&self) -> Option<&'a PriorityRule> {
        let book = self.book;
        book.priorities.matching(&self.env).find(|rule| rule.safety)
    }

    /// The priority of the first rule that matches, else the default; then the scripts run.
    pub(super) fn priority(&mut self, price: Option<&Price>) -> (Priority, i64, Option<&'a PriorityRule>) {
        self.tell_price(price);
        let book = self.book;
        let settings = book.settings();
        let rule = book.priorities.matching(&self.env).find(|rule| !rule.safety);
        let mut outcome = if let Some(rule) = rule {
            let did = format!("first that holds: {}", rule.condition);
            self.trace.push(Step::plain(Resource::PriorityRules, &rule.code, did));
            (rule.priority, rule.sla_seconds)
        } else {
            let did = "default priority: no rule matched";
            self.trace.push(Step::plain(Resource::Settings, &settings.code, did));
            (settings.default_priority, settings.default_sla_seconds)
        };
        for script in book.scripts(Hook::Priority) {
            let mut run = self.to_run();
            run.priority = Some(outcome);
            if let Some(done) = self.run(script, run) {
                outcome = done.priority.unwrap_or(outcome);
            }
        }
        (outcome.0, outcome.1, rule)
    }
}
