//! An event, and what each rule says about it. Nothing is stored, and no metric moves.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    ingest::{
        accept::Ingest,
        explain::{self, Sample},
        judging::{Fate, Judged},
        registry::Registry,
    },
    sources::{
        rule::{self, Rule},
        witness::{Transcript, Verdict},
    },
    store::events::StoredEvent,
};

/// What would become of a body.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// Name of the source.
    pub source: String,
    /// Its kind.
    pub kind: &'static str,
    /// What would become of each element; of a body that cannot be taken apart there is one.
    pub results: Vec<ExplainedElement>,
}

/// What would become of an element.
#[derive(Debug, Serialize)]
pub struct ExplainedElement {
    /// Its place in the body.
    pub element: usize,
    /// `committed`, `ignored`, `refused`, `filtered` or `sampled_out`.
    pub outcome: &'static str,
    /// The rule by which it is no event.
    pub rule: Option<&'static str>,
    /// Where it broke the rule, as a JSON pointer.
    pub pointer: Option<String>,
    /// The rule in words.
    pub message: Option<&'static str>,
    /// The event, if it is one. Its id is nil: only what is received has one.
    pub event: Option<StoredEvent>,
    /// All rules of this kind of source, in the order in which they are checked.
    pub checks: Vec<ExplainedCheck>,
}

