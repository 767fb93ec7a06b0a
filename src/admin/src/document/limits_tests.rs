//! Tests that each limit belongs to a field that is in the document.

use super::limits::{between_fields, of_requests, of_rows};

#[test]
fn every_limit_is_one_of_a_field_that_is_there() {
    let schemas = &super::document()["components"]["schemas"];
    for (schema, field, limit) in of_rows().into_iter().chain(of_requests()) {
        let told = &schemas[schema]["properties"][field];
        assert!(told.is_object(), "{schema} {field}");
        for (keyword, value) in limit.as_object().unwrap() {
            assert!(
                keyword == "type" || keyword == "enum" || !told[keyword].is_null(),
                "{schema} {field} {keyword} {value}"
            );
        }
    }
    for (schema, _) in between_fields() {
        assert!(schemas[schema].is_object(), "{schema}");
    }
}
