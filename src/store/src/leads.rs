//! Leads: the follow-up work that a call leaves for a person.

mod record;

use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;

use super::insertion::portion;

use rules::decision::{Decision, Price};
use rules::facts::{Fact, Facts};
use rules::money::Money;

pub(crate) use self::record::insertion;
pub use self::record::{LeadPart, NewLead, fill, upsert};

/// A row of `leads`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "leads")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub rulebook_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub call_id: String,
    #[sea_orm(column_type = "Text")]
    pub customer_name: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub customer_number: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub customer_email: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub address: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub city: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub postal_code: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub problem: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub service: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub area: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub currency: Option<String>,
    pub price_from: Option<i64>,
    pub price_to: Option<i64>,
    pub quote_revision: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub priority: Option<String>,
    pub sla_seconds: Option<i64>,
    pub due_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text")]
    pub wanted_slot: Option<String>,
    pub decision_id: Option<Uuid>,
    pub quote_decision_id: Option<Uuid>,
    pub late: bool,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub erased_at: Option<DateTimeUtc>,
    pub capped: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The lead's data about the caller, as facts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let named = [
            ("customer_name", &self.customer_name),
            ("customer_phone", &self.customer_number),
            ("customer_email", &self.customer_email),
            ("address", &self.address),
            ("city", &self.city),
            ("postal_code", &self.postal_code),
            ("problem", &self.problem),
            ("wanted_slot", &self.wanted_slot),
        ];
        let known = named.into_iter().filter_map(|(name, text)| {
            let text = text.as_ref().filter(|text| !text.is_empty())?;
            Some((name.to_owned(), Fact::Text(text.clone())))
        });
        known.collect()
    }

    /// Replaces the decision's service, area and price with the values of the lead, because a call has only one price.
    pub fn settle(&self, decision: &mut Decision) {
        decision.service.clone_from(&self.service);
        decision.area.clone_from(&self.area);
        let price = self.currency.as_deref().zip(self.price_from.zip(self.price_to));
        decision.price = price.map(|(currency, (from, to))| Price {
            currency: currency.to_owned(),
            from: Money::from_minor(from),
            to: Money::from_minor(to),
            per: None,
            besides: None,
            taxes: Vec::new(),
            total_from: Money::from_minor(from),
            total_to: Money::from_minor(to),
        });
    }
}

/// The lead of a call.
pub async fn of_call<C: ConnectionTrait>(db: &C, rulebook_id: Uuid, call_id: &str) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::RulebookId.eq(rulebook_id))
        .filter(Column::CallId.eq(call_id))
        .one(db)
        .await
}

/// Marks the leads of these calls as capped. No SMS message about a capped lead was sent, because the daily cap was
/// reached.
pub async fn mark_capped(tx: &DatabaseTransaction, rulebook_id: Uuid, mut call_ids: &[&str]) -> Result<(), DbErr> {
    while let Some((some, rest)) = portion(call_ids.len()).and_then(|count| call_ids.split_at_checked(count)) {
        Entity::update_many()
            .col_expr(Column::Capped, Expr::value(true))
            .filter(Column::RulebookId.eq(rulebook_id))
            .filter(Column::CallId.is_in(some.iter().copied()))
            .exec(tx)
            .await?;
        call_ids = rest;
    }
    Ok(())
}
