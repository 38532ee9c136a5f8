//! `X-Signature`, the second factor.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha1::Sha1;

use crate::{
    client::{Answer, Request},
    encodings::gzip,
    server::{KEY, Server, Site, assert_has, track, web},
};

const SECRET: &str = "a-signing-secret-of-more-than-32-characters";

fn sign(text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn site() -> Site {
    Site::new(&web(&format!("signing_secret = {{ value = \"{SECRET}\" }}")))
}

fn post(server: &Server<'_>, body: &str, signature: &str) -> Answer {
    server.send(&Request::post(&format!("/v1/segment/web?key={KEY}"), body).header("X-Signature", signature))
}

#[test]
fn an_event_is_signed_as_its_body() {
    let site = site();
    let server = site.start();
    let body = format!(" {}\n", track("plain"));
    post(&server, &body, &sign(&body)).expect(200);
    let packed = Request::post(&format!("/v1/segment/web?key={KEY}"), gzip(track("packed").as_bytes()));
    let packed = packed
        .header("Content-Encoding", "gzip")
        .header("X-Signature", &sign(&track("packed")).to_uppercase());
    server.send(&packed).expect(200);
    site.wait_until_stored("events", 2);
}

#[test]
fn of_a_batch_the_first_element_is_signed_as_it_was_sent() {
    let site = site();
    let server = site.start();
    let first = "{ \"type\":\"track\" , \"userId\":\"u\",\"timestamp\":\"2026-01-31T12:00:00Z\" }";
    let body = format!("[ {first} , {} ]", track("second"));
    assert_has(&post(&server, &body, &sign(first)).expect(200), &json!({"committed": 2}));
    post(&server, &body, &sign(&body)).expect(401);
    post(&server, &body, &sign(&track("second"))).expect(401);
    post(&server, "[]", &sign("[]")).expect(200);
    site.wait_until_stored("events", 2);
}

#[test]
fn without_the_right_signature_nothing_is_taken_or_kept() {
    let site = site();
    let server = site.start();
    let (body, right) = (track("m"), sign(&track("m")));
    for wrong in [
        "",
        "00",
        &right[..39],
        &format!("{right}0"),
        &sign("another body"),
        &right.replace(&right[..1], "g"),
    ] {
        assert_has(
            &post(&server, &body, wrong).expect(401),
            &json!({"committed": false, "message": "Unauthorized"}),
        );
    }
    server.post(body.as_str()).expect(401);
    // Only who can sign is told what is wrong with a body, and only of them it is kept.
    post(&server, "{", &right).expect(401);
    post(&server, "{", &sign("{")).expect(400);
    server.stop();
    assert_eq!((site.count("events"), site.count("refusals")), (0, 1));
}

#[test]
fn a_signature_does_not_stand_for_the_key() {
    let site = site();
    let server = site.start();
    for query in ["", "?key=wrong"] {
        let request = Request::post(&format!("/v1/segment/web{query}"), track("m"));
        server.send(&request.header("X-Signature", &sign(&track("m")))).expect(401);
    }
}
