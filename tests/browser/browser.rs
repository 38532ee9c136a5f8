//! Chromium, driven by the WebDriver protocol: JSON over HTTP, which the client of the integration tests speaks.
//!
//! Whatever is looked for is waited for, and what goes stale between being found and being used is looked for again, so
//! that no test knows how fast the page is.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{client::Request, server::until};

/// How WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that have no character.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const ESCAPE: &str = "\u{e00c}";
pub(crate) const HOME: &str = "\u{e011}";
pub(crate) const DOWN: &str = "\u{e015}";

/// Runs in every document before its own scripts: keeps what the browser had to forbid, and what no script may change.
const WITNESS: &str = "window.ran = 0; window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) =>
        window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));";

/// A browser with one tab; closed when dropped.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _output: BufReader<ChildStdout>,
    profile: TempDir,
}

impl Browser {
    /// Opens an address in a window of this size.
    pub(crate) fn open(url: &str, (width, height): (u32, u32)) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need chromium and its driver (Debian: chromium, chromium-driver)");
        let mut output = BufReader::new(driver.stdout.take().unwrap());
        let port = port_of(&mut output);
        let mut browser = Self {
            driver,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            session: String::new(),
            _output: output,
            profile,
        };
        let capabilities = capabilities(browser.profile.path(), width, height);
        let created = browser.post("/session", &capabilities).unwrap();
        browser.session = format!("/session/{}", created["sessionId"].as_str().unwrap());
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": WITNESS }));
        browser.go(url);
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, Value> {
        let request = Request::post(path, body.to_string()).header("Content-Type", "application/json");
        let answer = request.send(self.address).unwrap();
        let value = answer.json()["value"].take();
        if answer.status == 200 { Ok(value) } else { Err(value) }
    }

    /// A command of this session.
    fn command(&self, path: &str, body: &Value) -> Result<Value, Value> {
        self.post(&format!("{}{path}", self.session), body)
    }

    /// Opens an address.
    pub(crate) fn go(&self, url: &str) {
        self.command("/url", &json!({ "url": url })).unwrap();
    }

    /// Does something while another tab is in front of this one.
    pub(crate) fn in_another_tab(&self, work: impl FnOnce()) {
        let request = Request::new("GET", &format!("{}/window", self.session));
        let own = request.send(self.address).unwrap().json()["value"].take();
        let other = self.command("/window/new", &json!({ "type": "tab" })).unwrap();
        self.command("/window", &json!({ "handle": other["handle"] })).unwrap();
        work();
        let request = Request::new("DELETE", &format!("{}/window", self.session));
        request.send(self.address).unwrap().expect(200);
        self.command("/window", &json!({ "handle": own })).unwrap();
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).unwrap()
    }

    /// What a function body returns, run in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": script, "args": [] })).unwrap()
    }

    /// Waits until a function body returns something that counts as true, and gives it.
    #[track_caller]
    pub(crate) fn wait_for(&self, script: &str) -> Value {
        until(script, || {
            let value = self.run(script);
            let counts =
                !matches!(value, Value::Null | Value::Bool(false)) && value != json!("") && value != json!(0);
            counts.then_some(value)
        })
    }

    fn element(&self, selector: &str) -> Option<String> {
        let found = self.command("/element", &json!({ "using": "css selector", "value": selector })).ok()?;
        Some(found[ELEMENT].as_str().unwrap().to_owned())
    }

    /// Clicks where a person would: what is hidden, disabled or covered cannot be clicked.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        until(&format!("clicking {selector}"), || {
            let element = self.element(selector)?;
            self.command(&format!("/element/{element}/click"), &json!({})).ok()
        });
    }

    /// Types into a field, after what stands there.
    #[track_caller]
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        until(&format!("typing into {selector}"), || {
            let element = self.element(selector)?;
            self.command(&format!("/element/{element}/value"), &json!({ "text": text })).ok()
        });
    }

    /// Presses keys one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.command("/actions", &json!({ "actions": [keyboard] })).unwrap();
    }

    /// The text of what is shown, as a person reads it; waited for until it is there.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        until(&format!("the text of {selector}"), || {
            let element = self.element(selector)?;
            let request = Request::new("GET", &format!("{}/element/{element}/text", self.session));
            let answer = request.send(self.address).unwrap();
            (answer.status == 200).then(|| answer.json()["value"].as_str().unwrap().to_owned())
        })
    }

    /// Waits until what is shown contains a text.
    #[track_caller]
    pub(crate) fn see(&self, selector: &str, text: &str) {
        let mut last = String::new();
        until(&format!("{text:?} in {selector}"), || {
            last = self.text(selector);
            last.contains(text).then_some(())
        });
    }

    /// The addresses of all requests so far that this has not told before.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.command("/se/log", &json!({ "type": "performance" })).unwrap();
        let entries = log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap());
        entries
            .map(|entry| serde_json::from_str::<Value>(entry).unwrap()["message"].take())
            .filter(|message| message["method"] == "Network.requestWillBeSent")
            .map(|message| message["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What the browser had to forbid in this document, and how often a script ran that must not.
    pub(crate) fn violations(&self) -> Vec<Value> {
        assert_eq!(self.run("return window.ran"), 0, "a stored payload ran");
        self.run("return window.violations").as_array().unwrap().clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ending the session ends Chromium; the driver alone would leave it behind.
        let _ = Request::new("DELETE", &self.session).send(self.address);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn port_of(output: &mut BufReader<ChildStdout>) -> u16 {
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        if let Some((_, port)) = line.rsplit_once("successfully on port ") {
            return port.trim_end().trim_end_matches('.').parse().unwrap();
        }
        line.clear();
    }
    panic!("chromedriver does not start");
}

fn capabilities(profile: &Path, width: u32, height: u32) -> Value {
    let arguments = [
        "--headless=new".to_owned(),
        // The tests may run as root, where Chromium has no sandbox.
        "--no-sandbox".into(),
        "--disable-gpu".into(),
        "--disable-dev-shm-usage".into(),
        "--disable-quic".into(),
        "--no-first-run".into(),
        "--disable-background-networking".into(),
        "--disable-component-update".into(),
        "--disable-sync".into(),
        format!("--window-size={width},{height}"),
        format!("--user-data-dir={}", profile.display()),
    ];
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": { "performance": "ALL" },
    }}})
}
