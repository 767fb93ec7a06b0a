//! Conditional requests: a response that the client has cached is not sent again (RFC 9110, 13.1.2).
//!
//! The entity tag contains a hash of the response, so the tag changes whenever the response changes. If the response
//! has a version, the tag begins with that version (`"7.0f1e2d3c4b5a6978"`). Ringbook reads the version from the tag in
//! `If-Match`.

use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use flate2::Compression;
use flate2::write::GzEncoder;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Body, Endpoint, IntoResponse as _, Middleware, Request, Response};
use sha2::{Digest as _, Sha256};
use tokio_util::bytes::Bytes;

use super::accept;
use crate::problem::Problem;

/// Who may cache a response, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Any cache may store the response, and must revalidate it before each use.
    Asking,
    /// Only the cache of the requesting client may store the response, and must revalidate it before each use.
    Privately,
    /// No cache may store the response.
    Never,
}

impl Keep {
    const fn words(self) -> &'static str {
        match self {
            Self::Asking => "no-cache",
            Self::Privately => "private, no-cache",
            Self::Never => "no-store",
        }
    }
}

/// The entity tags of the responses that a client has cached.
pub struct CachedTags(Vec<String>);

impl CachedTags {
    /// Reads the tags from the `If-None-Match` headers of the request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let lines = request.headers().get_all(header::IF_NONE_MATCH).iter();
        Self(lines.filter_map(|line| Some(line.to_str().ok()?.to_owned())).collect())
    }

    /// Whether `tag` is among the cached tags, by weak comparison.
    fn has(&self, tag: &str) -> bool {
        self.0
            .iter()
            .any(|line| line.trim() == "*" || tags(line).any(|own| own == tag))
    }
}

/// Returns the tags of a list, with quotes and without `W/`.
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        // A tag may contain a comma, so the list is parsed from quote to quote.
        let from = rest.find('"')?;
        let until = rest.get(from + 1..)?.find('"')? + from + 2;
        let tag = rest.get(from..until)?;
        rest = rest.get(until..)?;
        Some(tag)
    })
}

/// Adds an entity tag and cache headers to the response to a GET. If the client has the response cached, returns 304
/// instead.
pub async fn to_get(kept: &CachedTags, keep: Keep, response: Response) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let mut response = tagged(response).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep.words()));
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    if keep != Keep::Asking {
        headers.append(header::VARY, HeaderValue::from_static("authorization"));
    }
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    if tag.is_some_and(|tag| kept.has(tag)) {
        return not_modified(response.headers());
    }
    response
}

/// Adds an entity tag, which contains a hash of the content, to the response.
pub async fn tagged(mut response: Response) -> Response {
    let bytes = match response.take_body().into_bytes().await {
        Ok(bytes) => bytes,
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let hash = hash(response.content_type().unwrap_or_default(), &bytes);
    let version = response.header(header::ETAG).map(|tag| tag.trim_matches('"'));
    let tag = match version {
        Some(version) => format!("\"{version}.{hash}\""),
        None => format!("\"{hash}\""),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    // Set the length here, so that the response to a HEAD has this header too.
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    response.set_body(Body::from_bytes(bytes));
    response
}

/// Builds a 304 with the headers of the 200, except the headers that describe the body. A browser applies the headers
/// of the 304 to its cached page. Without the page's own content policy, the browser would block the scripts and styles
/// of that page.
fn not_modified(of: &HeaderMap) -> Response {
    const OF_THE_BODY: [header::HeaderName; 4] = [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
    ];
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    for (name, value) in of.iter().filter(|(name, _)| !OF_THE_BODY.contains(name)) {
        response.headers_mut().append(name, value.clone());
    }
    response
}

/// A response that is constant while the program runs. All responses share its bytes, and its tag is computed only
/// once. The bytes are compressed once, for the first request that accepts gzip.
#[derive(Clone, Debug)]
pub struct ConstantResponse {
    content_type: &'static str,
    bytes: Bytes,
    gzip: Arc<OnceLock<Bytes>>,
    tag: String,
    policy: Option<HeaderValue>,
}

impl ConstantResponse {
    /// Creates a constant response with this body.
    #[must_use]
    pub fn new(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            tag: hash(content_type, &bytes),
            content_type,
            bytes,
            gzip: Arc::default(),
            policy: None,
        }
    }

    /// Returns the same response with this content policy.
    #[must_use]
    pub fn with_policy(self, policy: Option<HeaderValue>) -> Self {
        Self { policy, ..self }
    }

    /// The response to `request`, or 304 if the client has this response cached.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Response {
        let gzip = accept::accepts_gzip(request);
        // The compressed and the plain representation need different tags (RFC 9110, 8.8.3.3).
        let (bytes, tag) = if gzip {
            let bytes = self.gzip.get_or_init(|| compressed(&self.bytes));
            (bytes.clone(), format!("\"{}.gzip\"", self.tag))
        } else {
            (self.bytes.clone(), format!("\"{}\"", self.tag))
        };
        let mut response = Response::builder()
            .content_type(self.content_type)
            .header(header::ETAG, &tag)
            .header(header::CACHE_CONTROL, Keep::Asking.words())
            .header(header::VARY, "accept, accept-encoding")
            .header(header::CONTENT_LENGTH, bytes.len())
            .body(bytes);
        let headers = response.headers_mut();
        if gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        if CachedTags::of(request).has(&tag) {
            return not_modified(response.headers());
        }
        response
    }
}

