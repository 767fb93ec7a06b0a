//! Tests what scripts can do, what they cannot do, and what they share.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::functions::{FUNCTIONS, Function};
use super::test_run::{Begin, Trial};
use super::{engine, library};
use crate::compile::{Rulebook, compile};
use crate::facts::ExtractedFacts;
use crate::fault::Fault;
use crate::rows::{Hook, Priority, RowSet, Script, StoredRow};
use crate::sample;

pub(super) fn script(code: &str, hook: Hook, source: &str) -> Script {
    Script {
        code: code.to_owned(),
        hook,
        rank: 1,
        source: source.to_owned(),
    }
}

/// The code, the hook and the source of a script.
type ScriptSource<'a> = (&'a str, Hook, &'a str);

fn rows_with(scripts: &[ScriptSource]) -> RowSet {
    let mut rows = sample::rows();
    for (code, hook, source) in scripts {
        let row = script(code, *hook, source);
        rows.scripts
            .insert((*code).to_owned(), Arc::new(StoredRow { version: 2, row }));
    }
    rows
}

pub(super) fn book() -> Rulebook {
    compile(2, &sample::rows(), None).unwrap()
}

/// Runs a script on a price of 100 to 200 and the priority P3, with these arguments.
pub(super) fn tried(book: &Rulebook, hook: Hook, source: &str, args: Value) -> Result<Trial, Vec<Fault>> {
    let script = book.compile_script(script("tried", hook, source))?;
    let begin = Begin {
        range: Some((Decimal::from(100), Decimal::from(200))),
        priority: Some((Priority::P3, 3600)),
        args,
    };
    let at = "2026-11-24T15:00:00Z".parse().unwrap();
    Ok(book.try_script(&script, &ExtractedFacts::default(), at, begin))
}

fn answer(source: &str) -> Value {
    let trial = tried(&book(), Hook::Tool, source, json!({"rooms": [1, 2.5, "three"]})).unwrap();
    assert_eq!(trial.fault, None, "{source}");
    trial.result.unwrap_or_default()
}

#[test]
fn every_example_compiles_and_runs() {
    let book = book();
    for Function {
        example,
        signature,
        hook,
        ..
    } in FUNCTIONS
    {
        let trial = tried(&book, *hook, example, json!({})).unwrap_or_else(|faults| panic!("{signature}: {faults:?}"));
        assert_eq!(trial.fault, None, "{signature}");
    }
}

#[test]
fn a_script_changes_the_price_exactly() {
    let source = r#"if quote.from < 150 { quote.multiply(1.1, "a tenth"); } quote.add(0.05, "five cents");"#;
    let done = tried(&book(), Hook::Price, source, Value::Null).unwrap();
    assert_eq!(
        done.range_after,
        Some((Decimal::new(11_005, 2), Decimal::new(22_005, 2)))
    );
    assert_eq!(done.steps.len(), 2);
    assert!(done.operations > 0 || done.worked.as_nanos() > 0);
}

