//! No secret leaves the process: not by a log at its most talkative, an answer, a metric, a table or a file.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
};

use uuid::Uuid;

use crate::{
    client::{Answer, Connection, Request},
    server::{Server, Site, source, until},
};

/// Everything at its lowest level, also what is quiet for a reason.
const TALKATIVE: &str = "trace,hyper=trace,hyper_util=trace,sqlx=trace,sqlx::query=trace,tower_http=trace";

/// A random word that occurs nowhere by chance, and is found in whatever form somebody would print it.
#[derive(Clone)]
struct Canary {
    what: &'static str,
    word: String,
}

impl Canary {
    fn new(what: &'static str) -> Self {
        Self { what, word: format!("{:032x}", Uuid::now_v7().as_u128().rotate_left(48)) }
    }

    /// Half of it is as bad as all of it.
    fn halves(&self) -> [&str; 2] {
        let (front, back) = self.word.split_at(16);
        [front, back]
    }

    /// Plain, percent-encoded, in hexadecimal digits, and in base64 at each of its three alignments.
    fn forms(&self) -> Vec<Vec<u8>> {
        let spelled = |half: &str| [half.to_owned(), percent_encoded(half), hexadecimal(half)];
        let base64 = |half: &str| (0..3).map(|skipped| base64_from(half, skipped)).collect::<Vec<_>>();
        let forms = self.halves().into_iter().flat_map(|half| [&spelled(half)[..], &base64(half)].concat());
        forms.map(|form| form.to_ascii_lowercase().into_bytes()).collect()
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02X}").unwrap();
        encoded
    })
}

fn hexadecimal(text: &str) -> String {
    percent_encoded(text).replace('%', "")
}

/// What is in the base64 of any text that holds this one, if so many of its first bytes fill up a group of three.
fn base64_from(text: &str, skipped: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = text.as_bytes()[skipped..].chunks_exact(3);
    let digits = groups.flat_map(|group| {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
    });
    digits.collect()
}

/// Everything that a server has shown or kept, by where.
#[derive(Default)]
struct Shown(Vec<(String, Vec<u8>)>);

impl Shown {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let mut bytes = bytes.into();
        bytes.make_ascii_lowercase();
        self.0.push((place.into(), bytes));
    }

    fn answer(&mut self, answer: &Answer) {
        self.add("an answer", [answer.head.as_bytes(), &answer.body].concat());
    }

    /// Sends, shows, and insists on a status.
    #[track_caller]
    fn send(&mut self, server: &Server<'_>, request: &Request, status: u16) {
        self.answer(&server.send(request).expect(status));
    }

    /// What the process says about itself, and every file of its own.
    fn server(&mut self, server: &Server<'_>) {
        for target in ["/metrics", "/readyz?verbose", "/livez"] {
            self.add(target, server.ask(target).unwrap().body);
        }
        self.add("standard output", server.out());
        self.add("standard error", server.log());
        self.directory(&server.site.path("data"));
    }

    fn directory(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.directory(&path);
            } else {
                self.add(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }

    /// Every row of every table.
    fn tables(&mut self, site: &Site) {
        let tables: Vec<(String,)> = site.rows("SELECT name FROM sqlite_schema WHERE type = 'table'");
        assert!(tables.len() >= 5, "{tables:?}");
        for (table,) in tables {
            let columns: Vec<(String,)> =
                site.rows(&format!("SELECT name FROM pragma_table_info('{table}')"));
            let columns: Vec<String> =
                columns.iter().map(|(name,)| format!("CAST({name} AS BLOB)")).collect();
            let rows: Vec<(Vec<u8>,)> = site
                .rows(&format!("SELECT CAST(concat_ws('|', {}) AS BLOB) FROM {table}", columns.join(", ")));
            self.add(
                format!("the table {table}"),
                rows.into_iter().flat_map(|(row,)| row).collect::<Vec<_>>(),
            );
        }
    }

    /// Where a canary is seen.
    fn places_of(&self, canary: &Canary) -> Vec<&str> {
        let forms = canary.forms();
        let shows =
            |bytes: &[u8]| forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form));
        self.0.iter().filter(|(_, bytes)| shows(bytes)).map(|(place, _)| place.as_str()).collect()
    }

    #[track_caller]
    fn assert_hides(&self, canaries: &[&Canary]) {
        for canary in canaries {
            let places = self.places_of(canary);
            assert!(places.is_empty(), "{} is shown by {places:?}", canary.what);
        }
    }
}

