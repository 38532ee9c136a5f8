//! A file system of its own, on an image that is mounted: it can be cut off, filled up and broken.
//!
//! **How a power cut is played.** What a process has written and not synced lies in the kernel's page cache of this file
//! system, and not in the image. A copy of the image, taken while the process stands still and nothing is being written
//! back, therefore holds what a disk would hold after the power went. Mounted, it goes through the journal's recovery as
//! after a cut. What this cannot show is a disk that forgets what it was told to flush.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::rig::run;

/// Nothing is written back by itself while a test runs, and a rename flushes nothing that was not synced.
const OPTIONS: &str = "loop,commit=600,noauto_da_alloc";

/// Where ext4's superblock keeps the features that a reader must know, and the one that says "needs recovery".
const FEATURES_AT: u64 = 1024 + 0x60;
const NEEDS_RECOVERY: u32 = 0x4;

/// An ext4 on a loop device.
pub(crate) struct Volume {
    home: TempDir,
}

impl Volume {
    /// Makes and mounts one; `None` if that is not to be had here.
    pub(crate) fn try_new(mebibytes: u64) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let volume = Self { home };
        fs::create_dir(volume.path()).unwrap();
        File::create(volume.image()).unwrap().set_len(mebibytes << 20).unwrap();
        let mut format = Command::new("mkfs.ext4");
        // No blocks kept back for root, who would otherwise never find the disk full.
        format.args(["-q", "-F", "-m", "0"]).arg(volume.image());
        let formatted = format.output().is_ok_and(|output| output.status.success());
        let mut mount = Command::new("mount");
        mount.args(["-o", OPTIONS]).args([volume.image(), volume.path()]);
        (formatted && mount.output().is_ok_and(|output| output.status.success())).then_some(volume)
    }

    pub(crate) fn new(mebibytes: u64) -> Self {
        Self::try_new(mebibytes).expect("a file system on a loop device")
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.home.path().join("mount")
    }

    fn image(&self) -> PathBuf {
        self.home.path().join("image")
    }

    /// What a disk would hold if the power went now. Whoever writes to it must stand still.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let copy = self.home.path().join("cut");
        for _ in 0..20 {
            run("cp", &["--sparse=always", path_str(&self.image()), path_str(&copy)]);
            // If the image has not moved on meanwhile, the copy is of one moment.
            if is_same(&self.image(), &copy) {
                return Snapshot { needs_recovery: needs_recovery(&copy) };
            }
        }
        panic!("the image does not stand still");
    }

    /// Goes on with what was there at the last snapshot. Nobody may use the file system.
    pub(crate) fn fall_back(&self) {
        run("umount", &[path_str(&self.path())]);
        fs::rename(self.home.path().join("cut"), self.image()).unwrap();
        self.mount();
    }

    /// Turns it read-only at once and for all who have it open, as ext4 does when its disk fails.
    pub(crate) fn break_down(&self) {
        run("mount", &["-o", "remount,abort", path_str(&self.path())]);
    }

    /// Whether a file can be made.
    pub(crate) fn is_writable(&self) -> bool {
        let probe = self.path().join("probe");
        let made = File::create(&probe).is_ok();
        if made {
            fs::remove_file(probe).unwrap();
        }
        made
    }

    /// Mends it, as a person would.
    pub(crate) fn repair(&self) {
        run("umount", &[path_str(&self.path())]);
        // 1 says that something was mended.
        let checked = Command::new("e2fsck").args(["-f", "-p"]).arg(self.image()).output().unwrap();
        assert!(matches!(checked.status.code(), Some(0 | 1)), "e2fsck: {checked:?}");
        self.mount();
    }

    fn mount(&self) {
        run("mount", &["-o", OPTIONS, path_str(&self.image()), path_str(&self.path())]);
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Also where a test has left somebody in it.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
    }
}

/// What a snapshot says of itself.
pub(crate) struct Snapshot {
    /// The file system was in use, so that mounting the copy is a recovery.
    pub(crate) needs_recovery: bool,
}

/// Takes all space that is left on a file system but so many bytes; dropped, it gives the space back.
pub(crate) struct Ballast(PathBuf);

impl Ballast {
    pub(crate) fn new(directory: &Path, left_bytes: u64) -> Self {
        let ballast = Self(directory.join("ballast"));
        // Others write at the same time: what was free a moment ago may not be.
        let takes = |_| {
            let length = free_bytes(directory).saturating_sub(left_bytes).to_string();
            let taking = Command::new("fallocate").args(["-l", &length, path_str(&ballast.0)]).output();
            taking.unwrap().status.success()
        };
        assert!((0..100).any(takes), "no ballast");
        ballast
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn free_bytes(directory: &Path) -> u64 {
    let statistics = rustix::fs::statvfs(directory).unwrap();
    statistics.f_bavail * statistics.f_frsize
}

fn needs_recovery(image: &Path) -> bool {
    let mut features = [0; 4];
    File::open(image).unwrap().read_exact_at(&mut features, FEATURES_AT).unwrap();
    u32::from_le_bytes(features) & NEEDS_RECOVERY != 0
}

fn is_same(one: &Path, other: &Path) -> bool {
    let (mut one, mut other) = (File::open(one).unwrap(), File::open(other).unwrap());
    let (mut of_one, mut of_other) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let (read, also) = (one.read(&mut of_one).unwrap(), other.read(&mut of_other).unwrap());
        if (read, &of_one[..read]) != (also, &of_other[..also]) {
            return false;
        }
        if read == 0 {
            return true;
        }
    }
}

pub(crate) fn path_str(path: &Path) -> &str {
    path.to_str().unwrap()
}
