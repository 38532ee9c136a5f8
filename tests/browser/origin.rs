//! Nothing leaves the origin, and neither page needs more than its policy allows.

use serde_json::json;

use crate::{
    browser::Browser,
    page::{DESKTOP, Page, named, origin, site, without_user},
    server::Server,
};

/// Chromium's own pages and embedded data are no requests.
#[track_caller]
fn assert_all_local(browser: &Browser, server: &Server<'_>, least: usize) {
    let requests = browser.requests();
    let foreign: Vec<_> =
        requests.iter().filter(|url| url.starts_with("http") && !url.starts_with(&origin(server))).collect();
    assert_eq!(foreign, [""; 0]);
    let local = requests.iter().filter(|url| url.starts_with(&origin(server))).count();
    assert!(local >= least, "{requests:?}");
}

#[test]
fn the_page_asks_its_own_server_only() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    server.post(named("Seen")).expect(200);
    server.post(without_user("Opened")).expect(400);
    page.open_row("user.missing");
    page.click("#record .close");
    page.see("#source-cards", "ago");
    assert_eq!(page.violations(), [""; 0]);
    assert_all_local(&page, &server, 12);
}

#[test]
fn the_reader_shows_the_description_and_asks_nobody_else() {
    let site = site();
    let server = site.start();
    let reader = Browser::open(&format!("{}docs", origin(&server)), DESKTOP);
    reader.see("h1", "tidegate");
    reader.wait_for("return document.body.innerText.includes('/v1/segment/{source}')");
    // Its credit has a picture from elsewhere, which the policy keeps from being loaded.
    let others: Vec<_> = reader
        .violations()
        .into_iter()
        .filter(|violation| !violation.as_str().unwrap().starts_with("img-src https://cdn.redoc.ly/"))
        .collect();
    assert_eq!(others, [""; 0]);
}

#[test]
fn a_phone_needs_no_scrolling_sideways() {
    let site = site();
    let server = site.start();
    let page = Page::open(&server);
    let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
    page.devtools("Emulation.setDeviceMetricsOverride", &phone);
    page.sign_in(crate::page::TOKEN);
    page.connected();
    server.post(without_user(&"A long name without any place to break it ".repeat(4))).expect(400);
    server.post(named(&"Unbreakable".repeat(30))).expect(200);
    page.see("#live-rows", "Unbreakable");
    page.see("#refusals-summary", "user.missing");
    let wide = "return document.documentElement.scrollWidth";
    assert_eq!(page.run(wide), 360);
    page.open_row("user.missing");
    assert_eq!(page.run(wide), 360);
    let dialog = "const box = document.querySelector('#record').getBoundingClientRect();
        return box.left >= 0 && box.right <= 360";
    assert_eq!(page.run(dialog), true);
}
