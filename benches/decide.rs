//! How long a decision takes with the sample's rows, 1,000 and 10,000, against the same rules hard-coded in Rust.
//!
//! Comes in: the sample rulebook without its scripts, filled up with rows of the same shapes. Before anything is
//! measured, every way of deciding must give the same outcome for every input. What is hard-coded looks for words alone:
//! it knows nothing of "no flooding", and weighs no classifier.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot begin should stop and say why"
)]

use std::hint::black_box;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Timelike, Utc, Weekday};
use criterion::{Criterion, criterion_group, criterion_main};
use ringbook::rulebook::decision::Decision;
use ringbook::rulebook::facts::{Extracted, Fact, Facts};
use ringbook::rulebook::rows::{Priority, Row, RowSet, Stored};
use ringbook::rulebook::words::fold;
use ringbook::rulebook::{Rulebook, compile, sample};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

/// What is compared: service, area, both prices, both totals, priority, SLA.
type Outcome = (Option<String>, Option<String>, Option<Cents>, Priority, i64);

/// Both prices and both totals, in cents.
type Cents = [i64; 4];

/// Code, words and prices of a service; no price is a refusal.
type HardService = (&'static str, &'static [&'static str], Option<(i64, i64)>);

/// Rows that take part in decisions.
fn size(rows: &RowSet) -> usize {
    rows.services.len() + rows.areas.len() + rows.adjustments.len() + rows.taxes.len() + rows.priority_rules.len()
}

fn put<R: Row>(rows: &mut RowSet, row: Value) {
    let row: R = serde_json::from_value(row).expect("a row of the bench");
    let code = row.code().to_owned();
    R::table_mut(rows).insert(code, Arc::new(Stored { version: 1, row }));
}

/// As many more rows than the sample's as what is hard-coded knows.
const FEWEST_MORE: usize = 12;

/// The sample with as many more rows as it takes: services, areas, adjustments and priority rules in turn. Out: how many
/// there are, and the rulebook.
fn book(wanted: usize) -> (usize, Rulebook) {
    let mut rows = sample::rows();
    rows.scripts.clear();
    rows.cases.clear();
    rows.tools.clear();
    let names = json!({"en": "extra"});
    let mut i = 0;
    while i < FEWEST_MORE || size(&rows) < wanted {
        match i % 4 {
            0 => put::<ringbook::rulebook::rows::Service>(
                &mut rows,
                json!({"code": format!("service_{i}"), "names": names, "keywords": [format!("valve model {i}")],
                    "rank": 100 + i, "offer": "offered", "price_from": "100.00", "price_to": "200.00"}),
            ),
            1 => put::<ringbook::rulebook::rows::Area>(
                &mut rows,
                json!({"code": format!("area_{i}"), "names": names, "rank": 100 + i, "postal_prefixes": [format!("K{i}X")]}),
            ),
            2 => put::<ringbook::rulebook::rows::Adjustment>(
                &mut rows,
                json!({"code": format!("adjustment_{i}"), "names": names, "rank": 35, "kind": "add", "amount": "10.00",
                    "condition": format!("area == \"area_{}\"", i - 1)}),
            ),
            _ => put::<ringbook::rulebook::rows::PriorityRule>(
                &mut rows,
                json!({"code": format!("rule_{i}"), "names": names, "rank": 25, "priority": "P2", "sla_seconds": 600,
                    "condition": format!("says(\"pump model {i}\") && !weekend")}),
            ),
        }
        i += 1;
    }
    (
        size(&rows),
        compile(1, &rows, None).expect("the rules of the bench compile"),
    )
}

fn outcome(decision: &Decision) -> Outcome {
    let price = decision.price.as_ref();
    let price = price.map(|p| [p.from.minor(), p.to.minor(), p.total_from.minor(), p.total_to.minor()]);
    (
        decision.service.clone(),
        decision.area.clone(),
        price,
        decision.priority,
        decision.sla_seconds,
    )
}

/// Callers of every kind, at different hours.
fn inputs() -> Vec<(Extracted, DateTime<Utc>)> {
    let said = [
        "Bonjour, mon drain est bouché depuis hier et l'eau ne descend plus.",
        "Hello, there are roots in the pipe and it is blocked again, can you come this week?",
        "Il y a un refoulement d'égout au sous-sol, c'est une urgence!",
        "This is the City of Westmount, we need an inspection of a line.",
        "How much is a French drain for my house?",
        "My pool does not drain.",
        "I have a valve model 4 and a pump model 3 here.",
        "Je voudrais un gainage de la conduite principale.",
    ];
    let places = ["H2X 1Y4", "J4K 2M6", "J5Y 2M6", "K1X 1A1", "k5x"];
    let times = ["2026-11-24T15:00:00Z", "2026-11-24T23:30:00Z", "2026-11-28T15:00:00Z"];
    let mut inputs = Vec::new();
    for (i, said) in said.iter().enumerate() {
        for (j, place) in places.iter().enumerate() {
            for (k, at) in times.iter().enumerate() {
                let n = i + j + k;
                let mut facts = Facts::from([("postal_code".to_owned(), Fact::Text((*place).to_owned()))]);
                if n % 2 == 0 {
                    facts.insert("urgency".to_owned(), Fact::Text("urgent".to_owned()));
                }
                if n % 3 > 0 {
                    let complexity = if n % 3 == 1 { "complex" } else { "very_complex" };
                    facts.insert("complexity".to_owned(), Fact::Text(complexity.to_owned()));
                }
                if n % 5 == 0 || said.contains("French drain") {
                    facts.insert("metres".to_owned(), Fact::Number(Decimal::from(12)));
                }
                let extracted = Extracted {
                    facts,
                    said: (*said).to_owned(),
                    ..Extracted::default()
                };
                inputs.push((extracted, at.parse().expect("an instant of the bench")));
            }
        }
    }
    inputs
}

/// A whole word, or the beginning of one when it ends in `*`.
fn hears(text: &str, word: &str) -> bool {
    let (word, prefix) = word.strip_suffix('*').map_or((word, false), |stem| (stem, true));
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && (prefix || !after.is_some_and(char::is_alphanumeric))
    })
}

