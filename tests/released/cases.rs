//! Tests each kind of change that breaks clients, and similar changes that break no client, on a small document.

use serde_json::{Value, json};

use super::breaking;

fn document() -> Value {
    json!({
        "paths": {"/prices/{code}": {"put": {
            "operationId": "put_price",
            "x-required-role": "editor",
            "parameters": [
                {"name": "code", "in": "path", "required": true, "schema": {"type": "string", "maxLength": 64}},
                {"name": "sort", "in": "query", "required": false, "schema": {"type": "string", "enum": ["code", "rank"]}},
            ],
            "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Price"}}}},
            "responses": {
                "200": {
                    "headers": {"ETag": {"schema": {"type": "string"}}},
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Stored"}}},
                },
                "412": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
            },
        }}},
        "components": {"schemas": {
            "Price": {
                "type": "object",
                "required": ["from"],
                "properties": {
                    "from": {"type": "string", "pattern": "^\\d+$"},
                    "rank": {"type": "integer", "minimum": 0, "maximum": 100},
                    "level": {"$ref": "#/components/schemas/Level"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Price"}},
                },
            },
            "Stored": {"allOf": [{"$ref": "#/components/schemas/Price"}, {
                "type": "object",
                "required": ["version"],
                "properties": {"version": {"type": "integer", "format": "int64"}, "by": {"type": ["string", "null"]}},
            }]},
            "Level": {"type": "string", "enum": ["P1", "P2"]},
        }},
    })
}

const PUT: &str = "/paths/~1prices~1{code}/put";

/// Replaces the JSON value at a pointer. Returns the changes that break clients.
fn found(pointer: &str, value: Value) -> Vec<String> {
    let (older, mut newer) = (document(), document());
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let key = &key.replace("~1", "/");
    let parent = newer.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}"));
    match (parent, value) {
        (Value::Array(list), Value::Null) => drop(list.remove(key.parse::<usize>().unwrap())),
        (Value::Array(list), value) if key == "-" => list.push(value),
        (Value::Object(object), Value::Null) => drop(object.remove(key).unwrap_or_else(|| panic!("{pointer}"))),
        (Value::Array(list), value) => list[key.parse::<usize>().unwrap()] = value,
        (parent, value) => parent[key] = value,
    }
    breaking::between(&older, &newer)
}

