//! Parses the query string of a list request as the list's [`ListSpec`] declares it: page size, cursor, sort order and
//! filters. Unknown parameters are rejected.

use std::collections::BTreeMap;

use poem::{FromRequest, Request, RequestBody, Result};
use sha2::{Digest as _, Sha256};

use super::cursor::{is_cursor, place};
use super::filter_value::{Days, ended, wanted, wrong};
use super::{DEFAULT_LIMIT, ListSpec, Listing, MAX_LIMIT, is_masked};
use crate::masking::HideNumbers;
use crate::state::shortened;
use rules::suggestion::did_you_mean;
use web::problem::{Code, FieldFault, Problem};

/// The unparsed query string of a list request.
pub struct ListQuery {
    pairs: Vec<(String, String)>,
    mark: String,
    hide: HideNumbers,
    days: Days,
}

impl ListQuery {
    fn new(path: &str, pairs: Vec<(String, String)>, days: Days) -> Self {
        let mut told: Vec<_> = pairs
            .iter()
            .filter(|(name, _)| name != "limit" && name != "cursor")
            .collect();
        told.sort();
        let mark = Sha256::digest(serde_json::json!([path, told]).to_string());
        let mark = hex::encode(mark.get(..8).unwrap_or_default());
        Self {
            pairs,
            mark,
            hide: HideNumbers::default(),
            days,
        }
    }
}

impl<'a> FromRequest<'a> for ListQuery {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let pairs: Vec<(String, String)> = request
            .params()
            .map_err(|_| Problem::new(Code::InvalidParameter, "The query string cannot be read."))?;
        let days = Days::of(request, &pairs).await;
        let mut query = Self::new(request.original_uri().path(), pairs, days);
        query.hide = request.data::<HideNumbers>().cloned().unwrap_or_default();
        Ok(query)
    }
}

impl ListQuery {
    /// Removes these parameters from the query, because the operation itself parses them.
    #[must_use]
    pub fn besides(mut self, names: &[&str]) -> Self {
        self.pairs.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    /// Parses the query by the list's spec.
    ///
    /// # Errors
    /// 400 if a parameter is invalid, 403 if a filter uses a value that is masked for this API caller, 422 if the
    /// cursor is from another list.
    pub fn read(&self, spec: &ListSpec) -> Result<Listing, Problem> {
        let default = spec.sorts.first().copied().unwrap_or_default();
        let mut listing = Listing {
            limit: DEFAULT_LIMIT,
            sort: default.trim_start_matches('-'),
            descending: default.starts_with('-'),
            after: None,
            mark: self.mark.clone(),
            filters: BTreeMap::new(),
        };
        let mut cursor = None;
        let mut seen = Vec::new();
        let mut faults = Vec::new();
        for (name, value) in &self.pairs {
            if seen.contains(&name) {
                let name = shortened(name);
                faults.push(FieldFault::new(&*name, "repeated", format!("`{name}` is given twice.")));
                continue;
            }
            seen.push(name);
            let read = match name.as_str() {
                "cursor" => {
                    cursor = Some(value);
                    is_cursor(value).then_some(()).ok_or_else(|| {
                        let detail = "`cursor` must be the `next_cursor` of the previous page.";
                        wrong("cursor", "invalid_value", detail.to_owned())
                    })
                }
                name => listing.take(spec, name, value, self.days),
            };
            faults.extend(read.err());
        }
        if !faults.is_empty() {
            return Err(Problem::invalid_parameters(faults));
        }
        let masked = listing.filters.keys().find(|name| is_masked(name));
        if let Some(name) = masked.filter(|_| self.hide.is_on()) {
            let detail =
                format!("`{name}` filters by a value that is masked for viewers: use a key with another role.");
            return Err(Problem::new(Code::Forbidden, detail));
        }
        // A cursor is valid only for the same list, sort order and filters.
        if let Some(cursor) = cursor {
            listing.after = Some(place(cursor, &listing.mark)?);
        }
        Ok(listing)
    }
}

impl Listing {
    /// Parses one parameter.
    fn take(&mut self, spec: &ListSpec, name: &str, value: &str, days: Days) -> Result<(), FieldFault> {
        match name {
            "limit" => self.limit = limit(value)?,
            "sort" => {
                let sort = spec.sorts.iter().find(|sort| **sort == value).ok_or_else(|| {
                    let hint = did_you_mean(value, spec.sorts.iter().copied());
                    let detail = format!("`sort` must be one of: {}{}", spec.sorts.join(", "), ended(&hint));
                    wrong("sort", "invalid_value", detail)
                })?;
                self.sort = sort.trim_start_matches('-');
                self.descending = sort.starts_with('-');
            }
            other => {
                let filter = spec.filters.iter().find(|filter| filter.name == other).ok_or_else(|| {
                    let known: Vec<_> = ["limit", "cursor", "sort"]
                        .into_iter()
                        .chain(spec.filters.iter().map(|filter| filter.name))
                        .collect();
                    let other = shortened(other);
                    let hint = did_you_mean(&other, known.iter().copied());
                    let known = known.join(", ");
                    let detail = format!("This list has no parameter `{other}`; it has: {known}{}", ended(&hint));
                    wrong(&other, "unknown_parameter", detail)
                })?;
                self.filters.insert(filter.name, wanted(filter, value, days)?);
            }
        }
        Ok(())
    }
}

fn limit(value: &str) -> Result<u64, FieldFault> {
    value
        .parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| {
            wrong(
                "limit",
                "invalid_value",
                format!("`limit` must be a whole number from 1 to {MAX_LIMIT}."),
            )
        })
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use chrono_tz::Tz;
    use serde_json::Value;

