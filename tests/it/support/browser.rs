//! A headless browser for the console's tests: it stores its cookie, follows no redirects, and runs no scripts.

use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::TestApp;

/// Returns every page of the console that needs only a session, as a path below `/console`.
pub fn pages() -> Vec<String> {
    let gets = console::addresses().filter(|(path, methods)| methods.starts_with("GET") && !path.contains([':', '.']));
    let below = gets.filter_map(|(path, _)| Some(path.strip_prefix("/console")?.to_owned()));
    let pages: Vec<_> = below.filter(|path| path != "/login").collect();
    assert!(pages.len() >= 5, "{pages:?}");
    pages
}

/// The page that a browser shows, and the rest of the response.
pub struct Shown {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Shown {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the CSRF token of the page's forms.
    pub fn csrf(&self) -> &str {
        let (_, rest) = self.text.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().unwrap()
    }

    #[track_caller]
    pub fn has(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.text.contains(part), "{part} is missing: {}", self.text);
        }
    }
}

/// A browser that stores a cookie and follows no redirects.
pub struct Browser<'a> {
    pub app: &'a TestApp,
    pub client: reqwest::Client,
    pub cookie: String,
    pub language: &'static str,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self {
            app,
            client: client.build().unwrap(),
            cookie: String::new(),
            language: "en-CA,en;q=0.9",
        }
    }

    /// Opens a browser that is signed in with this key.
    pub async fn with(app: &'a TestApp, key: &str) -> Self {
        let mut browser = Self::new(app);
        let shown = browser.sign_in(key).await;
        assert_eq!(
            (shown.status, shown.header("location")),
            (StatusCode::SEE_OTHER, "/console"),
            "{}",
            shown.text
        );
        browser
    }

    pub async fn sign_in(&mut self, key: &str) -> Shown {
        let shown = self.post("/console/login", &[("key", key)]).await;
        if let Some(cookie) = shown.headers.get(SET_COOKIE) {
            cookie
                .to_str()
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .clone_into(&mut self.cookie);
        }
        shown
    }

    pub async fn send(&self, method: Method, path: &str, form: Option<&[(&str, &str)]>) -> Shown {
        let mut request = self.client.request(method, self.app.url(path));
        request = request.header("accept-language", self.language);
        if !self.cookie.is_empty() {
            request = request.header("cookie", &self.cookie);
        }
        if let Some(form) = form {
            request = request.form(form);
        }
        let response = request.send().await.unwrap();
        Shown {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub async fn get(&self, path: &str) -> Shown {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Shown {
        self.send(Method::POST, path, Some(form)).await
    }

    /// Reads a page, which must exist.
    pub async fn page(&self, path: &str) -> Shown {
        let shown = self.get(path).await;
        assert_eq!(shown.status, StatusCode::OK, "{path}: {}", shown.text);
        shown
    }

    pub async fn csrf(&self) -> String {
        self.page("/console").await.csrf().to_owned()
    }
}

/// Creates a key with this body. Returns its text and its id.
pub async fn key(app: &TestApp, body: Value) -> (String, String) {
    let (status, made) = app.admin(Method::POST, "/admin/v1/api-keys", Some(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["key"]), text(&made["api_key"]["id"]))
}