#[test]
fn each_break_is_told_with_its_place() {
    let put = |rest: &str| format!("{PUT}{rest}");
    let schema = |rest: &str| format!("/components/schemas{rest}");
    let level = schema("/Level/enum");
    for (pointer, value, told) in [
        (
            "/paths/~1prices~1{code}".to_owned(),
            Value::Null,
            "PUT /prices/{code} is gone",
        ),
        (put(""), Value::Null, "PUT /prices/{code} is gone"),
        (
            put("/operationId"),
            json!("write_price"),
            "its id was \"put_price\" and is \"write_price\"",
        ),
        (
            put("/x-required-role"),
            json!("viewer"),
            "the role that it needs was \"editor\" and is \"viewer\"",
        ),
        (
            put("/parameters/1"),
            Value::Null,
            "the parameter \"sort\" (query) is gone",
        ),
        (
            put("/parameters/1/required"),
            json!(true),
            "the parameter \"sort\" (query) has become required",
        ),
        (
            put("/parameters/-"),
            json!({"name": "why", "in": "query", "required": true}),
            "the parameter \"why\" (query) is new and required",
        ),
        (
            put("/parameters/0/schema/maxLength"),
            json!(32),
            "its maxLength was 64 and is 32",
        ),
        (
            put("/parameters/1/schema/enum/0"),
            Value::Null,
            "\"code\" is no longer accepted",
        ),
        (
            put("/parameters/1/schema/type"),
            json!("integer"),
            "its type was string and is integer",
        ),
        (
            put("/responses/412"),
            Value::Null,
            "PUT /prices/{code}, 412: is no longer a response",
        ),
        (
            put("/responses/200/headers/ETag"),
            Value::Null,
            "200: the header ETag is gone",
        ),
        (
            put("/responses/412/content"),
            json!({"application/json": {}}),
            "412: application/problem+json is gone",
        ),
        (
            put("/requestBody/content"),
            json!({"text/csv": {}}),
            "body: application/json is gone",
        ),
        (
            schema("/Price/required/-"),
            json!("rank"),
            "body /rank: has become required",
        ),
        (schema("/Price/properties/rank"), Value::Null, "body /rank: is gone"),
        (
            schema("/Price/properties/rank/minimum"),
            json!(1),
            "body /rank: its minimum was 0 and is 1",
        ),
        (
            schema("/Price/properties/rank/maximum"),
            json!(99),
            "body /rank: its maximum was 100 and is 99",
        ),
        (
            schema("/Price/properties/from/maxLength"),
            json!(9),
            "body /from: its maxLength was nothing and is 9",
        ),
        (
            schema("/Price/properties/from/pattern"),
            json!("^\\d{1,9}$"),
            "body /from: its pattern was",
        ),
        (
            schema("/Price/properties/from/format"),
            json!("money"),
            "body /from: its format was nothing and is \"money\"",
        ),
        (
            schema("/Price/properties/parts/items"),
            json!({"type": "string"}),
            "body /parts/items: its type was object and is string",
        ),
        (
            schema("/Price/additionalProperties"),
            json!(false),
            "body: fields that it does not name are no longer accepted",
        ),
        (
            schema("/Level/enum/1"),
            Value::Null,
            "body /level: \"P2\" is no longer accepted",
        ),
        (
            schema("/Level/oneOf"),
            json!([{"type": "string"}]),
            "body /level: its alternatives (oneOf) have changed incompatibly",
        ),
        (format!("{level}/-"), json!("P3"), "200 /level: \"P3\" is new"),
        (level, Value::Null, "200 /level: its values are no longer a closed list"),
        (
            schema("/Price/required/0"),
            Value::Null,
            "200 /from: may be missing now",
        ),
        (
            schema("/Stored/allOf/1/properties/version/format"),
            Value::Null,
            "200 /version: its format was \"int64\" and is nothing",
        ),
        (
            schema("/Stored/allOf/1/properties/version/type"),
            json!("number"),
            "200 /version: its type was integer and is number",
        ),
        (
            schema("/Stored/allOf/1/properties/version/type"),
            json!(["integer", "null"]),
            "200 /version: its type was integer and is integer or null",
        ),
        (schema("/Stored/allOf/1"), Value::Null, "200 /version: is gone"),
    ] {
        let breaks = found(&pointer, value);
        assert!(
            breaks.iter().any(|broken| broken.contains(told)),
            "{pointer}: {told} is not among {breaks:#?}"
        );
    }
}

#[test]
fn what_clients_do_not_notice_is_no_break() {
    let put = |rest: &str| format!("{PUT}{rest}");
    let schema = |rest: &str| format!("/components/schemas{rest}");
    for (pointer, value) in [
        (
            "/paths/~1taxes".to_owned(),
            json!({"get": {"operationId": "list_taxes"}}),
        ),
        (put("/summary"), json!("Write a price")),
        (
            put("/parameters/-"),
            json!({"name": "why", "in": "query", "required": false}),
        ),
        (put("/parameters/0/schema/maxLength"), json!(128)),
        (put("/parameters/0/schema/maxLength"), Value::Null),
        (put("/parameters/1/schema/enum/-"), json!("from")),
        (put("/parameters/1/schema/enum"), Value::Null),
        (
            put("/parameters/1"),
            json!({"name": "sort", "in": "query", "schema": {"type": ["string", "integer"]}}),
        ),
        (put("/responses/428"), json!({"description": "A version is asked for."})),
        (
            put("/responses/200/headers"),
            json!({"etag": {"schema": {"type": "string"}}}),
        ),
        (put("/requestBody/required"), json!(false)),
        (
            schema("/Stored/allOf/1/properties/at"),
            json!({"type": "string", "format": "date-time"}),
        ),
        (schema("/Stored/allOf/1/required/-"), json!("by")),
        (schema("/Stored/allOf/1/properties/by/type"), json!("string")),
        (schema("/Price/properties/why"), json!({"type": "string"})),
        (schema("/Price/properties/rank/maximum"), json!(1000)),
        (
            schema("/Price/properties/level"),
            json!({"type": "string", "enum": ["P1", "P2"], "description": "How urgent."}),
        ),
    ] {
        assert_eq!(found(&pointer, value), Vec::<String>::new(), "{pointer}");
    }
}