    use super::*;
    use crate::list::{Filter, FilterType};

    const SPEC: ListSpec = ListSpec {
        sorts: &["code", "-rank"],
        filters: &[
            Filter {
                name: "offer",
                kind: FilterType::Choice(&["offered", "refused"]),
                doc: "",
            },
            Filter {
                name: "since",
                kind: FilterType::Time,
                doc: "",
            },
            Filter {
                name: "until",
                kind: FilterType::Time,
                doc: "",
            },
        ],
    };

    fn ask(pairs: &[(&str, &str)]) -> Result<Listing, Problem> {
        let pairs = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        ListQuery::new("/here", pairs.collect(), montreal()).read(&SPEC)
    }

    /// The day on which daylight saving time ended in Montréal.
    fn montreal() -> Days {
        Days {
            zone: Tz::America__Toronto,
            today: NaiveDate::from_ymd_opt(2026, 11, 1).unwrap(),
        }
    }

    #[test]
    fn a_day_is_that_of_the_rulebook_from_its_beginning_to_its_end() {
        let at = |name: &'static str, value: &str| ask(&[(name, value)]).unwrap().time(name).unwrap().to_rfc3339();
        for (name, value, instant) in [
            ("since", "today", "2026-11-01T04:00:00+00:00"),
            ("until", "today", "2026-11-02T05:00:00+00:00"),
            ("since", "yesterday", "2026-10-31T04:00:00+00:00"),
            ("until", "yesterday", "2026-11-01T04:00:00+00:00"),
            ("since", "2026-11-28", "2026-11-28T05:00:00+00:00"),
            ("until", "2026-11-28T12:00:00Z", "2026-11-28T12:00:00+00:00"),
        ] {
            assert_eq!(at(name, value), instant, "{name}={value}");
        }
        // In São Paulo, daylight saving time began at midnight of 15 October 2017.
        let days = Days {
            zone: Tz::America__Sao_Paulo,
            ..montreal()
        };
        let began = days.instant("2017-10-15", false).unwrap();
        assert_eq!(began.to_rfc3339(), "2017-10-15T03:00:00+00:00");
    }

    #[test]
    fn what_a_list_does_not_know_is_refused_with_the_parameter() {
        for (name, value) in [
            ("limit", "0"),
            ("limit", "201"),
            ("sort", "rank"),
            ("cursor", "x"),
            ("colour", "red"),
            ("offer", "maybe"),
            ("since", "tomorrow"),
        ] {
            let problem = ask(&[(name, value)]).unwrap_err();
            assert_eq!(problem.errors()[0].pointer, name, "{value}");
        }
        assert!(ask(&[("limit", "1"), ("limit", "2")]).is_err());
        let problem = ask(&[("limit", "0"), ("colour", "red"), ("since", "2026-02-30")]).unwrap_err();
        assert_eq!(problem.errors().len(), 3, "{problem}");
    }

    #[test]
    fn pages_follow_each_other_while_rows_come_and_go() {
        let rows = |codes: &[&str]| {
            codes
                .iter()
                .map(|c| (Value::from(*c), (*c).to_owned(), (*c).to_owned()))
                .collect()
        };
        let first = ask(&[("limit", "2")]).unwrap().page_of(rows(&["b", "d", "f"]));
        assert_eq!(first.items, ["b", "d"]);
        let cursor = first.next_cursor.unwrap();
        let second = ask(&[("limit", "2"), ("cursor", &cursor)])
            .unwrap()
            .page_of(rows(&["a", "c", "e", "f"]));
        assert_eq!(second.items, ["e", "f"]);
        assert_eq!(second.next_cursor, None);
        assert!(ask(&[("sort", "-rank"), ("cursor", &cursor)]).is_err());
        assert!(ask(&[("offer", "refused"), ("cursor", &cursor)]).is_err());
        let elsewhere = ListQuery::new("/there", vec![("cursor".to_owned(), cursor)], montreal());
        assert!(elsewhere.read(&SPEC).is_err());
    }

    #[test]
    fn the_nearest_name_is_told() {
        for (pair, nearest) in [
            (("ofer", "x"), "did you mean `offer`?"),
            (("offer", "ofered"), "did you mean `offered`?"),
            (("sort", "cod"), "did you mean `code`?"),
        ] {
            let problem = ask(&[pair]).unwrap_err();
            assert!(problem.detail().ends_with(nearest), "{}", problem.detail());
        }
    }
}
