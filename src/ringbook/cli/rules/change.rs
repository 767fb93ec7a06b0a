//! Shows a change from files or from a change set, asks for confirmation, then opens a change set or publishes.

use std::{
    io::{IsTerminal as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result, anyhow};
use uuid::Uuid;

use super::{How, checked_code, compiled, print, read, refusal, rules_of, shown};
use crate::first_start;
use crate::settings::Settings;
use authoring::{
    change_set::{ChangeSet, Edit},
    diff, edits,
};
use revisions::publish::change_sets::Keep;
use revisions::publish::{Author, PublishError, Publisher, RulebookToCreate};
use rules::rows::RowSet;
use store::rulebooks;

/// Returns the author that is recorded for changes from the command line.
fn author() -> Author {
    Author {
        name: "ringbook rules".to_owned(),
        ..Author::default()
    }
}

/// Publishes the rules in a folder, or opens a change set with them.
pub(super) async fn of_folder(
    settings: &Settings,
    folder: &Path,
    publish: bool,
    how: &How,
    rulebook: &str,
) -> Result<()> {
    checked_code(rulebook)?;
    let (texts, rows) = read(folder)?;
    // Report errors with their positions in the files before the command asks for confirmation.
    compiled(&texts, &rows)?;
    let (current, publisher) = rules_of(settings).await?;
    let Some(standing) = current.head_rows(rulebook).await? else {
        return new_rulebook(&publisher, rows, how, rulebook).await;
    };
    let change = Change {
        publisher: &publisher,
        rulebook_id: standing.rulebook_id,
        rulebook,
        revision: standing.revision,
    };
    let edits = edits::between(standing.rows(), &rows);
    let told = diff::diff(standing.rows(), &rows);
    change.made(edits, &told, publish, how, "imported from files").await
}

/// A change of an existing rulebook.
pub(super) struct Change<'a> {
    pub publisher: &'a Publisher,
    pub rulebook_id: Uuid,
    pub rulebook: &'a str,
    /// The head revision that the change is based on.
    pub revision: i64,
}

impl Change<'_> {
    /// Shows the difference, asks for confirmation, and applies the change.
    pub(super) async fn made(
        &self,
        edits: Vec<Edit>,
        told: &[diff::RowDiff],
        publish: bool,
        how: &How,
        comment: &str,
    ) -> Result<()> {
        let rulebook = self.rulebook;
        if told.is_empty() {
            return print(&format!(
                "nothing changed: `{rulebook}` stays at revision {}",
                self.revision
            ));
        }
        print(&shown(told))?;
        let comment = how.comment.as_deref().unwrap_or(comment);
        if publish {
            agreed(how, "Publish these changes?")?;
            let change = ChangeSet {
                edits,
                comment: comment.to_owned(),
            };
            let published = self.publisher.publish(self.rulebook_id, change, author()).await?;
            let published = published.map_err(|error| anyhow!(refusal(&error)))?;
            return print(&live(rulebook, published.revision));
        }
        agreed(how, "Open a change set with these changes?")?;
        let id = self
            .opened(comment, edits)
            .await
            .map_err(|error| anyhow!(refusal(&error)))?;
        let of = of_rulebook(rulebook);
        print(&format!(
            "change set {id} is open: read it in the API, or publish it with\n  ringbook rules publish {id}{of}"
        ))
    }

    /// Stores a new change set and returns its id. If an earlier run opened a change set with the same changes, returns
    /// the id of that change set.
    async fn opened(&self, comment: &str, edits: Vec<Edit>) -> Result<Uuid, PublishError> {
        let author = author();
        let stored = self
            .publisher
            .open_set(self.rulebook_id, comment, edits, &author)
            .await?;
        if let Some(same) = self.publisher.same_set(&stored).await? {
            return Ok(same);
        }
        // Commands have no idempotency key, so there is no response to store.
        let keep: Keep = Box::new(|_| Box::pin(async { Ok(true) }));
        self.publisher.store_set(&stored, keep, &author).await?;
        Ok(stored.set.id)
    }
}

/// Publishes an open change set.
pub(super) async fn of_set(settings: &Settings, id: Uuid, how: &How, rulebook: &str) -> Result<()> {
    let (current, publisher) = rules_of(settings).await?;
    let found = current.find(rulebook).await?;
    let (rulebook_id, _) = found.with_context(|| format!("there is no rulebook `{rulebook}`"))?;
    let stored = publisher
        .set(rulebook_id, id)
        .await
        .map_err(|error| anyhow!(refusal(&error)))?;
    let planned = publisher.plan(rulebook_id, &stored.edits()).await;
    let planned = planned.map_err(|error| anyhow!(refusal(&error)))?;
    print(&shown(&diff::diff(&planned.base, &planned.rows)))?;
    agreed(how, "Publish these changes?")?;
    let comment = how.comment.as_deref();
    let published = publisher
        .publish_set(rulebook_id, id, stored.set.version, comment, &author())
        .await;
    let published = published.map_err(|error| anyhow!(refusal(&error)))?;
    print(&live(rulebook, published.set.revision.unwrap_or_default()))
}

async fn new_rulebook(publisher: &Publisher, rows: RowSet, how: &How, rulebook: &str) -> Result<()> {
    print(&format!("the rulebook `{rulebook}` is new, with {} rows", rows.count()))?;
    agreed(how, "Create this rulebook?")?;
    let new = RulebookToCreate {
        code: rulebook,
        name: None,
        webhook_auth: first_start::default_webhook_auth(),
        sms_delivery: rulebooks::TWILIO,
    };
    let made = publisher.create(new, rows, &author()).await;
    let (_, published) = made.map_err(|error| anyhow!(refusal(&error)))?;
    print(&live(rulebook, published.revision))
}

fn live(rulebook: &str, revision: i64) -> String {
    format!("`{rulebook}` is at revision {revision}: the next call uses it")
}

fn of_rulebook(rulebook: &str) -> String {
    if rulebook == super::DEFAULT_RULEBOOK {
        String::new()
    } else {
        format!(" --rulebook {rulebook}")
    }
}

/// Asks for confirmation at the terminal. Fails without a terminal, because nobody can agree.
fn agreed(how: &How, question: &str) -> Result<()> {
    if how.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(anyhow!("there is no terminal to ask: pass --yes to agree"));
    }
    let mut told = std::io::stderr();
    write!(told, "{question} [y/N] ")
        .and_then(|()| told.flush())
        .context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" | "o" | "oui" => Ok(()),
        _ => Err(anyhow!("nothing was changed")),
    }
}
