//! What the page says of the server, and what it lets an operator do to a lane.

use crate::{
    page::{Page, named, site},
    server::KEY,
};

#[test]
fn sources_secrets_spool_and_health_are_shown_without_a_secret() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    page.see("#source-cards", "never");
    server.post(named("Counted")).expect(200);
    page.see("#source-cards", "ago");
    page.see("#source-cards", "first");
    page.see("#source-cards", "/v1/segment/web");
    page.see("#checks", "running");
    page.see("#settings", "Settings ");
    page.see("#spool-note", "of 10 GiB");
    page.see("#dead", "0");
    let plotted = "return document.querySelector('#throughput').ariaLabel.startsWith('committed ') &&
        document.querySelectorAll('.plots canvas').length === 2";
    page.wait_for(plotted);
    assert!(!page.run("return document.documentElement.outerHTML").to_string().contains(KEY));
}

#[test]
fn a_lane_is_paused_and_resumed() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    page.see("#lane-rows", "running");
    page.click("#lane-rows button");
    page.see("#lane-rows", "paused: operator");
    server.post(named("Waits")).expect(200);
    page.see("#lag", "1");
    assert_eq!(site.count("events"), 0);
    page.click("#lane-rows button");
    page.see("#lane-rows", "running");
    site.wait_until_stored("events", 1);
}
