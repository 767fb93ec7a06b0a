//! The style, the script and the icon: the same bytes for everybody for as long as the program runs.

use std::sync::LazyLock;

use poem::endpoint::make_sync;
use poem::{Endpoint, Response};
use web::conditional::Fixed;

static STYLE: LazyLock<Fixed> =
    LazyLock::new(|| Fixed::new("text/css; charset=utf-8", include_str!("assets/console.css")));
static SCRIPT: LazyLock<Fixed> =
    LazyLock::new(|| Fixed::new("text/javascript; charset=utf-8", include_str!("assets/console.js")));
static ICON: LazyLock<Fixed> = LazyLock::new(|| Fixed::new("image/svg+xml", include_str!("assets/icon.svg")));

pub fn style() -> impl Endpoint<Output = Response> {
    make_sync(|request| STYLE.answer(&request))
}

pub fn script() -> impl Endpoint<Output = Response> {
    make_sync(|request| SCRIPT.answer(&request))
}

pub fn icon() -> impl Endpoint<Output = Response> {
    make_sync(|request| ICON.answer(&request))
}
