//! Shows how many labelled calls were decided correctly: by type and language, and for all calls with 95 % confidence
//! intervals. The module also lists the ids of the wrongly decided calls.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::DecidedCall;

/// A count out of a total, with the ids of the failures.
#[derive(Debug, Clone, Default)]
pub struct Share {
    /// The count.
    pub hits: usize,
    /// The total.
    pub all: usize,
    /// The ids of the calls with a wrong result.
    pub wrong: Vec<String>,
}

/// The measures of one type of call, or of all calls.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    /// Emergencies that were detected.
    pub p1_found: Share,
    /// Calls without an emergency that were decided as an emergency.
    pub p1_false: Share,
    /// Municipal callers that were detected.
    pub p2_found: Share,
    /// Callers who are not municipal, but were decided as municipal.
    pub p2_false: Share,
    /// Correct services.
    pub service: Share,
    /// Correct areas.
    pub area: Share,
    /// Exact prices.
    pub price: Share,
    /// Correct languages.
    pub language: Share,
}

impl Share {
    fn add(&mut self, id: &str, counts: bool, is_wrong: bool) {
        self.all += 1;
        self.hits += usize::from(counts);
        if is_wrong {
            self.wrong.push(id.to_owned());
        }
    }

    /// The share, from 0 to 1; `None` if the total is 0.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let count = |n: usize| u32::try_from(n).ok().map(f64::from);
        (self.all > 0)
            .then(|| Some(count(self.hits)? / count(self.all)?))
            .flatten()
    }

    /// The 95 % confidence interval (Wilson) of the share.
    #[must_use]
    pub fn interval(&self) -> Option<(f64, f64)> {
        const Z: f64 = 1.96;
        let (p, n) = (self.rate()?, f64::from(u32::try_from(self.all).ok()?));
        let middle = p + Z * Z / (2.0 * n);
        let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z * Z / n;
        Some((
            ((middle - spread) / whole).max(0.0),
            ((middle + spread) / whole).min(1.0),
        ))
    }

    fn cell(&self) -> String {
        if self.all == 0 {
            String::new()
        } else {
            format!("{}/{}", self.hits, self.all)
        }
    }

    fn cell_with_interval(&self) -> String {
        match (self.rate(), self.interval()) {
            (Some(rate), Some((low, high))) => format!(
                "{}/{} ({:.1} %, {:.1} to {:.1})",
                self.hits,
                self.all,
                rate * 100.0,
                low * 100.0,
                high * 100.0
            ),
            _ => String::new(),
        }
    }
}

impl Measures {
    fn add(&mut self, judged: &DecidedCall<'_>) {
        let (id, label) = (judged.call.id.as_str(), &judged.call.expect);
        let (is_p1, is_p2) = (judged.is_p1(), judged.is_p2());
        if label.p1 {
            self.p1_found.add(id, is_p1, !is_p1);
        } else {
            self.p1_false.add(id, is_p1, is_p1);
        }
        if label.p2 {
            self.p2_found.add(id, is_p2, !is_p2);
        } else {
            self.p2_false.add(id, is_p2, is_p2);
        }
        for (share, right) in [
            (&mut self.service, judged.service_is_right()),
            (&mut self.area, judged.area_is_right()),
            (&mut self.price, judged.price_is_right()),
            (&mut self.language, judged.language_is_right()),
        ] {
            if let Some(right) = right {
                share.add(id, right, !right);
            }
        }
    }

    /// Returns the measures with their names.
    #[must_use]
    pub fn shares(&self) -> [(&'static str, &Share); 8] {
        [
            ("P1 recall", &self.p1_found),
            ("false P1", &self.p1_false),
            ("P2 found", &self.p2_found),
            ("P2 false", &self.p2_false),
            ("service", &self.service),
            ("area", &self.area),
            ("price", &self.price),
            ("language", &self.language),
        ]
    }
}

/// Calculates the measures of all calls that match a filter.
#[must_use]
pub fn of(judged: &[DecidedCall<'_>], fits: impl Fn(&DecidedCall<'_>) -> bool) -> Measures {
    let mut measures = Measures::default();
    for one in judged.iter().filter(|one| fits(one)) {
        measures.add(one);
    }
    measures
}

/// Formats two tables as Markdown: the measures by type and by language, and the measures of all calls with their
/// intervals. `with_ids` adds the ids of the calls with a wrong result.
#[must_use]
pub fn markdown(judged: &[DecidedCall<'_>], with_ids: bool) -> String {
    let mut kinds: BTreeMap<&str, Measures> = BTreeMap::new();
    for one in judged {
        kinds.entry(&one.call.kind).or_default().add(one);
    }
    let mut text =
        String::from("| kind | P1 recall | false P1 | P2 found | P2 false | service | area | price | language |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    let languages = ["en", "fr", "mixed"].map(|lang| (lang, of(judged, |one| one.call.lang == lang)));
    let languages = languages.iter().map(|(lang, measures)| (*lang, measures));
    for (name, measures) in kinds.iter().map(|(kind, measures)| (*kind, measures)).chain(languages) {
        let _ = write!(text, "| {name} |");
        for (_, share) in measures.shares() {
            let _ = write!(text, " {} |", share.cell());
        }
        text.push('\n');
    }
    let all = of(judged, |_| true);
    text.push_str("\n| all calls | of all (share, 95 % interval) |\n|---|---|\n");
    for (name, share) in all.shares() {
        let _ = writeln!(text, "| {name} | {} |", share.cell_with_interval());
    }
    if with_ids {
        for (name, share) in all.shares().iter().filter(|(_, share)| !share.wrong.is_empty()) {
            let _ = writeln!(text, "\n{name}, not as labelled: {}", share.wrong.join(", "));
        }
    }
    text
}
