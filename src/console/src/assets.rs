//! The styles, the scripts and the icon. The assets are the same for everybody and do not change while the program
//! runs.

use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::{Route, get};
use web::conditional::ConstantResponse;

/// The one style sheet of all pages. The style sheet joins the styles of the frame and of each page.
const STYLE: &str = concat!(
    include_str!("assets/console.css"),
    include_str!("assets/feedback.css"),
    include_str!("assets/try.css"),
    include_str!("assets/vocabulary.css"),
    include_str!("assets/history.css"),
    include_str!("assets/notices.css"),
    include_str!("assets/setup.css"),
    include_str!("assets/statements.css"),
    include_str!("assets/today.css"),
    include_str!("assets/prices.css"),
    include_str!("assets/change_sets.css"),
    include_str!("assets/on_call.css"),
);

/// The assets by their path below `/console`.
pub static ASSETS: LazyLock<Vec<(&str, ConstantResponse)>> = LazyLock::new(|| {
    let style = |text| ConstantResponse::new("text/css; charset=utf-8", text);
    let script = |text| ConstantResponse::new("text/javascript; charset=utf-8", text);
    vec![
        ("/console.css", style(STYLE)),
        ("/console.js", script(include_str!("assets/console.js"))),
        ("/guard.js", script(include_str!("assets/guard.js"))),
        ("/prices.js", script(include_str!("assets/prices.js"))),
        ("/change_set.js", script(include_str!("assets/change_set.js"))),
        ("/on_call.js", script(include_str!("assets/on_call.js"))),
        (
            "/icon.svg",
            ConstantResponse::new("image/svg+xml", include_str!("assets/icon.svg")),
        ),
    ]
});

/// Adds the routes of the assets to `routes`.
pub fn routes(routes: Route) -> Route {
    ASSETS.iter().fold(routes, |routes, (path, asset)| {
        routes.at(*path, get(make_sync(|request| asset.answer(&request))))
    })
}
