//! Refused, read, the rule mended, tried, replayed, stored: all from the page.

use crate::{
    page::{Page, TOKEN, origin, settings, site, without_user},
    server::{Server, until},
};

/// Demands nothing but a time any more.
fn mend_the_rule(server: &Server<'_>) {
    let reloads = "tidegate_config_last_reload_success_timestamp_seconds";
    let before = server.metrics().get(reloads).unwrap();
    server.site.write_settings(&settings("\"timestamp\""));
    server.signal("HUP");
    until("the settings are reloaded", || (server.metrics().get(reloads).unwrap() > before).then_some(()));
}

fn try_replay(page: &Page) {
    page.click("#record-replay button");
}

#[test]
fn a_refusal_is_read_tried_and_replayed_once_its_rule_is_mended() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    server.post(without_user("Lost and found")).expect(400);
    site.wait_until_stored("refusals", 1);
    page.open_row("user.missing");
    page.see("#record-why", "Required user_id missing from context");
    page.see("#record-why", "user.missing at /userId");
    page.see("#record-text", "\"event\": \"Lost and found\"");
    page.see("#record-text", "\"auction\": 9000000000000000001");

    try_replay(&page);
    page.see("#record-replay", "still refused: user.missing");
    assert_eq!(page.run("return document.querySelectorAll('#record-replay button').length"), 0);
    page.click("#record .close");

    mend_the_rule(&server);
    page.open_row("user.missing");
    try_replay(&page);
    page.see("#record-replay", "1 would be stored");
    assert_eq!(site.count("events"), 0, "a dry run stores nothing");
    page.click("#record-replay button");
    page.see("#record-replay", "1 stored");
    page.click("#record .close");
    page.see("#live-rows", "Lost and found");
    site.wait_until_stored("events", 1);
    let (same,): (i64,) = site
        .row("SELECT count(*) FROM events JOIN refusals ON event_id = refusal_id WHERE state = 'replayed'");
    assert_eq!(same, 1);

    page.open_row("user.missing");
    try_replay(&page);
    page.see("#record-replay", "Nothing to replay");
}

#[test]
fn all_refusals_of_a_rule_are_replayed_at_once() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    let events: Vec<String> = (0..50).map(|number| without_user(&format!("Held back {number}"))).collect();
    server.post(format!("[{}]", events.join(","))).expect(400);
    site.wait_until_stored("refusals", 50);
    page.click("#refusals-refresh");
    page.see("#refusals-summary", "50");

    page.click("#refusals-summary button:first-child");
    page.see("#refusals-list-title", "user.missing of web, new");
    until("all are listed", || {
        (page.run("return document.querySelectorAll('#refusals-list li').length") == 50).then_some(())
    });
    page.click("#refusals-list li:first-child button");
    page.see("#record-text", "Held back");
    page.click("#record .close");

    mend_the_rule(&server);
    page.click("#refusals-summary button:last-child");
    page.see("#replay-actions", "50 would be stored");
    page.click("#replay-actions button");
    page.see("#replay-actions", "50 stored");
    page.click("#replay .close");
    page.see("#refusals-empty", "None.");
    site.wait_until_stored("events", 50);
}

/// Runs before the page: its time goes twenty times as fast, and what it asks for is noted. A count of the refusals is
/// answered only after `release()`, or not at all while `broken`.
const HURRIED: &str = "
    const [wait, fetched, now] = [setTimeout, fetch, performance.now.bind(performance)];
    Object.assign(window, { counts: [], polls: 0, broken: false, hold: false, release: null });
    window.setTimeout = (work, time, ...more) => wait(work, time / 20, ...more);
    performance.now = () => now() * 20;
    window.fetch = async (url, request) => {
        if (url.endsWith('/status')) polls += 1;
        if (url.includes('refusals/summary')) {
            counts.push(performance.now());
            if (broken) throw new TypeError('broken');
            if (hold) await new Promise((resolve) => { release = resolve; });
        }
        return fetched(url, request);
    };";

#[test]
fn refusals_are_counted_while_somebody_looks_one_count_at_a_time_and_seldom_after_a_failure() {
    let site = site();
    let server = site.start();
    let page = Page::open(&server);
    page.devtools("Page.addScriptToEvaluateOnNewDocument", &serde_json::json!({ "source": HURRIED }));
    page.go(&origin(&server));
    page.sign_in(TOKEN);
    page.wait_for("return counts.length > 2");

    // Ten polls of the status are due for two counts.
    let counts_in_ten_polls = || {
        page.run("window.begun = polls; window.before = counts.length");
        page.wait_for("return polls >= begun + 10");
        page.run("return counts.length - before")
    };
    assert_ne!(counts_in_ten_polls(), 0);

    page.run("Object.defineProperty(document, 'hidden', { configurable: true, value: true })");
    assert_eq!(counts_in_ten_polls(), 0, "nobody looks");
    page.run("delete document.hidden");
    page.wait_for("return counts.length > before");

    page.run("hold = true");
    page.wait_for("return release !== null");
    assert_eq!(counts_in_ten_polls(), 0, "the last count is under way");
    page.run("hold = false; release()");
    page.wait_for("return counts.length > before");

    page.run("broken = true");
    page.see("#refusals-error", "The server cannot be reached.");
    page.run("window.failed = counts.length");
    page.wait_for("return counts.length > failed");
    let rest = page.run("return counts[failed] - counts[failed - 1]").as_f64().unwrap();
    assert!(rest >= 60_000.0, "{rest}");

    // Whoever asks is answered at once.
    page.run("broken = false; window.before = counts.length");
    page.click("#refusals-refresh");
    page.wait_for("return counts.length > before");
    page.wait_for("return document.querySelector('#refusals-error').textContent === ''");
    assert_ne!(counts_in_ten_polls(), 0, "it is well again");
}
