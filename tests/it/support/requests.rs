//! Requests as Vapi and an admin send them. Signing is implemented again here from Vapi's documentation, to reveal
//! mistakes in the server's implementation.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use sha2::Sha256;

use super::app::{ADMIN_KEY, TestApp, VAPI_SECRET};

impl TestApp {
    /// Posts a message to `/webhooks/vapi`, signed as Vapi does with its default settings.
    pub async fn post_signed(&self, message: &Value) -> (StatusCode, Value) {
        self.post_signed_to("/webhooks/vapi", VAPI_SECRET, &serde_json::to_vec(message).unwrap())
            .await
    }

    /// Does the same as [`Self::post_signed`], for a message that must get a 200. Returns the response.
    pub async fn take(&self, message: &Value) -> Value {
        let (status, answer) = self.post_signed(message).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }

    /// Posts raw bytes that are signed with `secret` and the current time of the server's clock.
    pub async fn post_signed_to(&self, path: &str, secret: &str, body: &[u8]) -> (StatusCode, Value) {
        read(self.send_signed(path, secret, body).await).await
    }

    /// Does the same as [`Self::post_signed_to`], and returns the whole response.
    pub async fn send_signed(&self, path: &str, secret: &str, body: &[u8]) -> Response {
        let timestamp = self.app.clock.now().timestamp().to_string();
        let request = self
            .client
            .post(self.url(path))
            .header("content-type", "application/json")
            .header("x-timestamp", &timestamp)
            .header("x-signature", sign(secret, &timestamp, body))
            .body(body.to_vec());
        request.send().await.unwrap()
    }

    /// Sends an admin request, with `body` if there is one.
    pub async fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        self.admin_with(ADMIN_KEY, method, path, body).await
    }

    /// Does the same as [`Self::admin`], with another key.
    pub async fn admin_with(&self, key: &str, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let request = self.client.request(method, self.url(path)).bearer_auth(key);
        let request = if let Some(body) = body {
            request.json(body)
        } else {
            request
        };
        read(request.send().await.unwrap()).await
    }

    /// Sends a GET without a key.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.client.get(self.url(path)).send().await.unwrap()).await
    }
}

/// Computes the hex HMAC-SHA256 of `{timestamp}.{body}`.
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// Returns the status and the JSON. A body that is not JSON is returned as a string.
pub async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
