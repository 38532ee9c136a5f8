//! System calls that fail on purpose, of one thread or on some files: strace attaches to them, and lets them go again.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{
    rig::{run, until},
    volume::path_str,
};

/// The thread that alone writes to the spool.
const WRITER: &str = "spool-writer";

/// Calls under watch.
pub(crate) struct Injection {
    strace: Child,
    home: TempDir,
    what: String,
}

impl Injection {
    /// Attaches to the spool's writer and plays strace's `inject` expressions, such as `write:error=EIO:when=3`. Calls are
    /// counted from now on.
    pub(crate) async fn into_writer(process: u32, trace: &str, inject: &[&str]) -> Self {
        let thread = thread_named(process, WRITER).await.to_string();
        Self::begin(&["-p", &thread], trace, inject).await
    }

    /// Does the same to what the spool's writer does with this file, and leaves alone how it wakes those who wait.
    pub(crate) async fn into_writing(process: u32, file: &Path, trace: &str, inject: &[&str]) -> Self {
        let thread = thread_named(process, WRITER).await.to_string();
        Self::begin(&["-p", &thread, "-P", path_str(file)], trace, inject).await
    }

    /// Does the same to whatever the process does with these files.
    pub(crate) async fn into_files(process: u32, files: &[PathBuf], trace: &str, inject: &[&str]) -> Self {
        let process = process.to_string();
        let files = files.iter().flat_map(|file| ["-P", path_str(file)]);
        let target: Vec<_> = ["-f", "-p", &process].into_iter().chain(files).collect();
        Self::begin(&target, trace, inject).await
    }

    /// Returns when strace has attached.
    async fn begin(target: &[&str], trace: &str, inject: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new("strace");
        command.args(target).args(["-e", &format!("trace={trace}"), "-s", "0", "-o"]);
        command.arg(home.path().join("trace"));
        for expression in inject {
            command.args(["-e", &format!("inject={expression}")]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut strace = command.spawn().unwrap();
        let stderr = strace.stderr.take().unwrap();
        let (said, heard) = oneshot::channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stderr).lines();
            let _ = said.send(lines.next());
            // It tells of every thread that comes, and would die if nobody listened.
            lines.for_each(drop);
        });
        let first = heard.await.unwrap().unwrap().unwrap();
        assert!(first.contains("attached"), "strace does not attach: {first}");
        Self { strace, home, what: inject.join(", ") }
    }

    /// Calls that were made to fail, or to take longer, so far.
    pub(crate) fn fired(&self) -> usize {
        self.lines().filter(|line| line.contains("(INJECTED)") || line.contains("(DELAYED)")).count()
    }

    /// Waits until so many were.
    pub(crate) async fn fires(&self, times: usize) {
        until(&self.what, || async { self.fired() >= times }).await;
    }

    /// Calls of `write` so far that wrote less than they were given.
    pub(crate) fn short_writes(&self) -> usize {
        let is_short = |line: &String| {
            let Some((call, result)) = line.rsplit_once(" = ") else { return false };
            let asked = call
                .trim_end()
                .trim_end_matches(')')
                .rsplit(", ")
                .next()
                .and_then(|asked| asked.parse::<u64>().ok());
            let written = result.parse::<u64>().ok();
            call.starts_with("write(") && written.zip(asked).is_some_and(|(written, asked)| written < asked)
        };
        self.lines().filter(is_short).count()
    }

    /// Lets go of the process, if it is still there.
    pub(crate) fn end(&mut self) {
        if self.strace.try_wait().unwrap().is_none() {
            run("kill", &["-s", "INT", &self.strace.id().to_string()]);
            self.strace.wait().unwrap();
        }
    }

    fn lines(&self) -> impl Iterator<Item = String> + use<> {
        let text = fs::read_to_string(self.home.path().join("trace")).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

/// The kernel's number of a thread.
async fn thread_named(process: u32, name: &str) -> u32 {
    let tasks = PathBuf::from(format!("/proc/{process}/task"));
    let find = || {
        let mut tasks = fs::read_dir(&tasks).unwrap().map(|task| task.unwrap());
        let is_named = |task: &fs::DirEntry| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end().starts_with(name))
        };
        tasks.find(is_named)?.file_name().to_str()?.parse().ok()
    };
    until("a thread of that name", || async { find().is_some() }).await;
    find().unwrap()
}
