//! Returns the lists of leads and calls as CSV from the API. The filters of the page apply to the CSV too.

use futures_util::future::BoxFuture;
use poem::Response;
use poem::http::header;

use crate::lists::{self, List};
use crate::routes::Address;
use crate::visit::{Answer, Visit};
use crate::{calls, leads};

pub const ADDRESSES: &[Address] = &[Address::get("/leads.csv", leads), Address::get("/calls.csv", calls)];

/// The leads that match the filters.
pub fn leads(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(sheet(visit, &leads::LIST))
}

/// The calls that match the filters.
pub fn calls(visit: &Visit) -> BoxFuture<'_, Answer> {
    Box::pin(sheet(visit, &calls::LIST))
}

async fn sheet(visit: &Visit, list: &List) -> Answer {
    let business = visit.business().await?;
    let filters = lists::filters(visit, business, list);
    let pairs: Vec<(&str, &str)> = filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut inner = visit.sheet(&business.path(list.path), &pairs).await?;
    let mut response = Response::builder().finish();
    for name in [header::CONTENT_TYPE, header::CONTENT_DISPOSITION] {
        if let Some(value) = inner.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response.set_body(inner.take_body());
    Ok(response)
}