fn compressed(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a Vec cannot fail.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default().into()
}

fn hash(content_type: &str, bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(content_type);
    hash.update(b"\n");
    hash.update(bytes);
    hex::encode(hash.finalize().get(..8).unwrap_or_default())
}

/// Adds entity tags to public GET responses, and responds with 304 if the client has the response cached.
pub struct Conditional;

impl<E: Endpoint> Middleware<E> for Conditional {
    type Output = ConditionalEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        ConditionalEndpoint(inner)
    }
}

/// The endpoint created by [`Conditional`].
pub struct ConditionalEndpoint<E>(E);

impl<E: Endpoint> Endpoint for ConditionalEndpoint<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if *request.method() != Method::GET {
            return Ok(self.0.call(request).await?.into_response());
        }
        let kept = CachedTags::of(&request);
        let response = self.0.call(request).await?.into_response();
        Ok(to_get(&kept, Keep::Asking, response).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fixed_answer_is_not_sent_again() {
        let fixed = ConstantResponse::new("text/plain", "hello");
        let plain = fixed.answer(&Request::builder().finish());
        let tag = plain.header(header::ETAG).unwrap().to_owned();
        let response = Response::builder().content_type("text/plain").body("hello");
        assert_eq!(tagged(response).await.header(header::ETAG), Some(tag.as_str()));
        let again = Request::builder().header(header::IF_NONE_MATCH, &tag).finish();
        assert_eq!(fixed.answer(&again).status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn a_fixed_answer_is_compressed_for_who_takes_it() {
        let text = "hello ".repeat(1_000);
        let fixed = ConstantResponse::new("text/plain", text.clone());
        let asked = || Request::builder().header(header::ACCEPT_ENCODING, "gzip");
        let mut response = fixed.answer(&asked().finish());
        assert_eq!(response.header(header::CONTENT_ENCODING), Some("gzip"));
        let tag = response.header(header::ETAG).unwrap().to_owned();
        assert_ne!(
            fixed.answer(&Request::default()).header(header::ETAG),
            Some(tag.as_str())
        );
        let bytes = response.take_body().into_bytes().await.unwrap();
        assert!(bytes.len() < 100, "{}", bytes.len());
        let mut read = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*bytes), &mut read).unwrap();
        assert_eq!(read, text);
        let again = asked().header(header::IF_NONE_MATCH, &tag).finish();
        assert_eq!(fixed.answer(&again).status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn tags_are_read_whatever_is_in_them() {
        let sent = |tags: &str| CachedTags::of(&Request::builder().header(header::IF_NONE_MATCH, tags).finish());
        let kept = sent(r#"W/"a,b" , "c", unquoted, "d""#);
        for tag in ["\"a,b\"", "\"c\"", "\"d\""] {
            assert!(kept.has(tag), "{tag}");
        }
        for tag in ["\"a\"", "\"unquoted\"", "\"\""] {
            assert!(!kept.has(tag), "{tag}");
        }
        assert!(sent("*").has("\"x\""));
    }
}
