//! Measures how long a decision takes with the sample's rows, with 1,000 rows and with 10,000 rows, compared with the
//! same rules hard-coded in Rust. Before the measurement, all implementations must give the same outcome for every
//! input.
//!
//! There are three hard-coded implementations. The first two search only for words: they do not understand "no
//! flooding" or other forms of a word, and have no classifiers. The first implementation searches for the few words
//! that these inputs need. The second searches for all plain words of the sample's lists in one automaton. The third
//! judges mentions by their context, as the rulebook does, and hard-codes only prices, areas and priorities. The
//! difference between the rulebook's time and the third implementation's time is the cost of the rules themselves.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot begin should stop and say why"
)]

use std::hint::black_box;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use chrono::{DateTime, Datelike, Timelike, Utc, Weekday};
use criterion::{Criterion, criterion_group, criterion_main};
use rules::decision::Decision;
use rules::facts::{ExtractedFacts, Fact, Facts};
use rules::hearing::Classifiers;
use rules::rows::{Priority, Row, RowSet, StoredRow};
use rules::words::fold;
use rules::{Rulebook, compile, sample};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

/// The benchmark uses the same allocator as the program.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The compared results: service, area, both prices, both totals, priority, SLA.
type Outcome = (Option<String>, Option<String>, Option<Cents>, Priority, i64);

/// Both prices and both totals, in cents.
type Cents = [i64; 4];