fn any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| hears(text, word))
}

/// Services by rank.
const SERVICES: &[HardService] = &[
    (
        "septic_tank",
        &["fosse septique", "fosses septiques", "septic*", "septique*"],
        None,
    ),
    ("pool", &["piscine*", "pool", "pools", "swimming pool*"], None),
    ("gutters", &["gouttiere*", "gutter*"], None),
    ("sump", &["puisard*", "sump*"], None),
    (
        "vacuum_truck",
        &[
            "camion vacuum",
            "camions vacuum",
            "camion aspirateur",
            "vacuum truck*",
            "vac truck*",
        ],
        None,
    ),
    (
        "pipe_lining",
        &[
            "gainage*",
            "gainer",
            "chemisage*",
            "relining",
            "reline*",
            "lining",
            "pipe lining",
        ],
        Some((3900, 8000)),
    ),
    (
        "french_drain",
        &["drain francais", "drains francais", "french drain*"],
        Some((500, 800)),
    ),
    (
        "cleanout_installation",
        &["cheminee*", "cleanout*", "clean out installation"],
        Some((2500, 2500)),
    ),
    (
        "under_slab",
        &[
            "sous dalle",
            "sous la dalle",
            "under slab",
            "under the slab",
            "underslab",
        ],
        Some((350, 1000)),
    ),
    (
        "root_removal",
        &["racine*", "alesage*", "aleser", "root", "roots"],
        Some((450, 750)),
    ),
    (
        "drain_unblocking_camera",
        &[
            "debouch*",
            "bouche",
            "bouchee",
            "bouches",
            "bouchees",
            "bouchent",
            "boucher",
            "clog*",
            "unclog*",
            "blocked",
            "blockage*",
            "unblock*",
            "plugged",
            "slow sink",
            "slow drain*",
            "refoul*",
            "descend plus",
        ],
        Some((350, 650)),
    ),
    ("camera_inspection", &["inspect*", "camera*"], Some((350, 350))),
    ("service_0", &["valve model 0"], Some((100, 200))),
    ("service_4", &["valve model 4"], Some((100, 200))),
    ("service_8", &["valve model 8"], Some((100, 200))),
];

