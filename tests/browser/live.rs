//! Live events: seen, filtered, paused, opened; and seen again after a restart.

use std::net::SocketAddr;

use crate::{
    browser::ENTER,
    client::{Connection, Request},
    page::{Page, TOKEN, named, site, without_user},
    server::until,
};

/// Takes a place at the tail, which is held until this is dropped; without one, why there is none.
fn follow(operate: SocketAddr) -> Result<Connection, String> {
    let mut connection = Connection::open(operate).unwrap();
    let request = Request::new("GET", "/admin/v1/tail").header("Authorization", &format!("Bearer {TOKEN}"));
    let answer = connection.send(&request).unwrap();
    if answer.status == 200 { Ok(connection) } else { Err(answer.text()) }
}

/// Takes all places that are left.
fn follow_all(operate: SocketAddr) -> Vec<Connection> {
    let mut followers = Vec::new();
    while let Ok(follower) = follow(operate) {
        followers.push(follower);
    }
    followers
}

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
fn what_waits_while_paused_is_bounded_in_size_too() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    page.click("#live-pause");
    let small: Vec<String> = (0..100).map(|number| named(&format!("small{number}"))).collect();
    server.post(format!("[{}]", small.join(","))).expect(200);
    page.see("#live-state", "paused, 100 more wait");
    // Thirteen of these fit.
    let bulk = format!(r#","properties":{{"bulk":"{}"}}}}"#, "x".repeat(600_000));
    let large = |number: usize| named(&format!("large{number}.")).replacen('}', &bulk, 1);
    for number in 0..20 {
        server.post(large(number)).expect(200);
    }
    page.see("#live-state", "paused, 13 more wait");
    server.post(named("last")).expect(200);
    page.see("#live-state", "paused, 14 more wait");
    page.click("#live-pause");
    until("those that waited are shown", || (page.rows().len() == 14).then_some(()));
    assert!(page.rows()[13].contains("large7."));
}

#[test]
fn a_page_that_nobody_sees_holds_no_place_and_goes_on_where_it_was() {
    let site = site();
    let server = site.start();
    server.post(named("Earlier")).expect(200);
    let page = Page::signed_in(&server);
    let others = follow_all(server.operate);
    assert_eq!(others.len(), 15, "the page holds the sixteenth");
    page.in_another_tab(|| {
        let place = until("the place is free", || follow(server.operate).ok());
        server.post(named("Meanwhile")).expect(200);
        drop(place);
    });
    drop(others);
    page.see("#live-rows", "Meanwhile");
    page.connected();
    server.post(named("Afterwards")).expect(200);
    page.see("#live-rows", "Afterwards");
    assert_eq!(page.rows().len(), 2, "neither earlier ones nor any twice: {:?}", page.rows());
}

#[test]
fn where_no_place_is_free_the_reason_is_told_and_stays() {
    let site = site();
    let server = site.start();
    let others = follow_all(server.operate);
    let page = Page::open(&server);
    page.sign_in(TOKEN);
    page.see("#live-state", "16 clients follow already, which is as many as may; trying again");
    page.run(
        "window.said = [];
        new MutationObserver(() => said.push(document.querySelector('#live-state').textContent))
            .observe(document.querySelector('#live-state'), { childList: true })",
    );
    let asked = || page.requests().iter().filter(|url| url.contains("/admin/v1/tail")).count();
    let mut tries = 0;
    until("it is tried again", || {
        tries += asked();
        (tries >= 3).then_some(())
    });
    assert_eq!(page.run("return said"), serde_json::json!([]), "what has been said is not said again");
    drop(others);
    page.connected();
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
