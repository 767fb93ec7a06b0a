//! Tests the console's price page: fields for editors, errors beside the fields, percentage changes and pasted lists.
//! Also tests conflicts with other people's changes, guard rails, and that an expired session loses no input.

use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::both;
use crate::support::browser::{Browser, key};
use crate::support::forms::Form;
use crate::support::{Database, TestApp, app::ADMIN_KEY};

both!(
    only_who_may_change_prices_gets_fields,
    new_prices_become_a_change_set_and_more_are_added,
    a_fault_stands_beside_its_field_in_both_languages,
    percent_and_paste_fill_fields_and_save_nothing,
    a_row_that_others_changed_is_shown_thrice,
    what_goes_beyond_the_guard_rails_is_said_before_it_is_saved,
    a_session_that_ended_loses_nothing_typed,
);

const BOOK: &str = "/admin/v1/rulebooks/default";
const CAMERA: &str = "services.camera_inspection.price";
const ROOTS_FROM: &str = "services.root_removal.price_from";
const ROOTS_TO: &str = "services.root_removal.price_to";
const SHORE: &str = "adjustments.south_shore.amount";

async fn at_rest(database: Database) -> TestApp {
    TestApp::at_rest(database, "2026-11-24T17:00:00Z".parse().unwrap()).await
}

async fn form(browser: &Browser<'_>, path: &str) -> Form {
    Form::of(&browser.page(path).await, "id=\"prices\"")
}

/// Reads the change set that a response redirects to.
async fn set_of(app: &TestApp, location: &str) -> Value {
    let id = location
        .strip_prefix("/console/change-sets/")
        .unwrap_or_else(|| panic!("{location}"));
    let (status, set) = app.admin(Method::GET, &format!("{BOOK}/change-sets/{id}"), None).await;
    assert_eq!(status, StatusCode::OK, "{set}");
    set
}

async fn sets(app: &TestApp) -> usize {
    let (_, list) = app.admin(Method::GET, &format!("{BOOK}/change-sets"), None).await;
    list["items"].as_array().unwrap().len()
}