/// The rules as somebody would write them in Rust.
#[expect(clippy::too_many_lines, reason = "hard-coded on purpose")]
fn hard_coded(extracted: &Extracted, at: DateTime<Utc>) -> Outcome {
    let text = |name: &str| match extracted.facts.get(name) {
        Some(Fact::Text(text)) => text.as_str(),
        _ => "",
    };
    let said = fold(&extracted.said);
    let service = SERVICES.iter().find(|(_, words, _)| any(&said, words));
    let postal: String = text("postal_code")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_uppercase();
    let area = match postal.as_str() {
        p if p.starts_with("H7") => Some("laval"),
        p if p.starts_with("J4") => Some("south_shore"),
        p if p.starts_with("J7") => Some("north_shore"),
        p if ["J5W", "J5X", "J5Y", "J5Z", "J6V", "J6W", "J6X", "J6Y", "J6Z"]
            .iter()
            .any(|q| p.starts_with(q)) =>
        {
            Some("north_shore")
        }
        p if p.starts_with('H') => Some("montreal"),
        p if p.starts_with("K1X") => Some("area_1"),
        p if p.starts_with("K5X") => Some("area_5"),
        p if p.starts_with("K9X") => Some("area_9"),
        _ => None,
    };
    let local = at.with_timezone(&chrono_tz::America::Toronto);
    let weekend = matches!(local.weekday(), Weekday::Sat | Weekday::Sun);
    let evening = (18..22).contains(&local.hour());

    let price = service.and_then(|(code, _, prices)| {
        let (from, to) = (*prices)?;
        let quantity = match extracted.facts.get("metres") {
            Some(Fact::Number(metres)) if *code == "french_drain" => *metres,
            _ => Decimal::ONE,
        };
        let end = |base: i64| {
            let mut price = Decimal::from(base) * quantity;
            if area == Some("south_shore") {
                price += Decimal::from(100);
            }
            if text("urgency") == "urgent" && (evening || weekend) {
                price += Decimal::from(75);
            } else if evening {
                price += Decimal::from(50);
            }
            if matches!(area, Some("area_1" | "area_5" | "area_9")) {
                price += Decimal::from(10);
            }
            match text("complexity") {
                "complex" => price *= Decimal::new(13, 1),
                "very_complex" => price *= Decimal::new(16, 1),
                _ => {}
            }
            let price = price.max(Decimal::from(350));
            let price = price.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
            let tax = |rate: Decimal| (price * rate).round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
            let total = price + tax(Decimal::new(5, 2)) + tax(Decimal::new(9975, 5));
            let cents = |amount: Decimal| i64::try_from((amount * Decimal::ONE_HUNDRED).trunc()).unwrap_or(i64::MAX);
            (cents(price), cents(total))
        };
        let (from, to) = (end(from), end(to));
        Some([from.0, to.0, from.1, to.1])
    });

    let emergency = [
        "inond*",
        "refoul*",
        "debord*",
        "eau dans le sous sol",
        "eau dans mon sous sol",
        "eau au sous sol",
        "urgence*",
        "flood*",
        "backup*",
        "backing up",
        "backed up",
        "overflow*",
        "water in the basement",
        "water in my basement",
        "emergency",
        "emergencies",
    ];
    let (priority, sla) = if any(&said, &emergency) {
        (Priority::P1, 0)
    } else if any(&said, &["municipal*", "ville de", "city of"]) {
        (Priority::P2, 120)
    } else if any(&said, &["pump model 3", "pump model 7", "pump model 11"]) && !weekend {
        (Priority::P2, 600)
    } else if service.is_some_and(|(code, ..)| matches!(*code, "pipe_lining" | "french_drain"))
        || price.is_some_and(|price| price[1] >= 300_000)
    {
        (Priority::P3, 3600)
    } else {
        (Priority::P4, 1800)
    };
    (
        service.map(|(code, ..)| (*code).to_owned()),
        area.map(str::to_owned),
        price,
        priority,
        sla,
    )
}

fn decide(c: &mut Criterion) {
    let inputs = inputs();
    let books = [0, 1_000, 10_000].map(book);
    for (extracted, at) in &inputs {
        let wanted = hard_coded(extracted, *at);
        for (rows, book) in &books {
            assert_eq!(
                outcome(&book.decide(extracted, *at)),
                wanted,
                "{rows} rows, {extracted:?}"
            );
        }
    }

    let mut group = c.benchmark_group("decide");
    let mut round = inputs.iter().cycle();
    group.bench_function("hard-coded", |b| {
        b.iter(|| {
            round
                .next()
                .map(|(extracted, at)| hard_coded(black_box(extracted), *at))
        });
    });
    for (rows, book) in &books {
        let mut round = inputs.iter().cycle();
        group.bench_function(format!("{rows} rows"), |b| {
            b.iter(|| {
                round
                    .next()
                    .map(|(extracted, at)| book.decide(black_box(extracted), *at))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
