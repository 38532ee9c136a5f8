//! What senders send is text: it is shown as it is, and never becomes markup, script, style or an address.

use serde_json::{Value, json};

use crate::{
    page::{Page, site},
    server::Server,
};

/// Each would set `window.ran`, or show something else than what it is.
const HOSTILE: &[&str] = &[
    "<script>window.ran++</script>",
    "</script><script>window.ran++</script>",
    "<img src=x onerror=\"window.ran++\">",
    "<svg onload='window.ran++'><animate onbegin=window.ran++ attributeName=x></svg>",
    "<iframe srcdoc=\"<script>parent.ran++</script>\"></iframe>",
    "<a href=\"javascript:window.ran++\">click</a>",
    "javascript:window.ran++",
    "\"><input autofocus onfocus=window.ran++>",
    "<style>*{display:none}</style>",
    "<base href=//evil.example/><link rel=stylesheet href=//evil.example/x.css>",
    "${window.ran++} {{constructor.constructor('window.ran++')()}}",
    "]]><!--<math><mtext></mtext></math>-->",
    "__proto__",
];

/// An event whose every text is hostile, in its values and in its names.
fn event(hostile: &str) -> Value {
    json!({
        "type": "track", "event": hostile, "userId": hostile, "anonymousId": hostile, "messageId": hostile,
        "timestamp": "2026-01-31T12:00:00Z",
        "properties": { hostile: hostile, "page": hostile, "nested": [hostile, { hostile: hostile }] },
        "context": { "ip": hostile, "userAgent": hostile, "page": { "url": hostile, "path": hostile } },
    })
}

fn open_and_read(page: &Page, row: &str) -> String {
    page.open_row(row);
    let shown = page.run("return document.querySelector('#record-text').textContent");
    page.click("#record .close");
    page.wait_for("return !document.querySelector('#record').open");
    shown.as_str().unwrap().to_owned()
}

fn send_refused(server: &Server<'_>, hostile: &str) {
    let mut lacking = event(hostile);
    lacking.as_object_mut().unwrap().remove("timestamp");
    server.post(lacking.to_string()).expect(400);
}

#[test]
fn hostile_events_and_refusals_are_shown_verbatim_and_run_nothing() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    for hostile in HOSTILE {
        server.post(event(hostile).to_string()).expect(200);
        page.see("#live-rows", hostile);
        let shown: Value = serde_json::from_str(&open_and_read(&page, hostile)).unwrap();
        assert_eq!(shown["event"]["event"], **hostile);
        assert_eq!(shown["event"]["properties"]["nested"][1][hostile], **hostile);
        page.click("#live-clear");
        send_refused(&server, hostile);
        let shown: Value = serde_json::from_str(&open_and_read(&page, "timestamp.missing")).unwrap();
        assert_eq!(shown["event"], **hostile);
        page.click("#live-clear");
    }
    assert_eq!(page.violations(), [""; 0], "nothing even tried");
    let foreign = "return document.querySelectorAll('#console script, iframe, img, base, style, svg').length";
    assert_eq!(page.run(foreign), 0);
}

#[test]
fn what_is_not_json_is_shown_as_it_came() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    let body = "<script>window.ran++</script>{\"a\":";
    server.post(body).expect(400);
    assert_eq!(open_and_read(&page, "body.malformed"), body);
    page.click("#live-clear");
    // Not even text: in base64.
    server.post(b"\xff\xfe<script>window.ran++</script>".to_vec()).expect(400);
    page.open_row("body.utf8");
    page.see("#record-form", "in base64");
    page.see("#record-text", "//48c2NyaXB0P");
    assert_eq!(page.violations(), [""; 0]);
}

#[test]
fn characters_that_deceive_the_eye_are_spelled_out() {
    let site = site();
    let server = site.start();
    let page = Page::signed_in(&server);
    let name = "invoice\u{202e}fdp.exe\u{2066}\u{7f}\u{1b}[31m\u{e0041}";
    server.post(event(name).to_string()).expect(200);
    page.see("#live-rows", "invoice\\u202efdp.exe\\u2066\\u007f\\u001b[31m\\udb40\\udc41");
    page.click("#live-clear");

    // Both ends of each range, and what lies beside them.
    let deceptive = "\u{1}\u{8}\u{b}\u{c}\u{e}\u{1f}\u{7f}\u{9f}\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\u{200f}\
        \u{2028}\u{202e}\u{2060}\u{206a}\u{206f}\u{feff}\u{fff9}\u{fffb}\u{e0000}\u{e0001}\u{e007f}\u{e0fff}";
    let plain = "~\u{a1}\u{ac}\u{ae}\u{61b}\u{61d}\u{180f}\u{200a}\u{2010}\u{2027}\u{2030}\u{2070}\u{fffc}\u{1f30a}\u{e1000}";
    let mixed = format!("invoice{deceptive}{plain}");
    server.post(event(&mixed).to_string()).expect(200);
    let shown = open_and_read(&page, "\\udb43\\udfff~");
    assert!(!shown.chars().any(|shown| deceptive.contains(shown)), "{shown:?}");
    assert!(shown.contains(plain), "{shown:?}");
    // As JSON it is still the same text.
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["event"]["event"], mixed);
}