/// Changes a service's price through the API, as another user.
async fn set_price(app: &TestApp, code: &str, price: &str) {
    let path = format!("{BOOK}/services/{code}");
    let (_, row) = app.admin(Method::GET, &path, None).await;
    let change = json!({"price_from": price, "price_to": price, "version": row["version"]});
    let (status, answer) = app.admin(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn only_who_may_change_prices_gets_fields(database: Database) {
    let app = at_rest(database).await;
    let (_, camera) = app
        .admin(Method::GET, &format!("{BOOK}/services/camera_inspection"), None)
        .await;
    for (role, may) in [
        ("viewer", false),
        ("dispatcher", false),
        ("owner", false),
        ("editor", true),
    ] {
        let (text, _) = key(&app, json!({"name": format!("a {role}"), "role": role})).await;
        let browser = Browser::with(&app, &text).await;
        let shown = browser.page("/console/prices").await;
        assert_eq!(shown.text.contains("id=\"prices\""), may, "{role}");
        assert_eq!(
            shown.text.contains("Your key may read them but not change them."),
            !may,
            "{role}"
        );
        shown.has(&["$350", "Camera inspection", "South Shore"]);
        if !may {
            let csrf = browser.csrf().await;
            let seen = format!("{}|350:350", camera["version"]);
            let typed = [
                ("csrf", csrf.as_str()),
                ("do", "save"),
                (CAMERA, "1"),
                ("was.services.camera_inspection", &seen),
            ];
            let sent = browser.post("/console/prices", &typed).await;
            assert_eq!(sent.status, StatusCode::FORBIDDEN, "{role}: {}", sent.text);
        }
    }
    assert_eq!(sets(&app).await, 0);
    app.stop().await;
}

async fn new_prices_become_a_change_set_and_more_are_added(database: Database) {
    let app = at_rest(database).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    browser.language = "fr-CA";
    let empty = form(&browser, "/console/prices").await;
    assert_eq!(
        (
            empty.value(CAMERA),
            empty.value(ROOTS_TO),
            empty.value("adjustments.complex.rate")
        ),
        ("350", "750", "1,3")
    );
    let saved = empty
        .with(CAMERA, "380,50 $")
        .with(ROOTS_TO, "1 000")
        .with("adjustments.complex.rate", "1,35");
    let saved = saved.with("do", "save").send(&browser).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
    let set = set_of(&app, saved.header("location")).await;
    let bodies: Vec<_> = set["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["body"])
        .collect();
    assert_eq!(
        bodies,
        [
            &json!({"price_to": "1000.00"}),
            &json!({"price_from": "380.50", "price_to": "380.50"}),
            &json!({"rate": "1.35"}),
        ]
    );
    assert!(set["comment"].as_str().unwrap().starts_with("Prix : "), "{set}");

    // The page offers the open change set. If the change set is selected, the page shows its values, and the form adds
    // changes to it.
    let path = format!("/console/prices?change_set={}", set["id"].as_str().unwrap());
    browser.page("/console/prices").await.has(&["Le poursuivre", &path]);
    let form = form(&browser, &path).await;
    assert_eq!((form.value(CAMERA), form.value(SHORE)), ("380,50", "100"));
    let added = form.with(SHORE, "120").with("do", "try").send(&browser).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text);
    let set = set_of(&app, added.header("location")).await;
    assert_eq!(set["changes"].as_array().unwrap().len(), 4);
    assert_eq!(set["changes"][3]["body"], json!({"amount": "120.00"}));
    let (_, tests) = app.admin(Method::GET, &format!("{BOOK}/backtests"), None).await;
    assert_eq!(tests["items"][0]["wanted"]["change_set"], set["id"]);

    // Typing the same value again is not a change.
    let same = Form::of(&browser.page(&path).await, "id=\"prices\"")
        .with(SHORE, "120,00")
        .with("do", "save");
    let same = same.send(&browser).await;
    assert_eq!(same.status, StatusCode::UNPROCESSABLE_ENTITY);
    same.has(&["Rien n’a été enregistré : aucun prix n’est différent."]);
    assert_eq!(sets(&app).await, 1);
    app.stop().await;
}

async fn a_fault_stands_beside_its_field_in_both_languages(database: Database) {
    let app = at_rest(database).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    for (language, words) in [
        (
            "en",
            [
                "This is not a number.",
                "at most two decimals",
                "A price must not be below zero.",
                "The lowest price is above",
                "Enter a price.",
            ],
        ),
        (
            "fr",
            [
                "Ce n’est pas un nombre.",
                "au plus deux décimales",
                "ne doit pas être sous zéro",
                "dépasse le plus haut",
                "Entrez un prix.",
            ],
        ),
    ] {
        browser.language = language;
        let typed = form(&browser, "/console/prices")
            .await
            .with(CAMERA, "cher \"<b>\"")
            .with(ROOTS_FROM, "900");
        let typed = typed
            .with("services.cleanout_installation.price", "1.234")
            .with("services.french_drain.price_from", "-5");
        let typed = typed
            .with("services.under_slab.price_from", "")
            .with("comment", "For the <winter>");
        let shown = typed.with("do", "save").send(&browser).await;
        assert_eq!(shown.status, StatusCode::UNPROCESSABLE_ENTITY);
        shown.has(&words);
        // The form keeps the input and escapes it.
        shown.has(&[
            "value=\"cher &quot;&lt;b&gt;&quot;\"",
            "value=\"900\"",
            "value=\"For the &lt;winter&gt;\"",
            "aria-invalid=\"true\"",
        ]);
        let (_, hint) = shown.text.split_once(&format!("id=\"hint.{CAMERA}\"")).unwrap();
        assert!(
            hint.split("</div>").next().unwrap().contains(words[0]),
            "the error must be beside its field"
        );
    }
    assert_eq!(sets(&app).await, 0);
    app.stop().await;
}

async fn percent_and_paste_fill_fields_and_save_nothing(database: Database) {
    let app = at_rest(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let picked = form(&browser, "/console/prices")
        .await
        .with("percent", "+10")
        .with("step", "5")
        .with("over", "picked");
    let picked = picked
        .and("pick", "services.camera_inspection")
        .and("pick", "services.root_removal")
        .with("do", "fill");
    let shown = picked.send(&browser).await;
    assert_eq!(shown.status, StatusCode::OK);
    shown.has(&["3 fields are filled in", "$350 → $385 (+10%)"]);
    let filled = Form::of(&shown, "id=\"prices\"");
    let values = [CAMERA, ROOTS_FROM, ROOTS_TO, SHORE].map(|name| filled.value(name));
    assert_eq!(values, ["385", "495", "825", "100"]);
    assert_eq!(
        filled.value("percent"),
        "",
        "the percentage is still filled in, so a second press would apply it again"
    );
    // The percentage applies to all services, but not to rates.
    let all = form(&browser, "/console/prices")
        .await
        .with("percent", "-50")
        .with("step", "0.01")
        .with("over", "adjustments");
    let all = Form::of(&all.with("do", "fill").send(&browser).await, "id=\"prices\"");
    assert_eq!(
        (
            all.value(SHORE),
            all.value("adjustments.complex.rate"),
            all.value(CAMERA)
        ),
        ("50", "1.3", "350")
    );
    let none = form(&browser, "/console/prices")
        .await
        .with("percent", "ten")
        .with("do", "fill")
        .send(&browser)
        .await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    none.has(&["This is not a number.", "value=\"ten\""]);

    let text = "code\tprice\nCamera inspection\t$365.00\nroot_removal\t460\t800\nsouth_shore;125,50\nseptic_tank\t5\n\
                nothing\t7\nroot_removal\t1\nfrench_drain\tmuch\nalone\n";
    let shown = form(&browser, "/console/prices")
        .await
        .with("pasted", text)
        .with("do", "paste")
        .send(&browser)
        .await;
    assert_eq!(shown.status, StatusCode::OK);
    shown.has(&[
        "3 rows are filled in",
        "5 lines do not match",
        "Line 5:",
        "is refused and has no price",
        "no service and no adjustment has this code or name",
        "is in the list twice",
        "This is not a number.",
        "needs two columns",
    ]);
    let filled = Form::of(&shown, "id=\"prices\"");
    assert_eq!(
        [CAMERA, ROOTS_FROM, ROOTS_TO, SHORE].map(|name| filled.value(name)),
        ["365", "460", "800", "125.50"]
    );
    assert_eq!(sets(&app).await, 0);
    app.stop().await;
}

async fn a_row_that_others_changed_is_shown_thrice(database: Database) {
    let app = at_rest(database).await;
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let before = form(&browser, "/console/prices").await;
    set_price(&app, "camera_inspection", "360.00").await;
    set_price(&app, "cleanout_installation", "2600.00").await;
    let clash = before.with(CAMERA, "380").with("do", "save").send(&browser).await;
    assert_eq!(clash.status, StatusCode::UNPROCESSABLE_ENTITY);
    clash.has(&[
        "Somebody changed a row that you changed as well",
        "$350",
        "$360",
        "$380",
        "Keep theirs",
    ]);
    let form = || Form::of(&clash, "id=\"prices\"");
    // Fields that the person did not change show the other person's values.
    assert_eq!(
        (
            form().value(CAMERA),
            form().value("services.cleanout_installation.price")
        ),
        ("380", "2600")
    );
    assert_eq!(sets(&app).await, 0);
    let theirs = form()
        .and("theirs", "services.camera_inspection")
        .with("do", "save")
        .send(&browser)
        .await;
    theirs.has(&["no price is different"]);
    let mine = form().with("do", "save").send(&browser).await;
    let set = set_of(&app, mine.header("location")).await;
    assert_eq!(set["changes"].as_array().unwrap().len(), 1);
    assert_eq!(set["changes"][0]["body"]["price_to"], "380.00");
    assert_eq!(set["conflicts"], json!([]));
    app.stop().await;
}

async fn what_goes_beyond_the_guard_rails_is_said_before_it_is_saved(database: Database) {
    let app = at_rest(database).await;
    let rails = json!({"lowest_price": "100.00", "highest_price": "9000.00", "largest_change_percent": "20"});
    let (status, answer) = app
        .admin(Method::PUT, &format!("{BOOK}/guard-rails"), Some(&rails))
        .await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let browser = Browser::with(&app, ADMIN_KEY).await;
    let typed = form(&browser, "/console/prices")
        .await
        .with(CAMERA, "90")
        .with(ROOTS_TO, "9500")
        .with(SHORE, "115");
    let shown = typed.with("do", "fill").send(&browser).await;
    let hint = |name: &str| {
        let (_, rest) = shown.text.split_once(&format!("id=\"hint.{name}\"")).unwrap();
        rest.split("</div>").next().unwrap().to_owned()
    };
    assert!(
        hint(CAMERA).contains("Below $100") && hint(CAMERA).contains("more than 20%"),
        "{}",
        hint(CAMERA)
    );
    assert!(hint(ROOTS_TO).contains("Above $9,000"));
    assert!(hint(SHORE).contains("(+15%)") && !hint(SHORE).contains("approval"));
    shown.has(&["data-low=\"100\"", "data-high=\"9000\"", "data-largest=\"20\""]);
    app.stop().await;
}

async fn a_session_that_ended_loses_nothing_typed(database: Database) {
    let app = at_rest(database).await;
    let mut browser = Browser::with(&app, ADMIN_KEY).await;
    let typed = form(&browser, "/console/prices")
        .await
        .with(CAMERA, "399")
        .with("comment", "Winter \"<b>\"");
    let typed = typed.with("do", "save");
    app.app.clock.step(TimeDelta::hours(13));
    let login = typed.send(&browser).await;
    assert_eq!(login.status, StatusCode::UNAUTHORIZED);
    login.has(&[
        "what you typed is kept",
        "type=\"password\"",
        &format!("name=\"kept-{CAMERA}\" value=\"399\""),
    ]);
    assert!(!login.text.contains("kept-csrf") && !login.text.contains("<b>"));
    let carried = Form::of(&login, "action=\"/console/login\"");
    browser.cookie = String::new();
    let wrong = carried.with("key", "a-key-that-is-wrong").send(&browser).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    wrong.has(&[
        "This key is not valid",
        &format!("name=\"kept-{CAMERA}\" value=\"399\""),
    ]);
    let carried = Form::of(&wrong, "action=\"/console/login\"").with("key", ADMIN_KEY);
    let offered = carried.send(&browser).await;
    assert_eq!(offered.status, StatusCode::OK);
    offered.has(&["Nothing is lost", "Send it now", "Winter &quot;&lt;b&gt;&quot;"]);
    let cookie = offered.header("set-cookie").split(';').next().unwrap();
    cookie.clone_into(&mut browser.cookie);
    let again = Form::of(&offered, "action=\"/console/prices\"");
    let saved = again.send(&browser).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
    let set = set_of(&app, saved.header("location")).await;
    assert_eq!(
        (&set["comment"], &set["changes"][0]["body"]["price_to"]),
        (&json!("Winter \"<b>\""), &json!("399.00"))
    );

    // A form from another site, or with a token of another session, is not resent after a sign-in.
    for (site, csrf) in [
        (Some("cross-site"), None),
        (Some("same-site"), None),
        (None, Some("wrong")),
    ] {
        let form = again
            .pairs()
            .into_iter()
            .filter(|(name, _)| csrf.is_none() || *name != "csrf");
        let form: Vec<_> = form.chain(csrf.map(|csrf| ("csrf", csrf))).collect();
        let mut request = browser.client.post(app.url("/console/prices")).form(&form);
        request = request.header("cookie", format!("ringbook_console={}", "a".repeat(64)));
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{site:?}");
    }
    // If the person signed in again in another window, this page can send the form again.
    let old = again.with("csrf", "of another session");
    let request = browser.client.post(app.url("/console/prices")).form(&old.pairs());
    let request = request
        .header("cookie", &browser.cookie)
        .header("sec-fetch-site", "same-origin");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.text().await.unwrap().contains("Send it now"));
    assert_eq!(sets(&app).await, 1);
    app.stop().await;
}