#[test]
fn values_are_exact_and_plain() {
    for (source, expected) in [
        ("result.set(1.1 + 2.2);", json!("3.3")),
        ("result.set(-3 + 1);", json!(-2)),
        ("let x = 2.5; result.set(-x);", json!("-2.5")),
        ("result.set(!(1 == 1.0));", json!(false)),
        (r#"result.set("a" + 1 + true);"#, json!("a1true")),
        (r#"result.set(1.5 + "a");"#, json!("1.5a")),
        (
            "let n = 3; result.set(`n is ${n} of ${[1, 2.5]}`);",
            json!("n is 3 of [1,\"2.5\"]"),
        ),
        (
            r#"result.set("b" in "abc" && 2 in [1, 2.0] && !(3 in [1]));"#,
            json!(true),
        ),
        ("let sum = 0; for i in 0..=3 { sum += i; } result.set(sum);", json!(6)),
        (
            "let l = []; for x in [3, 4] { l += x * 2; } result.set(l);",
            json!([6, 8]),
        ),
        (r#"result.set(arg("rooms"));"#, json!([1, "2.5", "three"])),
        (
            "result.set([min(2, 1.5), max(2, 1.5), abs(-2), whole(-2.7), round(2.345, 2)]);",
            json!(["1.5", 2, 2, -2, "2.35"]),
        ),
        (
            r#"result.set([number(" 12,5 "), number("x"), len("été"), lower("ÉTÉ"), trim(" a ")]);"#,
            json!(["12.5", null, 3, "été", "a"]),
        ),
        (
            r#"result.set([split("a, b", ","), starts_with("abc", "ab"), type_of(1.5)]);"#,
            json!([["a", "b"], true, "decimal"]),
        ),
        (
            "const HALF = 0.5; fn half(x) { x * global::HALF } result.set(half(3));",
            json!("1.5"),
        ),
        (
            "fn twice(list) { list + list } let a = [1]; a += [2]; result.set(switch a.len() { 2 => \"two\", _ => \"other\" });",
            json!("two"),
        ),
        (
            "let out = 0; try { out = 1 / 0; } catch { out = 7; } result.set(out);",
            json!(7),
        ),
        (r#"result.set("a\u0000b");"#, json!("ab")),
    ] {
        assert_eq!(answer(source), expected, "{source}");
    }
}

#[test]
fn a_log_is_shown_to_whoever_tries_also_when_it_fails() {
    let source = r#"log("begin"); for i in 0..1000 { log(i); } throw "stop";"#;
    let trial = tried(&book(), Hook::Tool, source, Value::Null).unwrap();
    assert_eq!((trial.log.len(), trial.log[0].as_str()), (100, "begin"));
    let fault = trial.fault.unwrap();
    assert_eq!((fault.line, fault.text.as_str()), (Some(1), "Runtime error: stop"));
}

#[test]
fn what_reaches_out_or_is_misspelt_does_not_compile() {
    let book = book();
    for (source, problem, hint) in [
        ("eval(\"1\")", "syntax", ""),
        ("print(1)", "syntax", ""),
        ("debug(1)", "syntax", ""),
        ("let f = Fn(\"x\");", "syntax", ""),
        ("let f = |x| x + 1;", "syntax", ""),
        ("let m = #{ a: 1 };", "syntax", ""),
        ("let x = 2 ** 3;", "syntax", ""),
        ("let x = ;", "syntax", ""),
        ("sleep(30)", "unknown_function", ""),
        ("timestamp()", "unknown_function", ""),
        ("unknown + 1", "unknown_variable", "fact(\"unknown\")"),
        ("qoute.add(1, \"x\")", "unknown_variable", "did you mean `quote`?"),
        (
            "let metres = 1; metre + 1",
            "unknown_variable",
            "did you mean `metres`?",
        ),
        ("quote.nothing()", "unknown_function", ""),
        (
            "if true { quote.ad(1, \"x\") }",
            "unknown_function",
            "did you mean `add`?",
        ),
        (
            "fn half(x) { x / 2 } hafl(2)",
            "unknown_function",
            "did you mean `half`?",
        ),
        ("quote.add(1)", "wrong_arguments", "quote.add(amount, label)"),
        ("fn half(x) { x / 2 } half()", "wrong_arguments", "half(x)"),
        ("let x = quote.form;", "unknown_property", "did you mean `from`?"),
        ("quote.from = 5;", "bad_assignment", "quote.set"),
        ("let a = [1]; a[0] = a;", "bad_assignment", "+="),
        ("let a = [[1]]; a[0][0] += 1;", "bad_assignment", "+="),
        ("let s = \"x\"; s[0] = 'y';", "bad_assignment", "+="),
        ("import \"nowhere\" as n;", "unknown_library", ""),
        (
            "import \"spring_promotion\" as n;",
            "unknown_library",
            "its hook is `price`",
        ),
        ("import \"a\" + \"b\" as n;", "bad_import", ""),
        ("import \"a\";", "bad_import", "as a;"),
        ("if true { import \"a\" as n; }", "bad_import", "at the top"),
        ("fn f() { import \"a\" as n; }", "bad_import", "at the top"),
        ("moeny::half(1)", "unknown_library", ""),
    ] {
        let faults = tried(&book, Hook::Price, source, Value::Null).map(|_| ()).unwrap_err();
        let fault = &faults[0];
        assert_eq!(fault.problem, problem, "{source}: {fault}");
        assert!(fault.text.contains(hint), "{source}: {fault}");
        assert!(fault.line.is_some(), "{source}: {fault:?}");
    }
    let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(
        tried(&book, Hook::Price, &deep, Value::Null).unwrap_err()[0].problem,
        "too_deep"
    );
    let long = "x".repeat(super::MAX_SOURCE + 1);
    assert_eq!(
        tried(&book, Hook::Price, &long, Value::Null).unwrap_err()[0].problem,
        "too_long"
    );
}

const MONEY: &str =
    "fn half(x) { x / 2.0 } private fn hidden() { 1 } fn cheaper(q, by) { q.percent(-by, \"cheaper\"); }";

#[test]
fn a_library_is_used_by_scripts_and_libraries() {
    let rows = rows_with(&[
        ("money", Hook::Library, MONEY),
        (
            "more",
            Hook::Library,
            "import \"money\" as m;\nfn quarter(x) { m::half(m::half(x)) }",
        ),
        (
            "user",
            Hook::Price,
            "import \"more\" as more; import \"money\" as money;\nfn both(x) { more::quarter(x) + money::half(x) }\n\
             quote.set(both(100), \"both\"); money::cheaper(quote, 10);",
        ),
    ]);
    let book = compile(2, &rows, None).unwrap();
    let user = book.script("user").unwrap();
    let at = "2026-11-24T15:00:00Z".parse().unwrap();
    let begin = Begin {
        range: Some((Decimal::ONE, Decimal::ONE)),
        ..Begin::default()
    };
    let trial = book.try_script(user, &ExtractedFacts::default(), at, begin);
    assert_eq!(trial.fault, None);
    assert_eq!(trial.range_after, Some((Decimal::new(675, 1), Decimal::new(675, 1))));

    // Unchanged scripts are shared; scripts that use a changed library are recompiled.
    let mut changed = rows.clone();
    let row = script("money", Hook::Library, "fn half(x) { x / 4.0 } fn cheaper(q, by) { }");
    changed
        .scripts
        .insert("money".to_owned(), Arc::new(StoredRow { version: 3, row }));
    let next = compile(3, &changed, Some(&book)).unwrap();
    let same = |code: &str| std::ptr::eq(book.script(code).unwrap(), next.script(code).unwrap());
    assert!(same("spring_promotion") && !same("money") && !same("more") && !same("user"));
    assert_eq!(next.script("user").unwrap().version(), 3);
    let begin = Begin {
        range: Some((Decimal::ONE, Decimal::ONE)),
        ..Begin::default()
    };
    let trial = next.try_script(next.script("user").unwrap(), &ExtractedFacts::default(), at, begin);
    assert_eq!(trial.range_after.unwrap().0, Decimal::new(3125, 2));
}

#[test]
fn a_library_that_cannot_be_used_is_told_where_it_is_used() {
    let cases: &[(&[ScriptSource], &str, &str)] = &[
        (
            &[
                ("user", Hook::Price, "import \"mony\" as m;"),
                ("money", Hook::Library, MONEY),
            ],
            "user",
            "did you mean `money`?",
        ),
        (
            &[
                ("user", Hook::Price, "import \"money\" as m; m::haf(1);"),
                ("money", Hook::Library, MONEY),
            ],
            "user",
            "did you mean `half`?",
        ),
        (
            &[
                ("user", Hook::Price, "import \"money\" as m; m::hidden();"),
                ("money", Hook::Library, MONEY),
            ],
            "user",
            "no function `hidden`",
        ),
        (
            &[
                ("user", Hook::Price, "import \"money\" as m; m::half(1, 2);"),
                ("money", Hook::Library, MONEY),
            ],
            "user",
            "half(x)",
        ),
        (
            &[
                ("user", Hook::Price, "import \"money\" as m; n::half(1);"),
                ("money", Hook::Library, MONEY),
            ],
            "user",
            "nothing is imported as `n`",
        ),
        (
            &[
                ("user", Hook::Price, "import \"money\" as m; let x = m::y;"),
                ("money", Hook::Library, MONEY),
            ],
            "user",
            "only functions",
        ),
        (
            &[("money", Hook::Library, "let x = 1; fn half(x) { x }")],
            "money",
            "only functions and imports",
        ),
        (
            &[
                ("a", Hook::Library, "import \"b\" as b; fn f() { b::g() }"),
                ("b", Hook::Library, "import \"c\" as c; fn g() { c::h() }"),
                ("c", Hook::Library, "import \"a\" as a; fn h() { a::f() }"),
                ("user", Hook::Price, "import \"a\" as a; a::f();"),
            ],
            "c",
            "a -> b -> c -> a",
        ),
        (
            &[("a", Hook::Library, "import \"a\" as a; fn f() { a::f() }")],
            "a",
            "a -> a",
        ),
    ];
    for (scripts, code, text) in cases {
        let faults = compile(2, &rows_with(scripts), None).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(
            faults[0].code == *code && faults[0].text.contains(text),
            "{}",
            faults[0]
        );
    }
}

#[test]
fn a_fault_in_a_library_says_in_which() {
    let rows = rows_with(&[
        ("money", Hook::Library, "fn bad(x) {\n  x / 0\n}"),
        ("user", Hook::Price, "import \"money\" as m;\nm::bad(1);"),
    ]);
    let book = compile(2, &rows, None).unwrap();
    let at = "2026-11-24T15:00:00Z".parse().unwrap();
    let trial = book.try_script(
        book.script("user").unwrap(),
        &ExtractedFacts::default(),
        at,
        Begin::default(),
    );
    let fault = trial.fault.unwrap();
    assert_eq!(fault.line, Some(2), "{fault:?}");
    assert!(fault.text.starts_with("in the library `money`: "), "{fault:?}");
}

#[test]
fn a_rulebook_has_room_for_many_scripts_but_not_for_any_number() {
    let mut rows = sample::rows();
    for i in 0..=library::MAX_SCRIPTS {
        let row = script(&format!("s{i}"), Hook::Tool, "result.set(1);");
        rows.scripts
            .insert(row.code.clone(), Arc::new(StoredRow { version: 2, row }));
    }
    let faults = compile(2, &rows, None).unwrap_err();
    assert_eq!(faults[0].problem, "too_many");
}

/// Builds a library for each number below `depth`. Each library imports the previous library under `names` aliases and
/// calls it.
fn chain(depth: usize, names: usize) -> Vec<(String, Hook, String)> {
    let one = |number: usize| {
        let imports: String = match number.checked_sub(1) {
            None => String::new(),
            Some(before) => (0..names)
                .map(|name| format!("import \"lib_{before:02}\" as n{name};\n"))
                .collect(),
        };
        let body = if number == 0 {
            "1".to_owned()
        } else {
            format!("n{}::f() + 1", names - 1)
        };
        let private = "private fn hidden() { 0 }";
        (
            format!("lib_{number:02}"),
            Hook::Library,
            format!("{imports}fn f() {{ {body} }}\n{private}"),
        )
    };
    (0..depth).map(one).collect()
}

fn rows_of(scripts: &[(String, Hook, String)]) -> RowSet {
    let written: Vec<ScriptSource> = scripts
        .iter()
        .map(|(code, hook, source)| (code.as_str(), *hook, source.as_str()))
        .collect();
    rows_with(&written)
}

#[test]
fn libraries_that_import_each_other_under_many_names_do_not_multiply() {
    // If the index had one entry per import path, it would contain `lib_00` 16 to the power of 15 times.
    let before = super::thread_time::thread_time();
    let mut scripts = chain(library::MAX_DEPTH, engine::MAX_IMPORTS);
    let imports = "import \"lib_06\" as l;\nimport \"lib_06\" as again;\n";
    scripts.push((
        "uses".to_owned(),
        Hook::Tool,
        format!("{imports}result.set(l::f() + again::f());"),
    ));
    let book = compile(2, &rows_of(&scripts), None).unwrap();
    let took = super::thread_time::thread_time().saturating_sub(before);
    let at = "2026-11-24T15:00:00Z".parse().unwrap();
    let answer = book.run_tool_script(
        "uses",
        &Value::Null,
        &ExtractedFacts::default(),
        at,
        &super::Skips::none(),
    );
    assert_eq!(answer.unwrap().value, 14);
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    // The imports and the private functions of a library are not visible to other scripts.
    for beyond in ["l::n0::f()", "l::hidden()"] {
        let source = format!("import \"lib_06\" as l;\n{beyond}");
        let faults = book.compile_script(script("beyond", Hook::Tool, &source)).unwrap_err();
        assert!(faults[0].problem.starts_with("unknown_"), "{faults:?}");
    }
}

#[test]
fn what_a_script_takes_with_it_is_counted_before_it_is_linked() {
    let mut scripts = chain(library::MAX_DEPTH + 2, 1);
    let faults = compile(2, &rows_of(&scripts), None).unwrap_err();
    let told: Vec<_> = faults
        .iter()
        .map(|fault| (fault.code.as_str(), fault.problem))
        .collect();
    assert_eq!(told, [("lib_17", "too_deep")]);

    // A library counts once, however many paths lead to it. So 16 libraries of 30 kB are within the limit.
    let filler = format!("// {}\n", "x".repeat(30_000));
    scripts = (0..20)
        .map(|number| {
            let imports: String = (0..number.min(15))
                .map(|before| format!("import \"wide_{before:02}\" as w{before};\n"))
                .collect();
            (
                format!("wide_{number:02}"),
                Hook::Library,
                format!("{imports}{filler}fn f{number}() {{ 1 }}"),
            )
        })
        .collect();
    assert!(
        compile(2, &rows_of(&scripts[..16]), None).is_ok(),
        "16 times 30 kB, each once"
    );
    let imports: String = (0..16)
        .map(|number| format!("import \"wide_{:02}\" as w{number};\n", number + 4))
        .collect();
    let all = (
        "all".to_owned(),
        Hook::Price,
        format!("{imports}{filler}quote.add(1, \"one\");"),
    );
    scripts.push(all);
    let faults = compile(2, &rows_of(&scripts), None).unwrap_err();
    let told: Vec<_> = faults
        .iter()
        .map(|fault| (fault.code.as_str(), fault.problem))
        .collect();
    assert_eq!(told, [("all", "too_long")]);
}
