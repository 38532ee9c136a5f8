//! The page of the operate listener and the reader of `openapi.yaml`: files within the binary, and the policies under
//! which browsers may run them.
//!
//! Nothing here knows what the page shows; its data comes from the admin API like everybody's. What must stay true: the
//! page runs only scripts from this table, and no text can become markup (`require-trusted-types-for`).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{
        HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    routing::get,
};
use sha2::{Digest, Sha256};

use crate::codec::{self, Encoding, Limits};

/// The page may load what this server serves, and nothing else may have it do anything.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The reader builds its style sheets and its markup while it runs, so that it needs inline styles and cannot do with
/// trusted types. It shows `openapi.yaml` alone, no text from outside, and scripts are bound as those of the page.
const READER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the largest file unpacks to, with room; it is ours, so that the limit only guards against a mistake.
const UNPACKED_BYTES_MAX: usize = 4 << 20;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A file of the binary.
struct File {
    name: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    encoding: Encoding,
    policy: &'static str,
}

macro_rules! file {
    ($name:literal, $content_type:expr) => {
        file!($name, $content_type, $name, Encoding::Identity, PAGE_POLICY)
    };
    ($name:literal, $content_type:expr, $path:literal, $encoding:expr, $policy:expr) => {
        File {
            name: $name,
            content_type: $content_type,
            content: include_bytes!(concat!("assets/", $path)),
            encoding: $encoding,
            policy: $policy,
        }
    };
}

const PAGE: File = file!("index.html", HTML);
const READER: File = file!("docs.html", HTML, "docs.html", Encoding::Identity, READER_POLICY);
const DESCRIPTION: File =
    file!("openapi.yaml", "application/yaml", "../../../../openapi.yaml", Encoding::Identity, PAGE_POLICY);

/// What `/assets/` holds. The reader is kept compressed: it is a megabyte otherwise.
const ASSETS: &[File] = &[
    file!("app.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("live.js", SCRIPT),
    file!("overview.js", SCRIPT),
    file!("plots.js", SCRIPT),
    file!("record.js", SCRIPT),
    file!("refusals.js", SCRIPT),
    file!("replay.js", SCRIPT),
    file!("stream.js", SCRIPT),
    file!("style.css", STYLE),
    file!("icon.svg", "image/svg+xml"),
    file!("docs.js", SCRIPT),
    file!("docs.css", STYLE),
    file!("uplot.js", SCRIPT, "vendor/uplot.js", Encoding::Identity, PAGE_POLICY),
    file!("uplot.css", STYLE, "vendor/uplot.css", Encoding::Identity, PAGE_POLICY),
    file!("redoc.js", SCRIPT, "vendor/redoc.js.gz", Encoding::Gzip, PAGE_POLICY),
];

/// The page, its files, the reader and what it reads. They hold no secret and ask for none.
pub fn routes() -> Router {
    let served = |file| get(serve).with_state(Arc::new(Served::new(file)));
    let assets: Arc<[Served]> = ASSETS.iter().map(Served::new).collect();
    Router::new()
        .route("/", served(&PAGE))
        .route("/docs", served(&READER))
        .route("/openapi.yaml", served(&DESCRIPTION))
        .route("/assets/{file}", get(serve_asset).with_state(assets))
}

/// A file with its validator.
struct Served {
    file: &'static File,
    /// Weak, because one validator stands for the file compressed and as it is.
    tag: HeaderValue,
}

impl Served {
    fn new(file: &'static File) -> Self {
        let digest: Vec<String> =
            Sha256::digest(file.content).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let tag = HeaderValue::try_from(format!("W/\"{}\"", digest.concat()));
        let tag = tag.expect("hexadecimal digits may stand in a header");
        Self { file, tag }
    }

    fn answer(&self, request: &HeaderMap) -> Response<Body> {
        let known = request.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let mut response = if known.is_some_and(|tags| self.is_among(tags)) {
            status(StatusCode::NOT_MODIFIED)
        } else {
            self.whole(request)
        };
        let headers = response.headers_mut();
        let fixed: [(HeaderName, &'static str); 6] = [
            // A new binary brings new files under old names: every use asks whether they have changed.
            (CACHE_CONTROL, "no-cache"),
            (CONTENT_SECURITY_POLICY, self.file.policy),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
        headers.insert(ETAG, self.tag.clone());
        if self.file.encoding != Encoding::Identity {
            headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        response
    }

    fn whole(&self, request: &HeaderMap) -> Response<Body> {
        let File { content_type, encoding, .. } = *self.file;
        let content = Bytes::from_static(self.file.content);
        let as_kept = encoding == Encoding::Identity || accepts(request, encoding);
        let content = if as_kept { content } else { unpacked(encoding, content) };
        let mut response = Response::new(Body::from(content));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if as_kept && encoding != Encoding::Identity {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        response
    }

    fn is_among(&self, tags: &str) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = opaque(self.tag.to_str().unwrap_or_default());
        tags.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == own)
    }
}

async fn serve(State(served): State<Arc<Served>>, request: HeaderMap) -> Response<Body> {
    served.answer(&request)
}

async fn serve_asset(
    State(assets): State<Arc<[Served]>>,
    name: Result<Path<String>, PathRejection>,
    request: HeaderMap,
) -> Response<Body> {
    // No file of ours has a name that is no text.
    let found = name.ok().and_then(|Path(name)| assets.iter().find(|served| served.file.name == name));
    found.map_or_else(|| status(StatusCode::NOT_FOUND), |served| served.answer(&request))
}

/// Whether an encoding is named without being excluded by a weight of nothing.
fn accepts(request: &HeaderMap, encoding: Encoding) -> bool {
    let named = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|choice| {
        let (name, weight) = choice.split_once(';').unwrap_or((choice, ""));
        let excluded = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case(encoding.name()) && !excluded
    })
}

fn unpacked(encoding: Encoding, content: Bytes) -> Bytes {
    let limits = Limits { decoded_bytes: UNPACKED_BYTES_MAX };
    codec::decode(encoding, content, limits).expect("the files of the binary are whole; a test unpacks them")
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