#[test]
fn a_canary_is_found_in_every_form() {
    let canary = Canary::new("a test");
    for form in [
        canary.word.clone(),
        format!("a log line with {} and more", canary.halves()[1]),
        percent_encoded(&canary.word),
        percent_encoded(&canary.word).to_lowercase(),
        hexadecimal(&canary.word),
    ] {
        let mut shown = Shown::default();
        shown.add("here", form.as_str());
        assert_eq!(shown.places_of(&canary), ["here"], "{form}");
    }
    for before in ["", "x", "xy"] {
        let mut shown = Shown::default();
        shown.add("here", base64_from(&format!("{before}{}", canary.word), 0));
        assert_eq!(shown.places_of(&canary), ["here"], "{before:?}");
    }
    let mut shown = Shown::default();
    shown.add("elsewhere", Canary::new("another").word);
    assert!(shown.places_of(&canary).is_empty());
}

/// Does what an operator does, with the right token and with one that is nearly right.
fn operate(server: &Server<'_>, shown: &mut Shown, token: &Canary) {
    let bearer = |request: Request, token: &str| request.header("Authorization", &format!("Bearer {token}"));
    let nearly = format!("{}x", token.word);
    for offered in [&token.word, &nearly] {
        let sign_in = Request::post("/admin/v1/session", format!(r#"{{"token":"{offered}"}}"#));
        let answer = sign_in.send(server.operate).unwrap();
        shown.answer(&answer);
        if let Some(cookie) = answer.header("set-cookie") {
            let session = cookie.split(';').next().unwrap();
            let status = Request::new("GET", "/admin/v1/status").header("Cookie", session);
            shown.answer(&status.send(server.operate).unwrap().expect(200));
        }
        for target in ["status", "events", "refusals", "audit", &format!("events?user={offered}")] {
            let request = bearer(Request::new("GET", &format!("/admin/v1/{target}")), offered);
            // A search repeats nothing of what was searched for.
            shown.answer(&request.send(server.operate).unwrap());
        }
        let body = format!(r#"{{"type":"track","userId":"u","odd":"{offered}"}}"#);
        let explain = Request::post("/admin/v1/explain?source=nobody", body);
        shown.answer(&bearer(explain, offered).send(server.operate).unwrap());
        let prune = Request::post("/admin/v1/prune", format!(r#"{{"before":"{offered}"}}"#));
        shown.answer(&bearer(prune, offered).send(server.operate).unwrap());
    }
}

#[test]
fn secrets_of_senders_and_operators_are_shown_nowhere() {
    let (key, signing, token) =
        (Canary::new("the key"), Canary::new("the signing secret"), Canary::new("the token"));
    let [in_label, in_request_id, in_body] = ["a label", "a log", "a table"].map(Canary::new);
    let secrets = format!(
        "secrets = [{{ id = \"{}\", env = \"CANARY\" }}, {{ id = \"file\", file = \"canary\" }}]",
        in_label.word
    );
    let signed = format!(
        "secrets = [{{ id = \"k\", env = \"CANARY\" }}]\nsigning_secret = {{ value = \"{}\" }}",
        signing.word
    );
    let operated = format!("[operate]\ntoken = {{ value = \"{}\" }}\n", token.word);
    let site = Site::new(&[operated, source("web", &secrets), source("signed", &signed)].concat())
        .with_variable("CANARY", &key.word)
        .with_variable("TIDEGATE_LOG", TALKATIVE);
    site.write("canary", &key.word);
    let server = site.start();
    let mut shown = Shown::default();

    deliver(&server, &mut shown, &key, &in_request_id, &in_body);
    malformed(&server, &mut shown, &key);
    operate(&server, &mut shown, &token);
    site.write("tidegate.toml", "nonsense");
    server.signal("HUP");
    until("the reload fails", || server.log().contains("settings not reloaded").then_some(()));
    site.wait_until_stored("events", 4);
    shown.tables(&site);
    shown.server(&server);

    shown.assert_hides(&[&key, &signing, &token]);
    // The same search finds what is meant to be there: in a metric, a log, an answer, a spool file, a table.
    assert!(server.log().contains("\"DEBUG\""), "the log is not talkative");
    assert!(shown.places_of(&in_label).contains(&"/metrics"));
    for place in ["standard error", "an answer"] {
        assert!(shown.places_of(&in_request_id).contains(&place), "{place}");
    }
    let of_body = shown.places_of(&in_body);
    assert!(of_body.contains(&"the table events") && of_body.contains(&"the table refusals"), "{of_body:?}");
    assert!(of_body.iter().any(|place| place.contains("/data/spool/")), "{of_body:?}");
    assert!(!of_body.contains(&"standard error"), "bodies are not logged: {of_body:?}");
}

/// Deliveries with right keys and wrong ones, spelled in every way.
fn deliver(server: &Server<'_>, shown: &mut Shown, key: &Canary, request_id: &Canary, body: &Canary) {
    let event = format!(r#"{{"userId":"{}","timestamp":"2026-01-31T12:00:00Z"}}"#, body.word);
    let (word, encoded, [front, back]) = (&key.word, percent_encoded(&key.word), key.halves());
    for (query, status) in [
        (format!("key={word}"), 200),
        (format!("key={encoded}"), 200),
        (format!("k%65y={word}"), 200),
        (format!("key={word}&key={front}&x={back}&key={word}"), 200),
        (format!("key={word}x"), 401),
        (format!("key={front}&key={back}"), 401),
        (format!("KEY={word}&token={encoded}"), 401),
        (word.clone(), 401),
    ] {
        let request = Request::post(&format!("/v1/segment/web?{query}"), event.as_str());
        let request = request
            .header("X-Request-Id", &request_id.word)
            .header("Authorization", &format!("Bearer {word}"));
        shown.send(server, &request, status);
    }
    let bad = format!(r#"{{"userId":"{}"}}"#, body.word);
    shown.send(server, &Request::post(&format!("/v1/segment/web?key={word}"), bad), 400);
    shown.send(server, &Request::post(&format!("/v1/segment/web?key={word}"), "{"), 400);
    let unknown =
        Request::post(&format!("/v1/segment/web?key={encoded}"), "{}").header("Content-Encoding", "br");
    shown.send(server, &unknown, 415);
    shown.send(server, &Request::new("GET", &format!("/v1/segment/web?key={word}")), 405);
    shown.send(server, &Request::post(&format!("/v1/segment/{word}?key={encoded}"), "{}"), 404);
    shown.send(server, &Request::new("GET", &format!("/readyz?verbose&key={word}")), 200);
    let signed = Request::post(&format!("/v1/segment/signed?key={word}"), event);
    shown.send(server, &signed.header("X-Signature", "00"), 401);
}

/// Requests that no handler ever sees.
fn malformed(server: &Server<'_>, shown: &mut Shown, key: &Canary) {
    let target = format!("/v1/segment/web?key={}", key.word);
    for (head, status) in [
        (format!("POST {target} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400),
        (format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"), 400),
        (format!("POST http://a{target} HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        (format!("POST {target} {} HTTP/1.1\r\nHost: a\r\n\r\n", key.word), 400),
        (format!("POST {target}&x={} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(5_000)), 414),
        (format!("POST {target} HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(17_000)), 431),
        (format!("POST {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), 400),
        (format!("{target} {target} HTTP/1.1\r\n\r\n"), 400),
    ] {
        let mut connection = Connection::open(server.collect).unwrap();
        connection.write(head.as_bytes()).unwrap();
        shown.answer(&connection.read_answer("POST").unwrap().expect(status));
    }
}

#[test]
fn the_password_of_the_database_is_shown_nowhere() {
    let password = Canary::new("the password");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "postgres://ingest:{}@{}/events?sslmode=disable",
        password.word,
        listener.local_addr().unwrap()
    );
    let refused = thread::spawn(move || refuse_login(listener.accept().unwrap().0));
    let storage = format!("[storage]\nurl = \"{url}\"\n");
    let site =
        Site::new(&[storage, crate::server::web("")].concat()).with_variable("TIDEGATE_LOG", TALKATIVE);
    let server = site.start();
    server.post(crate::server::track("m")).expect(200);
    assert_eq!(refused.join().unwrap(), password.word, "the server logs in with it");
    until("the lane says that it cannot", || {
        let report = server.ask("/readyz?verbose").unwrap().text();
        report.contains("[-] lane-storage").then_some(())
    });

    let mut shown = Shown::default();
    shown.server(&server);
    for arguments in [&["check"][..], &["healthcheck"], &["users", "import", "none.csv"], &["serve"]] {
        let output = site.run(arguments);
        shown.add(arguments.join(" "), [output.stdout, output.stderr].concat());
    }
    for mistake in [
        url.replace("/events?sslmode=disable", "/events?secret=1"),
        url.replace("postgres", "mysql"),
        format!("{url}&%zz"),
    ] {
        site.write_settings(&format!("[storage]\nurl = \"{mistake}\"\n"));
        let output = site.run(&["check"]);
        shown.add(format!("check of {mistake}"), [output.stdout, output.stderr].concat());
    }
    shown.assert_hides(&[&password]);
}

/// Plays a PostgreSQL server that asks for the password and does not like it. Returns the password.
fn refuse_login(mut stream: TcpStream) -> String {
    read_message(&mut stream, 0);
    stream.write_all(b"R\0\0\0\x08\0\0\0\x03").unwrap();
    let password = read_message(&mut stream, 1);
    let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"ingest\"\0\0";
    let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
    stream.write_all(&[b"E", &length[..], fields].concat()).unwrap();
    String::from_utf8(password).unwrap().trim_end_matches('\0').to_owned()
}

/// The body of the client's next message; all but its first one begin with their type.
fn read_message(stream: &mut TcpStream, type_bytes: usize) -> Vec<u8> {
    let mut head = vec![0; type_bytes + 4];
    stream.read_exact(&mut head).unwrap();
    let length = u32::from_be_bytes(head[type_bytes..].try_into().unwrap());
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body).unwrap();
    body
}
