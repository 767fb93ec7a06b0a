//! Serves `/docs/scripting`: the facts and functions of conditions and scripts, generated from the code that implements
//! them. The OpenAPI document contains the same text in Markdown.

use std::fmt::Write as _;

use poem::endpoint::make_sync;
use poem::{Endpoint, Response};

use rules::script::functions::FUNCTIONS;
use rules::script::{LIMITS, Limit};
use rules::vocabulary::{CONDITIONS, DERIVED, GIVEN, about};
use web::conditional::ConstantResponse;
use web::headers;

const STYLE: &str = "html{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #8888;padding:.4rem;text-align:left;vertical-align:top}\
    code{font:14px ui-monospace,monospace;background:#8882;padding:.1rem .2rem}";

/// A section of the page: heading, paragraph, and rows of code, text and example.
struct Section {
    heading: &'static str,
    text: &'static str,
    rows: Vec<(String, String, String)>,
}

fn sections() -> Vec<Section> {
    let facts = DERIVED.iter().chain(GIVEN).map(|(name, kind)| {
        let kind = format!("{kind:?}").to_lowercase();
        ((*name).to_owned(), format!("{} ({kind})", about(name)), String::new())
    });
    let terms = CONDITIONS
        .iter()
        .map(|(written, about)| ((*written).to_owned(), (*about).to_owned(), String::new()));
    let functions = FUNCTIONS.iter().map(|function| {
        (
            function.signature.to_owned(),
            function.about.to_owned(),
            function.example.to_owned(),
        )
    });
    let limits = LIMITS
        .iter()
        .map(|Limit { name, most }| (most.to_string(), (*name).to_owned(), String::new()));
    vec![
        Section {
            heading: "Facts",
            text: "A condition names a fact; a script calls fact(\"name\"). An unknown fact makes a condition \
                   false. A rulebook adds facts with fact mappings: get_vocabulary lists all facts.",
            rows: facts.collect(),
        },
        Section {
            heading: "Conditions",
            text: "The terms of a condition.",
            rows: terms.collect(),
        },
        Section {
            heading: "Scripts",
            text: "Everything that a script may call, besides Rhai's own let, if, switch, for, while, fn, try and operators. \
                   Numbers are exact. A library has functions for scripts: write import \"money\" as money; at the top of the \
                   script, then call money::half(x). A script that fails has no effect.",
            rows: functions.collect(),
        },
        Section {
            heading: "Limits of a script",
            text: "A script that exceeds a limit is rejected or stopped. A script that fails five times in ten minutes, and \
                   in at least 10% of its runs, is quarantined for ten minutes.",
            rows: limits.collect(),
        },
    ]
}

pub fn endpoint() -> impl Endpoint<Output = Response> {
    let page = ConstantResponse::new("text/html; charset=utf-8", html()).with_policy(headers::page_policy(STYLE));
    make_sync(move |request| page.answer(&request))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn html() -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Ringbook: conditions and scripts</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">\
         <style>{STYLE}</style></head><body>\n<h1>Conditions and scripts</h1>\n<p><a href=\"/docs\">The API</a></p>\n"
    );
    for Section { heading, text, rows } in sections() {
        let _ = write!(page, "<h2>{heading}</h2>\n<p>{}</p>\n<table>\n", escaped(text));
        for (code, about, example) in rows {
            let (code, about) = (escaped(&code), escaped(&about));
            let example = if example.is_empty() {
                String::new()
            } else {
                format!("<br><code>{}</code>", escaped(&example))
            };
            let _ = writeln!(page, "<tr><td><code>{code}</code></td><td>{about}{example}</td></tr>");
        }
        page.push_str("</table>\n");
    }
    page.push_str("</body></html>\n");
    page
}

/// Returns the page as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut told = String::from(
        "<details><summary>What conditions and scripts may use</summary>\n\nThe page \
         [/docs/scripting](/docs/scripting) also has examples.\n",
    );
    for Section { heading, text, rows } in sections() {
        let _ = write!(told, "\n**{heading}.** {text}\n\n");
        for (code, about, _) in rows {
            let _ = writeln!(told, "- `{code}` {about}");
        }
    }
    told.push_str("\n</details>\n");
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_offered_is_told() {
        let (page, told) = (html(), markdown());
        for function in FUNCTIONS {
            assert!(page.contains(&escaped(function.signature)) && told.contains(function.signature));
            assert!(page.contains(&escaped(function.example)), "{}", function.signature);
        }
        for (name, _) in DERIVED.iter().chain(GIVEN) {
            assert!(!about(name).is_empty(), "{name} has no description");
            assert!(page.contains(&format!("<code>{name}</code>")), "{name}");
        }
    }
}
