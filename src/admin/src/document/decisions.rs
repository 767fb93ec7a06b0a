//! Adds the schema of a decision, for people and generated clients.
//!
//! poem-openapi knows no schema for decisions, because serde serializes them and operations return the stored bytes.
//! This module adds the schema `Decision` and the schemas that it uses. The module also adds a reference wherever a
//! response contains a decision.

use serde_json::{Value, json};

/// Adds the schemas and the references to them.
pub fn add(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    for (name, schema) in [
        ("Decision", decision()),
        ("Price", price()),
        ("TaxLine", tax_line()),
        ("DecisionStep", step()),
        ("MoneyStep", money_step()),
        ("Fact", fact()),
    ] {
        schemas[name] = schema;
        schemas[name]["title"] = name.into();
    }
    for (holder, field, schema) in [
        ("Evaluation", "decision", "Decision"),
        ("StoredDecision", "decision", "Decision"),
        ("RowStep", "money", "MoneyStep"),
    ] {
        schemas[holder]["properties"][field]["$ref"] = format!("#/components/schemas/{schema}").into();
    }
}

fn decision() -> Value {
    object(
        "What a call costs, how urgent it is, and why. The same revision, facts and instant give the same decision.",
        &[],
        json!({
            "revision": {"type": "integer", "format": "int64", "description": "The revision that decided."},
            "service": {"type": ["string", "null"], "description": "The service found, if any."},
            "offer": or_null("Offer", "Whether the business offers the service; null: no service was found."),
            "area": {"type": ["string", "null"], "description": "The service area found, if any."},
            "price": or_null("Price", "The price, if there is one."),
            "priority": {"$ref": "#/components/schemas/Priority", "description": "How urgent the call is."},
            "sla_seconds": {"type": "integer", "format": "int64", "description": "Seconds within which somebody should call back."},
            "priority_rule": {"type": ["string", "null"], "description": "The priority rule that matched; null: the rulebook's default."},
            "notify": {"type": "array", "items": {"type": "string"}, "description": "Codes of the contacts to notify, in order."},
            "template": {"type": ["string", "null"], "description": "The template for the SMS messages; null: nobody is notified."},
            "say": {"type": "string", "description": "One sentence that a voice agent can say, in `language`."},
            "language": {"type": "string", "description": "The caller's language, one of the rulebook's."},
            "dropped_scripts": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Codes of the scripts that failed and were omitted; absent if no script failed.",
            },
            "derived": {
                "type": "object",
                "additionalProperties": {"$ref": "#/components/schemas/Fact"},
                "description": "The facts that Ringbook derived from the message's facts, by name.",
            },
            "trace": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/DecisionStep"},
                "description": "Every row that took part, in order, and its effect on the price.",
            },
        }),
        &["dropped_scripts"],
    )
}

fn price() -> Value {
    object(
        "A price range before tax, the taxes on both ends, and the totals.",
        &[
            ("from", "Lowest price before tax, rounded."),
            ("to", "Highest price before tax, rounded."),
            ("total_from", "Lowest price with taxes."),
            ("total_to", "Highest price with taxes."),
            (
                "besides",
                "The amount charged once for the whole job in addition to the unit price, before tax.",
            ),
        ],
        json!({
            "currency": {"type": "string", "description": "The rulebook's currency.", "example": "CAD"},
            "per": {"type": "string", "description": "The unit, in the caller's language, if the price is per unit and the quantity is unknown."},
            "taxes": {"type": "array", "items": {"$ref": "#/components/schemas/TaxLine"}, "description": "One line per tax."},
        }),
        &["per", "besides"],
    )
}

fn tax_line() -> Value {
    object(
        "A tax on the lowest and on the highest price, each rounded half up to the cent.",
        &[("from", "On the lowest price."), ("to", "On the highest price.")],
        json!({
            "code": {"type": "string", "description": "The tax's code."},
            "rate": {"type": "string", "description": "The rate in percent, as exact decimal text.", "example": "9.975"},
        }),
        &[],
    )
}

fn step() -> Value {
    object(
        "The effect of one row on a decision.",
        &[],
        json!({
            "resource": {"type": "string", "description": "The resource's path name.", "example": "adjustments"},
            "code": {"type": "string", "description": "The code."},
            "did": {"type": "string", "description": "What the row did, in English.", "example": "matched postal code J4"},
            "money": {"$ref": "#/components/schemas/MoneyStep", "description": "The row's effect on the price, if any."},
        }),
        &["money"],
    )
}

fn money_step() -> Value {
    let end = |about: &str| json!({"type": "string", "description": about, "example": "350"});
    object(
        "Both ends of the range before and after a step, unrounded, as exact decimal text.",
        &[],
        json!({
            "kind": {
                "$ref": "#/components/schemas/AdjustmentKind",
                "description": "The kind of adjustment; absent for the base price, scripts and rounding.",
            },
            "from_before": end("Lowest price before the step."),
            "from_after": end("Lowest price after the step."),
            "to_before": end("Highest price before the step."),
            "to_after": end("Highest price after the step."),
        }),
        &["kind"],
    )
}

fn fact() -> Value {
    object(
        "A typed value that rules may read.",
        &[],
        json!({
            "type": {"type": "string", "enum": ["boolean", "number", "text", "time"], "description": "The type."},
            "value": {
                "type": ["boolean", "string"],
                "description": "A boolean, or a string with a text, an exact decimal number or an RFC 3339 instant.",
            },
        }),
        &[],
    )
}

/// Builds an object schema from properties and amounts of money. All properties are required except those in
/// `optional`.
fn object(about: &str, amounts: &[(&str, &str)], mut properties: Value, optional: &[&str]) -> Value {
    for (name, about) in amounts {
        properties[*name] = json!({
            "type": "string",
            "format": "money",
            "pattern": "^-?\\d{1,10}(\\.\\d{1,2})?$",
            "description": about,
            "example": "350.00",
        });
    }
    let names = properties.as_object().into_iter().flatten().map(|(name, _)| name);
    let required: Vec<_> = names.filter(|name| !optional.contains(&name.as_str())).collect();
    json!({"type": "object", "description": about, "required": required, "properties": properties})
}

fn or_null(schema: &str, about: &str) -> Value {
    json!({"oneOf": [{"$ref": format!("#/components/schemas/{schema}")}, {"type": "null"}], "description": about})
}
