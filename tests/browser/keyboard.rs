//! Everything can be reached and left without a pointer.

use crate::{
    browser::{DOWN, ENTER, ESCAPE, HOME, TAB},
    page::{Page, TOKEN, named, site, without_user},
    server::until,
};

/// What has the focus: its id or its label.
fn focus(page: &Page) -> String {
    let focus = page.run(
        "const at = document.activeElement;
        return at === document.body ? 'nothing' : at.id || at.ariaLabel || at.textContent.trim()",
    );
    focus.as_str().unwrap().to_owned()
}

/// Presses Tab until something has the focus; every stop on the way must show that it has it.
#[track_caller]
fn tab_to(page: &Page, wanted: &str) {
    let mut passed = Vec::new();
    while !focus(page).contains(wanted) {
        assert!(passed.len() < 60, "{wanted} is not reached: {passed:?}");
        page.press(TAB);
        let outlined = "const at = document.activeElement;
            return at === document.body || getComputedStyle(at).outlineStyle !== 'none'";
        assert_eq!(page.run(outlined), true, "{} shows no focus", focus(page));
        passed.push(focus(page));
    }
}

#[test]
fn the_page_can_be_used_without_a_pointer() {
    let site = site();
    let server = site.start();
    let page = Page::open(&server);
    // The only field has the focus already.
    assert_eq!(focus(&page), "token");
    page.press(&format!("{TOKEN}{ENTER}"));
    page.connected();
    server.post(without_user("First")).expect(400);
    server.post(named("Second")).expect(200);
    page.see("#live-rows", "Second");

    page.run("document.activeElement.blur()");
    tab_to(&page, "Skip to live events");
    page.press(ENTER);
    tab_to(&page, "live-source");
    tab_to(&page, "live-text");
    page.press("first");
    until("the filter works", || (page.rows().len() == 1).then_some(()));
    page.run("const field = document.querySelector('#live-text'); field.value = ''; field.dispatchEvent(new Event('input'))");
    tab_to(&page, "live-pause");

    // The list is one stop, however long it is; arrows move in it.
    tab_to(&page, "user.missing");
    page.press(HOME);
    assert!(focus(&page).contains("Second"), "{}", focus(&page));
    page.press(DOWN);
    assert!(focus(&page).contains("user.missing"), "{}", focus(&page));
    page.press(ENTER);
    page.see("#record-why", "user.missing");
    assert_eq!(page.run("return document.querySelector('#record').contains(document.activeElement)"), true);
    tab_to(&page, "Try a replay");
    page.press(ESCAPE);
    page.wait_for("return !document.querySelector('#record').open");
    assert!(focus(&page).contains("user.missing"), "the focus returns: {}", focus(&page));

    tab_to(&page, "refusals-state");
    tab_to(&page, "Pause lane storage");
    page.press(ENTER);
    page.see("#lane-rows", "paused");
    // Two polls later the button is the same one and still has the focus.
    assert_eq!(focus(&page), "Resume lane storage");
}

#[test]
fn whatever_can_be_used_has_a_name() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    server.post(without_user("Named")).expect(400);
    page.see("#live-rows", "user.missing");
    page.see("#refusals-summary", "user.missing");
    let nameless = page.run(
        "return [...document.querySelectorAll('button, a, input, select, dialog, section, table, pre, meter')]
            .filter((at) => !at.closest('[role=img]'))
            .filter((at) => !(at.ariaLabel || at.labels?.length || at.textContent.trim() && at.matches('button, a') ||
                document.getElementById(at.getAttribute('aria-labelledby'))))
            .map((at) => at.outerHTML)",
    );
    assert_eq!(nameless, serde_json::json!([]));
    let ids = "const ids = [...document.querySelectorAll('[id]')].map((at) => at.id);
        return ids.length - new Set(ids).size";
    assert_eq!(page.run(ids), 0, "an id is used twice");
    assert_eq!(page.run("return document.documentElement.lang"), "en");
}