/// Code, words and prices of a service; the prices are `None` if the business refuses the service.
type HardService = (&'static str, &'static [&'static str], Option<(i64, i64)>);

/// Returns the number of rows that take part in decisions.
fn size(rows: &RowSet) -> usize {
    rows.services.len() + rows.areas.len() + rows.adjustments.len() + rows.taxes.len() + rows.priority_rules.len()
}

fn put<R: Row>(rows: &mut RowSet, row: Value) {
    let row: R = serde_json::from_value(row).expect("a row of the bench");
    let code = row.code().to_owned();
    R::table_mut(rows).insert(code, Arc::new(StoredRow { version: 1, row }));
}

/// Minimum number of rows that are added to the sample. The hard-coded rules contain these rows too.
const FEWEST_MORE: usize = 12;

/// Adds rows to the sample until it has `wanted` rows: services, areas, adjustments and priority rules in turn. Returns
/// the number of rows, and the rulebook.
fn book(wanted: usize) -> (usize, Rulebook) {
    let mut rows = sample::rows();
    rows.scripts.clear();
    rows.cases.clear();
    rows.tools.clear();
    let names = json!({"en": "extra"});
    let mut i = 0;
    while i < FEWEST_MORE || size(&rows) < wanted {
        match i % 4 {
            0 => put::<rules::rows::Service>(
                &mut rows,
                json!({"code": format!("service_{i}"), "names": names, "keywords": [format!("valve model {i}")],
                    "rank": 100 + i, "offer": "offered", "price_from": "100.00", "price_to": "200.00"}),
            ),
            1 => put::<rules::rows::Area>(
                &mut rows,
                json!({"code": format!("area_{i}"), "names": names, "rank": 100 + i, "postal_prefixes": [format!("K{i}X")]}),
            ),
            2 => put::<rules::rows::Adjustment>(
                &mut rows,
                json!({"code": format!("adjustment_{i}"), "names": names, "rank": 35, "kind": "add", "amount": "10.00",
                    "condition": format!("area == \"area_{}\"", i - 1)}),
            ),
            _ => put::<rules::rows::PriorityRule>(
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

/// Builds the facts of different callers, at different hours.
fn inputs() -> Vec<(ExtractedFacts, DateTime<Utc>)> {
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
                let extracted = ExtractedFacts {
                    facts,
                    said: (*said).to_owned(),
                    ..ExtractedFacts::default()
                };
                inputs.push((extracted, at.parse().expect("an instant of the bench")));
            }
        }
    }
    inputs
}

/// The result of a hard-coded search in a text. `service` is an index in [`SERVICES`]; the other fields decide the
/// priority.
#[derive(Debug, Default)]
struct Listened {
    service: Option<usize>,
    emergency: bool,
    municipal: bool,
    pump: bool,
}

/// Searches the text for each of the few words that decide these inputs.
fn few_words(said: &str) -> Listened {
    const EMERGENCY: &[&str] = &[
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
    Listened {
        service: SERVICES.iter().position(|(_, words, _)| any(said, words)),
        emergency: any(said, EMERGENCY),
        municipal: any(said, &["municipal*", "ville de", "city of"]),
        pump: any(said, PUMPS),
    }
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Service(usize),
    Emergency,
    Municipal,
    Pump,
}

/// All plain words of the sample's lists, in one automaton.
struct AllWords {
    automaton: AhoCorasick,
    /// The meaning of each pattern, and whether the pattern is only the beginning of a word.
    meanings: Vec<(Meaning, bool)>,
}

impl AllWords {
    fn new() -> Self {
        let rows = sample::rows();
        let mut words: Vec<(String, Meaning)> = Vec::new();
        let of_concept = |code: &str| -> Vec<String> {
            let concept = rows.concepts.get(code);
            concept
                .into_iter()
                .flat_map(|stored| stored.row.phrases.values().flatten().cloned())
                .collect()
        };
        for (place, (code, few, _)) in SERVICES.iter().enumerate() {
            let listed = rows
                .services
                .get(*code)
                .map(|stored| stored.row.keywords.clone())
                .unwrap_or_default();
            for word in few.iter().map(|word| (*word).to_owned()).chain(listed) {
                let all = word.strip_prefix('#').map_or_else(|| vec![word.clone()], of_concept);
                words.extend(all.into_iter().map(|word| (word, Meaning::Service(place))));
            }
        }
        for code in ["flood", "sewage_backup", "emergency"] {
            words.extend(of_concept(code).into_iter().map(|word| (word, Meaning::Emergency)));
        }
        words.extend(
            of_concept("municipal")
                .into_iter()
                .map(|word| (word, Meaning::Municipal)),
        );
        words.push(("city of".to_owned(), Meaning::Municipal));
        words.extend(PUMPS.iter().map(|word| ((*word).to_owned(), Meaning::Pump)));
        words.retain(|(word, _)| !word.contains(['.', '|', '&']));
        let plain = |word: &str| fold(&word.trim_start_matches('=').replace(['-', '\''], " "));
        let (patterns, meanings): (Vec<String>, Vec<(Meaning, bool)>) = words
            .iter()
            .map(|(word, meaning)| match word.strip_suffix('*') {
                Some(stem) => (plain(stem), (*meaning, true)),
                None => (plain(word), (*meaning, false)),
            })
            .unzip();
        let automaton = AhoCorasick::new(patterns).expect("the words of the bench form an automaton");
        Self { automaton, meanings }
    }

    fn listen(&self, said: &str) -> Listened {
        let mut listened = Listened::default();
        for found in self.automaton.find_overlapping_iter(said) {
            let (meaning, prefix) = self.meanings[found.pattern().as_usize()];
            let before = said[..found.start()].chars().next_back();
            let after = said[found.end()..].chars().next();
            if before.is_some_and(char::is_alphanumeric) || (!prefix && after.is_some_and(char::is_alphanumeric)) {
                continue;
            }
            match meaning {
                Meaning::Service(place) => {
                    listened.service = Some(listened.service.map_or(place, |known| known.min(place)));
                }
                Meaning::Emergency => listened.emergency = true,
                Meaning::Municipal => listened.municipal = true,
                Meaning::Pump => listened.pump = true,
            }
        }
        listened
    }
}

/// Finds mentions, judges them by their context and runs the classifiers, as the rulebook does.
struct InContext {
    book: Rulebook,
    classifiers: Classifiers,
}

impl InContext {
    fn new() -> Self {
        let (_, book) = book(0);
        let mut faults = Vec::new();
        let classifiers = Classifiers::new(book.rows(), |_, fault| faults.push(fault));
        assert!(faults.is_empty(), "{faults:?}");
        Self { book, classifiers }
    }

    fn listen(&self, extracted: &ExtractedFacts, said: &str) -> Listened {
        let heard = self.book.listen(extracted);
        let likelihoods = self.classifiers.judge(&heard, &extracted.facts);
        let percent = |code: &str| {
            let found = likelihoods.iter().find(|likelihood| likelihood.code == code);
            found.map(|likelihood| likelihood.percent)
        };
        let says = |phrase: &str| {
            let id = heard.lexicon().id(phrase);
            id.is_some_and(|id| heard.said.binary_search(&id).is_ok())
        };
        let urgent = percent("sounds_urgent");
        let emergency = || says("#flood") || says("#sewage_backup") || says("#emergency");
        Listened {
            service: SERVICES.iter().position(|(_, words, _)| any(said, words)),
            emergency: urgent.is_some_and(|percent| percent >= 50)
                || (urgent.is_none_or(|percent| percent >= 30) && emergency()),
            municipal: says("#municipal") || percent("sounds_municipal").is_some_and(|percent| percent >= 50),
            pump: any(said, PUMPS),
        }
    }
}

/// Finds a whole word, or the beginning of a word if `word` ends in `*`.
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

const PUMPS: &[&str] = &["pump model 3", "pump model 7", "pump model 11"];

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

/// Decides by a hard-coded copy of the rulebook's rules.
fn hard_coded(extracted: &ExtractedFacts, at: DateTime<Utc>, listen: impl Fn(&str) -> Listened) -> Outcome {
    let text = |name: &str| match extracted.facts.get(name) {
        Some(Fact::Text(text)) => text.as_str(),
        _ => "",
    };
    let said = fold(&extracted.said);
    let listened = listen(&said);
    let service = listened.service.map(|place| &SERVICES[place]);
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

    let (priority, sla) = if listened.emergency {
        (Priority::P1, 0)
    } else if listened.municipal {
        (Priority::P2, 120)
    } else if listened.pump && !weekend {
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
    let (all_words, in_context) = (AllWords::new(), InContext::new());
    let books = [0, 1_000, 10_000].map(book);
    for (extracted, at) in &inputs {
        let wanted = hard_coded(extracted, *at, few_words);
        let by_all = hard_coded(extracted, *at, |said| all_words.listen(said));
        assert_eq!(by_all, wanted, "all words, {extracted:?}");
        let in_context = hard_coded(extracted, *at, |said| in_context.listen(extracted, said));
        assert_eq!(in_context, wanted, "in context, {extracted:?}");
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
    group.bench_function("hard-coded, few words", |b| {
        b.iter(|| {
            round
                .next()
                .map(|(extracted, at)| hard_coded(black_box(extracted), *at, few_words))
        });
    });
    group.bench_function("hard-coded, all words", |b| {
        b.iter(|| {
            let listen = |said: &str| all_words.listen(said);
            round
                .next()
                .map(|(extracted, at)| hard_coded(black_box(extracted), *at, listen))
        });
    });
    group.bench_function("hard-coded, in context", |b| {
        b.iter(|| {
            round.next().map(|(extracted, at)| {
                let extracted = black_box(extracted);
                hard_coded(extracted, *at, |said| in_context.listen(extracted, said))
            })
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
