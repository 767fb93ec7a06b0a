//! Hostile scripts for the tests. Some are written by hand, and others are generated from a seed. The unit tests, the
//! tests over HTTP, and the time and memory measurements use the same scripts.

/// Returns scripts that were written by hand. Each script is known to harm a less protected engine.
#[must_use]
pub fn by_hand() -> Vec<String> {
    let mut all: Vec<String> = BY_HAND.iter().map(|source| (*source).to_owned()).collect();
    let nested = |open: &str, middle: &str, close: &str, times: usize| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    for times in [20, 40, 1_000, 5_000] {
        all.push(nested("(", "1", ")", times));
        all.push(nested("[", "1", "]", times));
        all.push(nested("{", "1", "}", times));
        all.push(nested("if true {", "1", "}", times));
        all.push(nested("while true {", "", "}", times));
        all.push(nested("!", "true", "", times));
        all.push(nested("-", "1", "", times));
        all.push(nested("abs(", "1", ")", times));
        all.push(nested("/*", "1", "*/", times));
        all.push(nested("`${", "1", "}`", times));
        all.push(nested("try {", "1", "} catch {}", times));
        all.push(nested("switch 1 { _ => ", "1", "}", times));
        all.push(format!("let x = 1; {}", nested("x + ", "x", "", times)));
        all.push(format!("let x = true; {}", nested("x && ", "x", "", times)));
        all.push(format!("let x = [[1]]; x{}", "[0]".repeat(times)));
        all.push(format!("let x = \"a\"; x{}", ".trim()".repeat(times)));
        all.push(format!("if false {{}} {}", "else if false {} ".repeat(times)));
        all.push("let x = 1; ".repeat(times));
        let functions: Vec<String> = (0..times).map(|i| format!("fn f{i}() {{ {i} }}")).collect();
        all.push(functions.join(" "));
        let parameters: Vec<String> = (0..times).map(|i| format!("p{i}")).collect();
        all.push(format!("fn f({}) {{ 1 }} f(1)", parameters.join(",")));
        all.push(format!(
            "let s = \"{}\"; max({})",
            "x".repeat(1000),
            vec!["s + s"; times].join(",")
        ));
        all.push(format!(
            "let s = \"{}\"; let l = [{}];",
            "x".repeat(1000),
            vec!["s + s"; times].join(",")
        ));
        all.push(format!("let x = {};", "9".repeat(times)));
        all.push(format!("let x = 1.{};", "9".repeat(times)));
        all.push(format!("let x = \"{}\";", "\\u{1F600}".repeat(times)));
        all.push(format!("let x = \"{}\";", "🦀".repeat(times)));
        all.push(format!("let {} = 1;", "y".repeat(times)));
        all.push(format!("//{}\n1", "*/".repeat(times)));
        all.push("\"".repeat(times));
        all.push("\0".repeat(times));
        all.push("`".repeat(times));
        all.push("import \"x\" as y;".repeat(times));
    }
    // These scripts use the maximum size that is allowed, or far more.
    all.push(format!("let x = 1;{}", "x+=1;".repeat(6_500)));
    all.push(format!("let x = [{}];", "1,".repeat(16_000)));
    all.push("f(".repeat(16_000));
    all.push("a.b".repeat(10_000));
    all.push("let x = 1; ".repeat(130_000));
    all
}

