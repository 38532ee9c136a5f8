//! More sockets than the process may have open.

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::Request,
    server::{KEY, Server, Site, free_address, track, until, web},
    stage::{connect, keep},
};

/// Handles of the process, and sockets that want one.
const HANDLES: usize = 160;
const SOCKETS: usize = 400;

const SETTINGS: &str =
    "[collect]\nfirst_byte_timeout = \"1s\"\nhead_timeout = \"1s\"\n[spool]\nfile_bytes = 4096\n";

/// A server whose shell lets it open few files.
fn start(site: &Site) -> Server<'_> {
    let output = |name| File::options().create(true).append(true).open(site.path(name)).unwrap();
    let (collect, operate) = (free_address(), free_address());
    let limited = format!("ulimit -n {HANDLES} && exec \"$0\" serve");
    let child = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_tidegate")])
        .current_dir(site.path(""))
        .env_clear()
        .env("TIDEGATE_COLLECT__LISTEN", collect.to_string())
        .env("TIDEGATE_OPERATE__LISTEN", operate.to_string())
        .stdin(Stdio::null())
        .stdout(output("out"))
        .stderr(output("log"))
        .spawn()
        .unwrap();
    let server = Server { site, child, collect, operate };
    until("the server is ready", || server.ask("/readyz").ok().filter(|answer| answer.status == 200));
    server
}

/// Silent sockets and idle ones, of which the server has fewer handles than there are: who has a connection is served
/// as ever, also while the spool makes new files; who comes anew is served after those before; the operator sees all.
#[test]
fn more_sockets_than_handles_cost_no_sender_an_event() {
    let site = Site::new(&(SETTINGS.to_owned() + &web("")));
    let server = start(&site);
    let mut sender = keep(server.collect);
    let post = |id: &str| Request::post(&format!("/v1/segment/web?key={KEY}"), track(id));
    sender.send(&post("first")).unwrap().expect(200);

    let address = server.collect;
    let crowd = thread::spawn(move || {
        let open = |idle: bool| {
            let mut stream = connect(address).unwrap();
            if idle {
                stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            }
            stream
        };
        (0..SOCKETS).map(|number| open(number % 2 == 0)).collect::<Vec<TcpStream>>()
    });
    let end = Instant::now() + Duration::from_secs(3);
    let mut sent = 1;
    while Instant::now() < end || !crowd.is_finished() {
        sender.send(&post(&format!("held-{sent}"))).unwrap().expect(200);
        sent += 1;
    }
    let mut crowd = crowd.join().unwrap();
    assert!(server.metrics().0.contains("tidegate_"));
    // A newcomer waits for its turn, and has it.
    keep(address).send(&post("newcomer")).unwrap().expect(200);
    sent += 1;
    crowd.retain_mut(|stream| {
        stream.set_nonblocking(true).unwrap();
        !matches!(stream.read(&mut [0; 4096]), Ok(0))
    });
    assert!(crowd.len() < SOCKETS, "the silent ones are closed");
    drop(crowd);
    site.wait_until_stored("events", sent);
    server.stop();
    assert!(
        !site
            .path("data/spool")
            .read_dir()
            .unwrap()
            .any(|file| { file.unwrap().file_name().to_string_lossy().ends_with(".corrupt") })
    );
}
