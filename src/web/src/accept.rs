//! Content negotiation (RFC 9110, 12.5.1). A request without a readable `Accept` header accepts every type. Parameters
//! of a media type other than the weight are ignored.

use poem::Request;
use poem::http::header;

/// Returns the type in `given` that the request prefers. If the request prefers several types equally, returns the
/// first of them. `None` if the request accepts none of the types.
pub fn wanted<'a>(request: &Request, given: &[&'a str]) -> Option<&'a str> {
    let lines = request.headers().get_all(header::ACCEPT).iter();
    let lines: Vec<_> = lines.filter_map(|line| line.to_str().ok()).collect();
    wanted_by(&lines.join(","), given)
}

fn wanted_by<'a>(accept: &str, given: &[&'a str]) -> Option<&'a str> {
    let ranges: Vec<_> = accept.split(',').filter_map(Range::parse).collect();
    if ranges.is_empty() {
        return given.first().copied();
    }
    let mut best = None;
    for kind in given {
        // The most specific range determines the weight of a type.
        let closest = ranges
            .iter()
            .filter(|range| range.holds(kind))
            .max_by_key(|range| range.closeness());
        let Some(range) = closest.filter(|range| range.weight > 0) else {
            continue;
        };
        let rank = (range.weight, range.closeness());
        if best.is_none_or(|(_, other)| rank > other) {
            best = Some((*kind, rank));
        }
    }
    best.map(|(kind, _)| kind)
}

/// Whether the client accepts a response that is compressed with gzip (RFC 9110, 12.5.3).
pub fn accepts_gzip(request: &Request) -> bool {
    let lines = request.headers().get_all(header::ACCEPT_ENCODING).iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = |part: &str| {
            let weight = part.to_ascii_lowercase();
            weight.strip_prefix("q=").and_then(thousandths) == Some(0)
        };
        is_gzip && !parts.any(refused)
    })
}

/// A media range such as `text/*;q=0.5`, with its weight in thousandths.
struct Range<'a> {
    kind: &'a str,
    subkind: &'a str,
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subkind) = parts.next()?.split_once('/')?;
        let is_weight = |part: &&str| part.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("q="));
        let weight = match parts.find(is_weight) {
            Some(weight) => thousandths(weight.get(2..)?.trim())?,
            None => 1_000,
        };
        let readable = !kind.is_empty() && !subkind.is_empty() && (kind != "*" || subkind == "*");
        readable.then_some(Self { kind, subkind, weight })
    }

    fn holds(&self, media_type: &str) -> bool {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let is = |range: &str, own: &str| range == "*" || range.eq_ignore_ascii_case(own);
        let own = essence.split_once('/');
        own.is_some_and(|(kind, subkind)| is(self.kind, kind) && is(self.subkind, subkind))
    }

    /// Returns how specific the range is. A name is more specific than `*`.
    fn closeness(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subkind != "*")
    }
}

/// Parses a weight such as `0`, `0.5` or `1.000` into thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !digits(fraction) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    let weight = if whole == "1" { 1_000 } else { 0 } + fraction;
    (weight <= 1_000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_who_asks_for_it() {
        for (accept, takes) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("gzip;q=0, br", false),
            ("identity", false),
            ("xgzip", false),
            ("", false),
        ] {
            let request = Request::builder().header(header::ACCEPT_ENCODING, accept).finish();
            assert_eq!(accepts_gzip(&request), takes, "{accept}");
        }
    }

    #[test]
    fn the_closest_range_speaks_and_the_heaviest_wins() {
        let (json, text, csv) = ("application/json", "text/plain", "text/csv; charset=utf-8");
        for (accept, wanted) in [
            ("", Some(json)),
            ("*/*", Some(json)),
            ("application/*", Some(json)),
            ("APPLICATION/JSON", Some(json)),
            ("text/*", Some(text)),
            ("text/plain, */*", Some(text)),
            ("text/csv", Some(csv)),
            ("application/json;q=0.5, text/plain;q=0.6", Some(text)),
            ("application/json;q=0, */*;q=0.1", Some(text)),
            ("text/html, application/xhtml+xml, */*;q=0.8", Some(json)),
            ("application/json; charset=utf-8", Some(json)),
            ("nonsense", Some(json)),
            ("application/json;q=2, text/plain", Some(text)),
            ("image/png", None),
            ("application/xml, application/json;q=0", None),
            ("*/*;q=0", None),
        ] {
            assert_eq!(wanted_by(accept, &[json, text, csv]), wanted, "{accept}");
        }
    }
}