/// What became of a rule.
#[derive(Debug, Serialize)]
pub struct ExplainedCheck {
    /// The rule.
    pub rule: &'static str,
    /// The same in words.
    pub message: &'static str,
    /// `passed`, `broken`, `not_reached` or `off`.
    pub verdict: &'static str,
    /// Where it was broken.
    pub pointer: Option<String>,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No source has this name.
    #[error("no source has this name")]
    SourceUnknown,
    /// The body cannot be judged.
    #[error(transparent)]
    Sample(#[from] explain::ExplainError),
}

/// Explains what would become of a body that a source gets now.
pub async fn explain(
    ingest: &Arc<Ingest>,
    registry: &Registry,
    source: &str,
    sample: Sample,
) -> Result<Explanation, ExplainError> {
    let doors = registry.doors();
    let door = doors.named(source).map(Arc::clone).ok_or(ExplainError::SourceUnknown)?;
    let ingest = Arc::clone(ingest);
    let explaining = move || {
        let judged = ingest.explain(&door, &sample)?;
        let rules = door.source.kind.rules();
        Ok(Explanation {
            source: door.source.name.as_str().to_owned(),
            kind: door.source.kind.name(),
            results: judged.into_iter().enumerate().map(|judged| explained(rules, judged)).collect(),
        })
    };
    match tokio::task::spawn_blocking(explaining).await {
        Ok(explanation) => explanation,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn explained(rules: &[Rule], (element, judged): (usize, Judged<Transcript>)) -> ExplainedElement {
    let (outcome, breach, event) = match judged.fate {
        Fate::Event(event) => ("committed", None, Some(StoredEvent::from(event.as_ref()))),
        Fate::Ignored(breach) => ("ignored", Some(breach), None),
        Fate::Refused(breach) => ("refused", Some(breach), None),
        Fate::Filtered(rule) => ("filtered", Some(rule.at("")), None),
        Fate::SampledOut => ("sampled_out", Some(rule::SAMPLING.at("")), None),
    };
    let rule = breach.as_ref().map(|breach| breach.rule);
    let pointer = breach.map(|breach| breach.pointer);
    let check = |(checked, verdict): (Rule, Verdict)| ExplainedCheck {
        rule: checked.id,
        message: checked.message,
        verdict: verdict.as_str(),
        pointer: pointer.clone().filter(|_| verdict == Verdict::Broken),
    };
    ExplainedElement {
        element,
        outcome,
        rule: rule.map(|rule| rule.id),
        message: rule.map(|rule| rule.message),
        checks: judged.witness.verdicts(rules, rule).into_iter().map(check).collect(),
        pointer,
        event,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        database::{Database, DatabaseUrl},
        disk::simulated::SimDisk,
        ingest::refusal_share::RefusalShare,
        sources::{
            Kind, Limits, Priority, Source, SourceName,
            bof::{self, metadata::Metadata},
            key::KeyRing,
            segment::{self, Preset, Users},
        },
        spool::{self, Spool},
        store::users::UsersDirectory,
    };

    fn source(name: &str, kind: Kind) -> Source {
        Source {
            name: SourceName::new(name).unwrap(),
            enabled: false,
            paths: Vec::new(),
            keys: KeyRing::default(),
            signing_secret: None,
            allowed_networks: Vec::new(),
            priority: Priority::Normal,
            limits: Limits::default(),
            kind,
        }
    }

    async fn explained(source: &str, headers: &[(&str, &[u8])], body: &str) -> serde_json::Value {
        let settings = spool::Settings { directory: "/spool".into(), ..Default::default() };
        let (spool, _) = Spool::open(Arc::new(SimDisk::new(1)), settings).unwrap();
        let users = Arc::new(UsersDirectory::new(Database::new(&DatabaseUrl::sqlite("/nowhere/events.db"))));
        let ingest = Arc::new(Ingest::new(spool.clone(), users, RefusalShare::new(0)).unwrap());
        let mut webhooks = segment::Settings::preset(Preset::Edx);
        webhooks.users = Users::Integer;
        webhooks.allowed_channels = None;
        webhooks.allowed_actions = None;
        let mut opportunities = bof::Settings::default();
        opportunities.consumer.filters.geo_ids = Some(["60231".to_owned()].into());
        let sources = vec![
            self::source("web", Kind::Segment(Arc::new(webhooks))),
            self::source("mm", Kind::Bof(Arc::new(opportunities))),
        ];
        let registry = Registry::new(sources, "v1".into());
        let sample = Sample {
            host: "h".into(),
            content_encoding: None,
            metadata: Metadata::new(headers.iter().copied()),
            received_at: 0,
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let explanation = explain(&ingest, &registry, source, sample).await;
        assert_eq!(spool.end(), 0, "nothing is stored");
        match explanation {
            Ok(explanation) => serde_json::to_value(explanation).unwrap(),
            Err(error) => serde_json::Value::from(error.to_string()),
        }
    }

    fn verdict<'v>(result: &'v serde_json::Value, rule: &str) -> &'v serde_json::Value {
        let checks = result["checks"].as_array().unwrap();
        &checks.iter().find(|check| check["rule"] == rule).unwrap()["verdict"]
    }

    #[tokio::test]
    async fn each_rule_has_its_verdict_and_the_broken_one_its_place() {
        let body = r#"[{"userId":7,"timestamp":"x"},{"anonymousId":"a"}]"#;
        let explanation = explained("web", &[], body).await;
        assert_eq!((&explanation["source"], &explanation["kind"]), (&"web".into(), &"segment".into()));
        let [first, second] = explanation["results"].as_array().unwrap().as_slice() else {
            panic!("{explanation}")
        };
        assert_eq!(
            (&first["outcome"], &first["rule"], &first["event"]),
            (&"refused".into(), &"timestamp.invalid".into(), &serde_json::Value::Null)
        );
        assert_eq!(first["pointer"], "/timestamp");
        assert_eq!(verdict(first, "body.malformed"), "passed");
        assert_eq!(verdict(first, "channel.ignored"), "off");
        assert_eq!(verdict(first, "user.not_integer"), "passed");
        assert_eq!(verdict(first, "user.unknown"), "off");
        assert_eq!(verdict(first, "timestamp.invalid"), "broken");
        assert_eq!(verdict(first, "received_at.missing"), "not_reached");
        assert_eq!((&second["element"], &second["rule"]), (&1.into(), &"user.missing".into()));
        let order: Vec<_> =
            first["checks"].as_array().unwrap().iter().map(|check| check["rule"].as_str().unwrap()).collect();
        assert_eq!(order, segment::RULES.iter().map(|rule| rule.id).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn filters_say_which_of_them_and_headers_stand_in() {
        let record = r#"{"AuctionId":1,"ChannelType":"VIDEO","Body":{"imp":[]}}"#;
        let filtered = &explained("mm", &[("X-Mm-Geo", b"1")], record).await["results"][0];
        assert_eq!((&filtered["outcome"], &filtered["rule"]), (&"filtered".into(), &"filter.geo".into()));
        assert_eq!(verdict(filtered, "channel_type.missing"), "passed");
        let committed = &explained("mm", &[("X-Mm-Geo", b"60231")], record).await["results"][0];
        assert_eq!(
            (&committed["outcome"], &committed["rule"]),
            (&"committed".into(), &serde_json::Value::Null)
        );
        assert_eq!(
            (&committed["event"]["context"]["geo_id"], verdict(committed, "filter.geo")),
            (&"60231".into(), &"passed".into())
        );
    }

    #[tokio::test]
    async fn what_cannot_be_explained_says_why() {
        assert_eq!(explained("nobody", &[], "{}").await, "no source has this name");
        assert_eq!(
            explained("mm", &[], &"{}".repeat(1001)).await,
            "over the number of elements that are judged at once"
        );
    }
}
