//! Runs a tool's script, which answers a tool call. A tool's script never changes a decision.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::Deciding;
use crate::compile::Rulebook;
use crate::facts::ExtractedFacts;
use crate::price::Running;
use crate::rows::Hook;
use crate::script::{self, Budget, ScriptVersion, Skips};

/// The error of a tool's script that failed, was skipped or does not exist.
#[derive(Debug)]
pub struct ToolFault {
    /// The reason and the position.
    pub fault: script::ScriptFault,
    /// Whether the script ran and failed; false if the script was skipped or does not exist.
    pub ran: bool,
}

/// The response of a tool's script.
#[derive(Debug)]
pub struct ToolAnswer {
    /// The value of `result.set(…)`, else the spoken text, else null.
    pub value: serde_json::Value,
    /// The version of the script that ran.
    pub script: ScriptVersion,
}

impl Rulebook {
    /// Runs a tool's script.
    ///
    /// # Errors
    /// When the script does not exist, is skipped or fails. All effects of a failed script are discarded.
    pub fn run_tool_script(
        &self,
        code: &str,
        args: &serde_json::Value,
        extracted: &ExtractedFacts,
        at: DateTime<Utc>,
        skips: &Skips,
    ) -> Result<ToolAnswer, ToolFault> {
        let left_out = |version: i64, text: &str| ToolFault {
            fault: script::ScriptFault {
                code: code.to_owned(),
                version,
                line: None,
                position: None,
                text: text.to_owned(),
                is_own: false,
                by_arguments: false,
            },
            ran: false,
        };
        let found = self.scripts(Hook::Tool).find(|script| script.row().code == code);
        let script = found.ok_or_else(|| left_out(0, "there is no such tool script"))?;
        if let Some(why) = skips.why(code) {
            return Err(left_out(script.version(), why));
        }
        let mut deciding = Deciding::new(self, extracted, at);
        deciding.skips = skips.clone();
        let price = deciding.price();
        deciding.tell_price(price.as_ref());
        let mut run = deciding.to_run();
        run.args = args.clone();
        run.price = price.map(|price| Running::of((price.from.decimal(), price.to.decimal()), Decimal::ONE));
        let done = script::run(script, run, &mut Budget::default()).outcome;
        let done = done.map_err(|fault| ToolFault { fault, ran: true })?;
        let said = (!done.said.is_empty()).then(|| done.said.join(" ").into());
        Ok(ToolAnswer {
            value: done.result.or(said).unwrap_or_default(),
            script: ScriptVersion {
                code: code.to_owned(),
                version: script.version(),
            },
        })
    }
}
