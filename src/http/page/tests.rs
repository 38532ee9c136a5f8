//! What browsers are given, and under which policy.

use axum::{
    body::to_bytes,
    http::{Request, header::ALLOW},
};
use tower::ServiceExt as _;

use super::*;

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(method: &str, path: &str, headers: &[(HeaderName, &str)]) -> Got {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let response = routes().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    Got { status: head.status, headers: head.headers, body: to_bytes(body, usize::MAX).await.unwrap() }
}

async fn fetch(path: &str) -> Got {
    ask("GET", path, &[]).await
}

/// Local addresses after `href=`, `src=` and `from` of a file.
fn references(text: &str) -> Vec<String> {
    let starts = ["href=\"/", "src=\"/", "from './"];
    let found = starts.iter().flat_map(|start| text.split(start).skip(1).map(move |rest| (start, rest)));
    let path = |(start, rest): (&&str, &str)| {
        let name = rest.split(['"', '\'']).next().unwrap();
        if start.starts_with("from") { format!("/assets/{name}") } else { format!("/{name}") }
    };
    found.map(path).collect()
}

#[tokio::test]
async fn whatever_the_pages_refer_to_is_served() {
    let mut referred = 0;
    for path in ["/", "/docs"]
        .into_iter()
        .map(str::to_owned)
        .chain(ASSETS.iter().map(|file| format!("/assets/{}", file.name)))
    {
        let got = fetch(&path).await;
        assert_eq!(got.status, StatusCode::OK, "{path}");
        assert!(!got.body.is_empty(), "{path}");
        for reference in references(&String::from_utf8_lossy(&got.body)) {
            assert_eq!(fetch(&reference).await.status, StatusCode::OK, "{reference} of {path}");
            referred += 1;
        }
    }
    assert!(referred > 20, "{referred}");
}

#[tokio::test]
async fn everything_bears_a_policy_that_lets_nothing_in() {
    for path in ["/", "/docs", "/openapi.yaml", "/assets/app.js", "/assets/redoc.js"] {
        let got = fetch(path).await;
        let policy = got.header(CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{path}: {policy}");
        assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{path}: {policy}");
        let bound_more = policy.contains("require-trusted-types-for 'script'") && !policy.contains("unsafe");
        assert_eq!(bound_more, path != "/docs", "{path}: {policy}");
        assert_eq!(got.header(X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(got.header(REFERRER_POLICY), "no-referrer", "{path}");
    }
}

#[test]
fn no_page_has_anything_inline_and_no_script_parses_markup() {
    let text = |file: &File| String::from_utf8(file.content.to_vec()).unwrap();
    for page in [PAGE, READER] {
        let html = text(&page).to_ascii_lowercase();
        for inline in ["<script>", "<style", " style=", " onclick=", "javascript:", "http:", "https:"] {
            assert!(!html.contains(inline), "{inline} in {}", page.name);
        }
    }
    let own = [
        "app.js",
        "dom.js",
        "live.js",
        "overview.js",
        "plots.js",
        "record.js",
        "refusals.js",
        "replay.js",
        "stream.js",
        "uplot.js",
    ];
    for script in own {
        let script = ASSETS.iter().find(|file| file.name == script).unwrap();
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval("] {
            assert!(!text(script).contains(way), "{way} in {}", script.name);
        }
    }
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let first = fetch("/assets/app.js").await;
    let tag = first.header(ETAG).to_owned();
    assert_eq!(first.header(CACHE_CONTROL), "no-cache");
    for known in
        [tag.clone(), format!("\"other\", {tag}"), tag.trim_start_matches("W/").to_owned(), "*".into()]
    {
        let again = ask("GET", "/assets/app.js", &[(IF_NONE_MATCH, &known)]).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!(again.header(ETAG), tag);
    }
    assert_ne!(fetch("/assets/dom.js").await.header(ETAG), tag);
    let other = ask("GET", "/assets/app.js", &[(IF_NONE_MATCH, "\"other\"")]).await;
    assert_eq!(other.status, StatusCode::OK);
}

#[tokio::test]
async fn the_reader_is_sent_as_it_is_kept_or_unpacked() {
    for accepted in ["gzip", "br, GZIP;q=0.5"] {
        let got = ask("GET", "/assets/redoc.js", &[(ACCEPT_ENCODING, accepted)]).await;
        assert_eq!(got.header(CONTENT_ENCODING), "gzip", "{accepted}");
        assert_eq!(got.body[..2], [0x1f, 0x8b], "{accepted}");
    }
    for accepted in ["identity", "gzip;q=0", "br"] {
        let got = ask("GET", "/assets/redoc.js", &[(ACCEPT_ENCODING, accepted)]).await;
        assert_eq!(got.header(CONTENT_ENCODING), "", "{accepted}");
        assert!(got.body.starts_with(b"/*!"), "{accepted}");
        assert_eq!(got.header(VARY), "accept-encoding");
    }
}

#[tokio::test]
async fn the_description_is_the_one_of_the_repository() {
    assert_eq!(fetch("/openapi.yaml").await.body, include_bytes!("../../../openapi.yaml")[..]);
}

#[tokio::test]
async fn other_names_and_methods_are_not_served() {
    for path in
        ["/assets/", "/assets/none.js", "/assets/..%2fmod.rs", "/assets/vendor%2fuplot.js", "/index.html"]
    {
        assert_eq!(fetch(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let posted = ask("POST", "/", &[]).await;
    assert_eq!((posted.status, posted.header(ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
}
