//! Live events: seen, filtered, paused, opened; and seen again after a restart.

use crate::{
    browser::ENTER,
    page::{Page, TOKEN, named, site, without_user},
    server::until,
};

#[test]
fn events_and_refusals_arrive_and_can_be_filtered() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    server.post(named("Ordered")).expect(200);
    server.post(without_user("Nameless")).expect(400);
    server.post(named("Paid")).expect(200);
    page.see("#live-rows", "Paid");
    let rows = page.rows();
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[0].contains("committed") && rows[0].contains("web") && rows[0].contains("Paid"), "{rows:?}");
    assert!(rows[1].contains("refused") && rows[1].contains("user.missing"), "{rows:?}");
    assert!(rows[2].contains("Ordered"), "{rows:?}");

    page.type_into("#live-text", "nameless");
    until("the filter works", || (page.rows().len() == 1).then_some(()));
    assert!(page.rows()[0].contains("refused"));
    page.run("document.querySelector('#live-text').value = ''");
    page.type_into("#live-text", "nothing like it");
    page.see("#live-empty", "Nothing of what is kept fits the filter.");
    page.click("#live-clear");
    page.run("document.querySelector('#live-text').value = ''");

    page.type_into("#live-outcome", "committed");
    page.connected();
    server.post(without_user("Filtered")).expect(400);
    server.post(named("Shipped")).expect(200);
    page.see("#live-rows", "Shipped");
    assert_eq!(page.rows().len(), 1, "{:?}", page.rows());
}

#[test]
fn an_event_is_shown_whole_with_every_digit() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    let event = r#"{"type":"track","event":"Weighed","userId":"u1","timestamp":"2026-01-31T12:00:00Z","properties":{"id":9007199254740993,"price":1.10}}"#;
    let receipt = server.post(event).expect(200).receipt();
    page.open_row("Weighed");
    page.see("#record-facts", &receipt);
    let shown = page.text("#record-text");
    for exact in ["\"id\": 9007199254740993", "\"price\": 1.10", &receipt] {
        assert!(shown.contains(exact), "{exact} in {shown}");
    }
    page.click("#record-raw");
    page.see("#record-text", "\"id\":9007199254740993");
    page.click("#record .close");
    page.wait_for("return !document.querySelector('#record').open");
}

#[test]
fn pausing_holds_the_list_and_resuming_shows_what_waited() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    server.post(named("Before")).expect(200);
    page.see("#live-rows", "Before");
    page.click("#live-pause");
    page.see("#live-pause", "Resume");
    for name in ["First", "Second"] {
        server.post(named(name)).expect(200);
    }
    page.see("#live-state", "paused, 2 more wait");
    assert_eq!(page.rows().len(), 1);
    page.type_into("#live-pause", ENTER);
    page.see("#live-rows", "Second");
    assert_eq!(page.rows().len(), 3);
}

#[test]
fn no_more_than_five_hundred_rows_are_kept() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    let batch = |first: usize, count: usize| {
        let events: Vec<String> =
            (first..first + count).map(|number| named(&format!("e{number}."))).collect();
        server.post(format!("[{}]", events.join(","))).expect(200);
    };
    batch(0, 400);
    page.see("#live-rows", "e399.");
    batch(400, 400);
    page.see("#live-rows", "e799.");
    until("the oldest are gone", || (page.rows().len() == 500).then_some(()));
    assert!(page.rows().last().unwrap().contains("e300."), "{:?}", page.rows().last());
}

#[test]
fn after_a_restart_the_page_comes_back_by_itself() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    let (collect, operate) = (server.collect, server.operate);
    server.stop();
    page.see("#trouble", "The server cannot be reached.");
    let server = site.spawn(&["serve"], collect, operate);
    // A new process may ask for the token again; it never leaves the page stuck.
    let state = page.wait_for(
        "return document.body.dataset.session === 'out' ? 'out' : document.querySelector('#trouble').hidden && 'in'",
    );
    if state == "out" {
        page.sign_in(TOKEN);
    }
    page.connected();
    server.post(named("Afterwards")).expect(200);
    page.see("#live-rows", "Afterwards");
}
