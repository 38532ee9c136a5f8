//! Signing in and out.

use crate::page::{Page, TOKEN, origin, site};

#[test]
fn only_the_operators_token_opens_the_page() {
    let site = site();
    let server = site.start();
    let page = Page::open(&server);
    page.see("#sign-in-hint", "operate.token, or what stands in secrets/operator of the data directory.");
    page.sign_in("not-the-token");
    page.see("#sign-in-error", "This is not the operator token.");
    assert_eq!(page.run("return document.activeElement.id"), "token");
    // What was typed is selected, so that typing replaces it.
    page.sign_in(TOKEN);
    page.see("#readiness", "ready");
    assert_eq!(page.run("return document.cookie"), "", "scripts must not see the session");
    assert_eq!(page.run("return document.querySelector('#token').value"), "");
    assert!(!page.run("return document.documentElement.outerHTML").to_string().contains(TOKEN));

    page.go(&origin(&server));
    page.see("#readiness", "ready");

    page.click("#sign-out");
    page.see("#sign-in-title", "tidegate");
    page.go(&origin(&server));
    page.see("#sign-in-title", "tidegate");
    assert_eq!(page.run("return getComputedStyle(document.querySelector('#console')).display"), "none");
}

#[test]
fn a_session_that_ends_closes_the_page() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    page.devtools("Network.clearBrowserCookies", &serde_json::json!({}));
    page.see("#sign-in-error", "You were signed out. Please sign in again.");
    assert_eq!(page.rows(), [""; 0]);
    page.sign_in(TOKEN);
    page.connected();
}