const BY_HAND: &[&str] = &[
    "loop { }",
    "loop { loop { } }",
    "while true { let x = 1; }",
    "do { } while true",
    "for i in 0..9223372036854775807 { }",
    "for i in 0..=9223372036854775807 { let x = i; }",
    "fn f(n) { f(n + 1) } f(0)",
    "fn f(n) { f(n + 1) + f(n + 2) } f(0)",
    "fn f(n) { if n == 0 { 1 } else { f(n - 1) + f(n - 1) } } loop { f(7); }",
    "fn a() { b() } fn b() { a() } a()",
    "let s = \"x\"; loop { s += s; }",
    "let s = \"x\"; loop { s = s + s; }",
    "let s = \"x\"; loop { s = `${s}${s}`; }",
    "let a = [1]; loop { a += a; }",
    "let a = []; loop { a += [a]; }",
    "let a = [1]; loop { a = [a, a]; }",
    "let a = [0]; loop { a = [a]; }",
    "let a = [0]; for i in 0..120 { a = [a]; } result.set(a);",
    "let a = [0]; for i in 0..120 { a = [a]; } log(a); text(a);",
    "let a = [0, 0]; loop { a[0] = a; a[1] = a; }",
    "let a = [[[0]]]; loop { a[0][0][0] = a; }",
    "let s = \"abcdefgh\"; for i in 0..9 { s += s; } loop { \"zz\" in s; }",
    "let s = \"abcdefgh\"; for i in 0..9 { s += s; } loop { s.split(\"a\"); }",
    "let s = \"abcdefgh\"; for i in 0..9 { s += s; } loop { s.lower().trim().len(); }",
    "let s = \"abcdefgh\"; for i in 0..9 { s += s; } loop { s -= \"zz\"; }",
    "let s = \"aaaaaaaa\"; for i in 0..9 { s += s; } loop { s - \"a\"; }",
    "let s = \"12345678\"; for i in 0..9 { s += s; } loop { number(s); }",
    "let s = \"abcdefgh\"; for i in 0..9 { s += s; } loop { says(s); }",
    "loop { says(\"a*\"); }",
    "let a = []; for i in 0..250 { a += i; } loop { 999 in a; }",
    "let a = []; for i in 0..250 { a += \"0123456789012345678901234567\" + i; } loop { text(a); }",
    "let a = []; for i in 0..250 { a += i; } for x in a { for y in a { for z in a { x + y + z; } } }",
    "try { loop { } } catch { loop { } }",
    "loop { try { throw 1; } catch { } }",
    "loop { try { fact(1); } catch { } }",
    "fn f() { try { f() } catch { f() } } f()",
    "let x = 9223372036854775807; x += 1;",
    "let x = -9223372036854775807 - 1; -x",
    "let x = -9223372036854775807 - 1; abs(x)",
    "let x = -9223372036854775807 - 1; x / -1",
    "let x = -9223372036854775807 - 1; x % -1",
    "1 / 0",
    "1 % 0",
    "1.0 / 0",
    "1 << 64",
    "1 << -1",
    "1 >> 9223372036854775807",
    "quote.from / 0",
    "throw 1",
    "throw [1, [2]]",
    "throw \"\\u0000\"",
    "quote.add(79228162514264337593543950335.0, \"big\"); quote.multiply(1000000.0, \"big\");",
    "quote.multiply(0.0000000000000000000000000001, \"small\"); quote.multiply(0.0000000000000000000000000001, \"small\");",
    "loop { quote.multiply(1.0000000000000000000000000001, \"x\"); }",
    "loop { quote.add(1, \"x\"); }",
    "quote.add(1, \"\\u0000\\u0000\");",
    "let s = \"\\u0000\"; for i in 0..12 { s += s; } quote.add(1, s); result.say(\"a\\u0000b\"); result.set(s);",
    "loop { result.say(\"x\"); }",
    "loop { log(\"x\"); }",
    "quote.add(\"1\", \"x\")",
    "quote.add((), \"x\")",
    "quote.add([1], \"x\")",
    "quote.add(quote, \"x\")",
    "quote.add(1, 1)",
    "priority.set(\"P0\", 1)",
    "priority.set(\"P1\", -1)",
    "priority.set(\"P1\", 9223372036854775807)",
    "fact(())",
    "fact(1)",
    "fact(\"missing\") + 1",
    "let x = fact(\"missing\"); x.y.z",
    "arg(\"rooms\") + 1",
    "result.set(quote)",
    "result.set(0..5)",
    "let r = 0..5; for i in r { } result.set(text(r));",
    "round(1.5, 99999)",
    "round(\"x\", 1)",
    "whole(79228162514264337593543950335.0)",
    "split(\"aaaa\", \"\")",
    "let s = \"a,\"; for i in 0..11 { s += s; } split(s, \",\")",
    "quote = 5; quote.add(1, \"x\");",
    "let quote = 5; quote.add(1, \"x\");",
    "result = (); result.say(\"x\")",
    "this.x",
    "this = 5;",
    "fn f() { this += 1; this.f() } let x = 1; x.f()",
    "eval(\"loop {}\")",
    "let f = |x| x; f.call(1)",
    "Fn(\"f\").call()",
    "call(\"f\")",
    "curry(1)",
    "import \"/etc/passwd\" as p;",
    "import \"../../rules\" as p;",
    "export quote;",
    "#{ a: 1 }",
    "sleep(30)",
    "timestamp()",
    "print(1); debug(1);",
    "2 ** 1000000",
    "2.5 ** 2.5",
    "'a' + 'b'",
    "\"x\"[99]",
    "[1][-9223372036854775807]",
    "let x = \"🦀\"; x[0]",
    "switch 1 { 0..9223372036854775807 => loop {}, _ => 1 }",
    "let a = [1, 2, 3]; a.sort(|x, y| x - y);",
    "let a = [1]; a.push(a); a.pad(1000000, 0); a.index_of(1);",
    "type_of(type_of(type_of(1)))",
    "is_shared(1)",
    "global::quote",
    "x::y::z()",
    "return loop { };",
    "exit(1)",
    "let x = 1; loop { let x = x + 1; }",
    "let a=1;let b=1;let c=1;let d=1;let e=1;let f=1;let g=1;let h=1;let i=1;let j=1;let k=1;let l=1;let m=1;let n=1;let o=1;let p=1;let q=1;let r=1;let s=1;let t=1;let u=1;let v=1;let w=1;let x=1;let y=1;let z=1;let aa=1;let bb=1;let cc=1;let dd=1;let ee=1;",
    "",
    ";;;;;;",
    "}",
    "\u{feff}1",
    "\u{202e}1",
    "let é = 1;",
    "0x",
    "1e999",
    "1_____0",
    "\"\\x\"",
    "'",
    "/*",
    "//",
    "fn",
    "fn f(",
    "let",
    "if",
    "a.",
    "..",
    "::",
    "=>",
];

