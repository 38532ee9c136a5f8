//! What the server is installed by: the unit of systemd, the Debian package's settings, and docker-compose.yml.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use saphyr::{LoadableYamlNode, Yaml};
use toml::Table;

use crate::server::Site;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn file(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What the unit says under a key.
fn unit(key: &str) -> Vec<String> {
    let text = file("deploy/systemd/tidegate.service");
    let lines = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.map(ToOwned::to_owned).collect()
}

#[test]
fn the_unit_is_hardened() {
    // Tenths: 2.0 of 10, where 10 is exposed to everything.
    let output = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=yes", "--threshold=20", "deploy/systemd/tidegate.service"])
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| {
            panic!("systemd-analyze cannot be run ({error}): run scripts/test, which installs it, or install systemd")
        });
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("Overall exposure level"), "{said}");
}

#[test]
fn the_unit_comes_back_but_not_with_settings_that_cannot_be_used() {
    assert_eq!(unit("Restart"), ["always"]);
    assert_eq!(unit("RestartPreventExitStatus"), ["2 78"]);
    let grace = file("tidegate.example.toml").parse::<Table>().unwrap()["shutdown"]["grace"]
        .as_str()
        .unwrap()
        .to_owned();
    let grace: u64 = grace.strip_suffix('s').unwrap().parse().unwrap();
    assert!(
        unit("TimeoutStopSec")[0].parse::<u64>().unwrap() > grace,
        "systemd would kill a stop that is in time"
    );
    let start = unit("ExecStart").remove(0);
    let arguments: Vec<&str> = start.split(' ').skip(1).collect();
    assert_eq!(arguments[..2], ["serve", "--config"], "{start}");
    assert_eq!(unit("StateDirectory"), ["tidegate"]);
    assert!(file("deploy/debian/tidegate.toml").contains("data_dir = \"/var/lib/tidegate\""));
}

/// Insists that the program takes these settings, which stand in the repository.
#[track_caller]
fn assert_settings(name: &str, settings: &str) {
    let site = Site::empty();
    site.write("tidegate.toml", settings);
    let checked = site.run(&["check"]);
    assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn the_settings_that_are_installed_can_be_used() {
    let secrets = tempfile::tempdir().unwrap();
    for name in ["web", "segment", "operator"] {
        fs::write(secrets.path().join(name), "0".repeat(64)).unwrap();
    }
    let here = secrets.path().to_str().unwrap();

    let package = file("deploy/debian/tidegate.toml");
    assert_settings("the Debian package's", &package);
    // What is offered in comments, with no space behind the sign, is right as well.
    let offered: Vec<&str> = package
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|rest| rest.starts_with(['[', 'u', 'n', 'k', 's'])).unwrap_or(line)
        })
        .collect();
    let offered = offered.join("\n").replace("/etc/tidegate/secrets", here);
    assert!(offered.contains("\n[[source]]") && offered.contains("\n[storage]"));
    assert_settings("the Debian package's with everything it offers", &offered);

    let container = file("deploy/tidegate.toml").replace("/secrets", here);
    assert_settings("the container's", &container);
}

#[test]
fn the_debian_package_is_of_this_version_and_has_its_files() {
    let manifest = file("Cargo.toml").parse::<Table>().unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    let newest = file("deploy/debian/changelog");
    assert!(
        newest.starts_with(&format!("tidegate ({}-", env!("CARGO_PKG_VERSION"))),
        "deploy/debian/changelog has no entry for this version: {newest}"
    );
    for asset in package["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        // What the build makes, and patterns, which have their directory at least.
        if !source.starts_with("target/") {
            let path = source.split_once("/*").map_or(source, |(directory, _)| directory);
            assert!(root().join(path).exists(), "{source} is not there");
        }
    }
    for settings in package["conf-files"].as_array().unwrap() {
        let kept = settings.as_str().unwrap().trim_start_matches('/');
        let installed =
            package["assets"].as_array().unwrap().iter().any(|asset| asset[1].as_str() == Some(kept));
        assert!(installed, "{kept} is to be kept, but not installed");
    }
}

#[test]
fn whatever_the_binary_embeds_is_shipped_with_its_licence() {
    let vendor = "src/http/page/assets/vendor";
    let licences = format!("{vendor}/*.LICENSE");
    assert!(file("Dockerfile").lines().any(|line| line.starts_with("COPY ") && line.contains(&licences)));
    let manifest = file("Cargo.toml").parse::<Table>().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    assert!(assets.iter().any(|asset| asset[0].as_str() == Some(&licences)));
    let (copyright, readme) = (file("deploy/debian/copyright"), file("README.md"));
    let embedded: BTreeSet<String> = fs::read_dir(root().join(vendor))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .map(|name| name.split('.').next().unwrap().to_owned())
        .collect();
    assert!(embedded.len() >= 2, "{embedded:?}");
    for library in embedded {
        assert!(file(&format!("{vendor}/{library}.LICENSE")).contains("Copyright (c)"), "{library}");
        assert!(copyright.contains(&format!("Files: {vendor}/{library}.*\n")), "{library}");
        assert!(readme.contains(&format!("{vendor}/{library}.LICENSE")), "{library}");
    }
}

#[test]
fn services_are_pinned_private_and_without_rights() {
    let compose = Yaml::load_from_str(&file("docker-compose.yml")).unwrap().remove(0);
    let services = compose["services"].as_mapping().unwrap();
    assert_eq!(services.len(), 5);
    for (name, service) in services {
        let name = name.as_str().unwrap();
        let image = service["image"].as_str().unwrap();
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: {image} is not pinned"));
        assert!(tag.starts_with(|c: char| c == 'v' || c.is_ascii_digit()), "{name}: {image} is not pinned");
        assert_eq!(service["read_only"].as_bool(), Some(true), "{name}");
        let options = service["security_opt"].as_sequence().unwrap();
        assert!(options.iter().any(|option| option.as_str() == Some("no-new-privileges:true")), "{name}");
        for port in service.as_mapping_get("ports").and_then(Yaml::as_sequence).into_iter().flatten() {
            assert!(
                port.as_str().unwrap().starts_with("127.0.0.1:"),
                "{name}: {port:?} is open to everybody"
            );
        }
        for volume in service["volumes"].as_sequence().unwrap() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            assert!(
                !source.starts_with("./") || root().join(source).exists(),
                "{name}: {source} is not there"
            );
        }
        // The one that ends once it has made the secrets has no health.
        if name != "secrets" {
            let asks = service["healthcheck"]["test"].as_sequence().unwrap();
            assert_eq!(asks[0].as_str(), Some("CMD"), "{name}: there may be no shell");
        }
    }
}
