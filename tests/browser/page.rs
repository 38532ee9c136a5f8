//! Where things are on the page.

use std::ops::Deref;

use serde_json::Value;

use crate::{
    browser::{Browser, ENTER},
    server::{KEY, Server, Site, source},
};

/// The operator's token of every server here.
pub(crate) const TOKEN: &str = "c7a1f0d2b95e4c6f8a3d1e7b6f2a9c04";

/// A desktop's window.
pub(crate) const DESKTOP: (u32, u32) = (1280, 900);

/// Settings with a source `web`, which demands `required` of its events.
pub(crate) fn settings(required: &str) -> String {
    let secrets = format!("secrets = [{{ id = \"first\", value = \"{KEY}\" }}]\nrequired = [{required}]");
    format!("[operate]\ntoken = {{ value = \"{TOKEN}\" }}\n{}", source("web", &secrets))
}

/// A directory with the usual settings.
pub(crate) fn site() -> Site {
    Site::new(&settings("\"userId\", \"timestamp\""))
}

/// An event of this name, of which the database has seen none before.
pub(crate) fn named(name: &str) -> String {
    let name = Value::from(name);
    format!(r#"{{"type":"track","event":{name},"userId":"u1","timestamp":"2026-01-31T12:00:00Z"}}"#)
}

/// An event that lacks its user.
pub(crate) fn without_user(name: &str) -> String {
    format!(
        r#"{{"type":"track","event":"{name}","timestamp":"2026-01-31T12:00:00Z","auction":9000000000000000001}}"#
    )
}

/// The page of a server, in a browser of its own.
pub(crate) struct Page(Browser);

impl Page {
    /// Opens the page, signed out.
    pub(crate) fn open(server: &Server<'_>) -> Self {
        let page = Self(Browser::open(&origin(server), DESKTOP));
        page.wait_for("return document.body.dataset.session === 'out'");
        page
    }

    /// Opens the page and signs in; what is sent from now on is seen.
    pub(crate) fn signed_in(server: &Server<'_>) -> Self {
        let page = Self::open(server);
        page.sign_in(TOKEN);
        page.connected();
        page
    }

    pub(crate) fn sign_in(&self, token: &str) {
        self.type_into("#token", &format!("{token}{ENTER}"));
    }

    /// Waits until the stream of live events is open.
    #[track_caller]
    pub(crate) fn connected(&self) {
        self.see("#live-state", "connected");
    }

    /// The rows that are shown, newest first.
    pub(crate) fn rows(&self) -> Vec<String> {
        let rows = self.run(
            "return [...document.querySelectorAll('#live-rows li:not([hidden])')].map((row) => row.textContent)",
        );
        rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
    }

    /// Waits for a row with this text and opens it.
    #[track_caller]
    pub(crate) fn open_row(&self, text: &str) {
        self.see("#live-rows", text);
        let at = self.rows().iter().position(|row| row.contains(text)).unwrap() + 1;
        self.click(&format!("#live-rows li:nth-child({at} of :not([hidden])) button"));
        self.wait_for("return document.querySelector('#record').open");
    }
}

impl Deref for Page {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.0
    }
}

/// The address of the page.
pub(crate) fn origin(server: &Server<'_>) -> String {
    format!("http://{}/", server.operate)
}