/// Builds `count` random scripts. The same seed gives the same scripts.
#[must_use]
pub fn made_up(seed: u64, count: usize) -> Vec<String> {
    let mut dice = Dice(seed.max(1));
    (0..count).map(|_| source(&mut dice)).collect()
}

/// An xorshift generator: random enough, and the same on every platform.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap_or(1)).unwrap_or_default()
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices.get(self.below(choices.len())).copied().unwrap_or_default()
    }
}

fn source(dice: &mut Dice) -> String {
    let mut text = String::from("let a = 1; let s = \"xy\"; let l = [1, \"z\"]; ");
    text.push_str("fn f(n) { if n > 0 { f(n - 1) } else { n } } fn g(n) { g(n + 1) } ");
    for _ in 0..=dice.below(4) {
        text.push_str(&statement(dice, 0));
    }
    if dice.below(20) == 0 {
        // Truncate the script, or insert an unexpected token.
        let at = text
            .char_indices()
            .nth(dice.below(text.chars().count()))
            .map_or(0, |(at, _)| at);
        text.truncate(at);
        text.push_str(dice.of(&["", "\0", "}", "`", "\"", "/*", "🦀", "::", "(("]));
    }
    text
}

fn statement(dice: &mut Dice, depth: usize) -> String {
    let deeper = depth + 1;
    match dice.below(if depth > 3 { 6 } else { 12 }) {
        0 => format!("a += {}; ", value(dice, deeper)),
        1 => format!("s += {}; ", value(dice, deeper)),
        2 => format!("l += {}; ", value(dice, deeper)),
        3 => format!(
            "quote.{}({}, {}); ",
            dice.of(&["add", "percent", "multiply", "floor", "cap", "set"]),
            value(dice, deeper),
            value(dice, deeper)
        ),
        4 => format!("s = {}; ", value(dice, deeper)),
        5 => format!("l = [{}, {}, l]; ", value(dice, deeper), value(dice, deeper)),
        6 => format!("loop {{ {} }} ", statement(dice, deeper)),
        7 => format!("while {} {{ {} }} ", value(dice, deeper), statement(dice, deeper)),
        8 => format!(
            "for i in {} {{ {} }} ",
            dice.of(&["0..100000", "l", "0..=9", "s", "1"]),
            statement(dice, deeper)
        ),
        9 => format!(
            "if {} {{ {} }} else {{ {} }} ",
            value(dice, deeper),
            statement(dice, deeper),
            statement(dice, deeper)
        ),
        10 => format!(
            "try {{ {} }} catch {{ {} }} ",
            statement(dice, deeper),
            statement(dice, deeper)
        ),
        _ => format!("{}; ", value(dice, deeper)),
    }
}

fn value(dice: &mut Dice, depth: usize) -> String {
    let deeper = depth + 1;
    match dice.below(if depth > 5 { 9 } else { 16 }) {
        0 | 1 => dice.of(&["a", "s", "l"]).to_owned(),
        2 => dice
            .of(&[
                "0",
                "1",
                "-1",
                "2.5",
                "9223372036854775807",
                "79228162514264337593543950335.0",
                "0.0000000000000000000000000001",
            ])
            .to_owned(),
        3 => dice
            .of(&["\"\"", "\"x\"", "\"\\u0000\"", "\"🦀\"", "`${s}${s}`", "'c'"])
            .to_owned(),
        4 => dice.of(&["()", "true", "false", "[]", "0..5"]).to_owned(),
        5 => dice
            .of(&["quote.from", "quote.to", "priority.level", "quote", "result"])
            .to_owned(),
        6 => dice
            .of(&[
                "fact(\"city\")",
                "fact(\"missing\")",
                "arg(\"rooms\")",
                "says(\"leak*\")",
                "has(\"x\")",
            ])
            .to_owned(),
        7 => dice.of(&["f(5)", "f(a)", "g(0)", "f(s)"]).to_owned(),
        8 => "a".to_owned(),
        9 => format!(
            "({} {} {})",
            value(dice, deeper),
            dice.of(&["+", "-", "*", "/", "%", "==", "<", "&&", "||", "in", "??", "<<"]),
            value(dice, deeper)
        ),
        10 => format!(
            "{}({})",
            dice.of(&[
                "text", "len", "abs", "whole", "lower", "trim", "number", "type_of", "fact", "says", "log"
            ]),
            value(dice, deeper)
        ),
        11 => format!(
            "{}({}, {})",
            dice.of(&["min", "max", "round", "contains", "split", "starts_with"]),
            value(dice, deeper),
            value(dice, deeper)
        ),
        12 => format!("[{}, {}]", value(dice, deeper), value(dice, deeper)),
        13 => format!("`a${{{}}}b`", value(dice, deeper)),
        14 => format!("(-{})", value(dice, deeper)),
        _ => format!("{}[{}]", dice.of(&["s", "l"]), value(dice, deeper)),
    }
}
