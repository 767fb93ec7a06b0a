//! Each link in the OpenAPI document names an existing operation and a parameter of that operation.

use admin::document::document;
use serde_json::Value;

#[test]
fn every_link_names_an_operation_and_its_parameters() {
    let document = document();
    let operations: Vec<&Value> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .collect();
    let links = operations
        .iter()
        .flat_map(|operation| operation["responses"].as_object().unwrap().values())
        .filter_map(|response| response["links"].as_object())
        .flatten();
    let mut count = 0;
    for (name, link) in links {
        let target = operations
            .iter()
            .find(|operation| operation["operationId"] == link["operationId"]);
        let target = target.unwrap_or_else(|| panic!("the link {name} does not name an existing operation"));
        let has = |parameter: &str| {
            let (place, own) = parameter.split_once('.').unwrap();
            let mut all = target["parameters"].as_array().into_iter().flatten();
            all.any(|one| one["in"] == place && one["name"] == own)
        };
        for parameter in link["parameters"].as_object().unwrap().keys() {
            assert!(
                has(parameter),
                "the link {name} sets {parameter}, which the operation does not have"
            );
        }
        count += 1;
    }
    assert!(count > 200, "{count} links");
}
