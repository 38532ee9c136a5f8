//! A real Prometheus scrapes a real server under the rules, and every panel of the dashboard has something to show.

use std::{
    fs::File,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::{alerts::alerts, dashboard, deployed, promtool, root};
use crate::{
    client::Request,
    server::{Site, free_address, track, until, web},
};

/// What has nothing to show on a server that is well and was not restarted.
const EMPTY: [&str; 3] = ["Failed writes by class", "Alerts", "Starts"];

/// What the machine decides, and whatever else runs on it.
const OF_THE_MACHINE: [&str; 2] = ["TidegateDiskFilling", "TidegateSlowDisk"];

/// A running Prometheus; ended when dropped.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// With the settings of `deploy`, but for the server's address and a scrape each second.
    fn watching(site: &Site, operate: SocketAddr) -> Self {
        let rules = root().join("deploy/prometheus/alerts.yml");
        let settings = deployed("prometheus/prometheus.yml")
            .replace("tidegate:8081", &operate.to_string())
            .replace("_interval: 15s", "_interval: 1s")
            .replace("_timeout: 10s", "_timeout: 1s")
            .replace("- alerts.yml", &format!("- {}", rules.display()));
        let settings = site.write("prometheus.yml", &settings);
        let address = free_address();
        let spawned = Command::new("prometheus")
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.tsdb.path={}", site.path("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(File::create(site.path("prometheus.log")).unwrap())
            .spawn();
        let child = spawned.unwrap_or_else(|error| {
            panic!(
                "prometheus cannot be run ({error}): run scripts/test, which installs it, or install Debian's"
            )
        });
        let prometheus = Self { child, address };
        until("prometheus is ready", || {
            let answer = Request::new("GET", "/-/ready").send(prometheus.address).ok()?;
            (answer.status == 200).then_some(())
        });
        prometheus
    }

    /// How many series an expression has at this moment.
    #[track_caller]
    fn series(&self, expression: &str) -> usize {
        let server = format!("http://{}", self.address);
        let answer = promtool(&["query", "instant", "--format=json", &server, expression]);
        let result: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        result.as_array().unwrap_or_else(|| panic!("{answer}")).len()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_panel_has_something_to_show_and_a_server_that_is_well_alerts_nobody() {
    let site = Site::new(&web(""));
    let server = site.start();
    let prometheus = Prometheus::watching(&site, server.operate);
    // Rates are told from two scrapes, so that whatever happens here happens after the first one.
    until("a scrape", || (prometheus.series("up{job=\"tidegate\"} == 1") == 1).then_some(()));
    for index in 0..30 {
        server.post(track(&format!("m{index}"))).expect(200);
    }
    server.post(r#"{"userId":"u"}"#).expect(400);
    server.send(&Request::post("/v1/segment/web?key=wrong", track("m"))).expect(401);

    for (title, expression) in dashboard::expressions(&dashboard::dashboard()) {
        if !EMPTY.contains(&title.as_str()) {
            until(&format!("{title} has something to show: {expression}"), || {
                (prometheus.series(&expression) > 0).then_some(())
            });
        }
    }
    for alert in alerts().iter().filter(|alert| !OF_THE_MACHINE.contains(&alert.name.as_str())) {
        assert_eq!(prometheus.series(&alert.expression), 0, "{}: {}", alert.name, alert.expression);
    }
}
