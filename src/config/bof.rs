//! What a source of kind `bof` may say: where fields stand, and the consumer settings in MediaMath's own words.

use std::sync::Arc;

use super::section::Section;
use crate::sources::{
    Kind,
    bof::{
        OverloadStatus, Privacy, Required, Settings, SuccessStatus,
        aliases::{Alias, Aliases},
        consumer::{ChannelType, Consumer, Filters, Sampling},
    },
};

pub(super) fn read(section: &Section<'_, '_>) -> Kind {
    let privacy = section.word("privacy", &[("truncate", Privacy::Truncate), ("keep", Privacy::Keep)]);
    Kind::Bof(Arc::new(Settings {
        aliases: aliases(section.section("aliases")),
        required: required(section),
        consumer: consumer(section.section_in_any_case("consumer")),
        privacy: privacy.unwrap_or_default(),
        success: status(section, "success_status", SuccessStatus::ALL, SuccessStatus::code),
        overload: status(section, "overload_status", OverloadStatus::ALL, OverloadStatus::code),
    }))
}

fn aliases(section: Section<'_, '_>) -> Aliases {
    let mut aliases = Aliases::default();
    for (key, places) in [
        ("auction_id", &mut aliases.auction_id),
        ("user", &mut aliases.user),
        ("exchange", &mut aliases.exchange),
        ("channel_type", &mut aliases.channel_type),
        ("geo", &mut aliases.geo),
        ("deals", &mut aliases.deals),
        ("exchange_user", &mut aliases.exchange_user),
        ("time", &mut aliases.time),
    ] {
        if let Some(sent) = section.parsed_texts(key, place) {
            *places = sent;
        }
    }
    if let Some(places) = section.parsed_texts("body", name) {
        aliases.body = places;
    }
    section.finish();
    aliases
}

fn place(text: &str) -> Result<Alias, String> {
    Alias::parse(text).ok_or_else(|| "must be names in a record, or in its body as body.user.id".into())
}

/// The bid request cannot stand in itself.
fn name(text: &str) -> Result<Alias, String> {
    Alias::parse(text).filter(|_| !text.contains('.')).ok_or_else(|| "must be names in a record".into())
}

fn required(section: &Section<'_, '_>) -> Required {
    let Some(words) = section.texts("required") else { return Required::default() };
    let known = ["auction_id", "channel_type"];
    if words.iter().any(|word| !known.contains(&word.as_str())) {
        section.mistake("required", format!("must be some of {}", known.join(", ")));
    }
    let [auction_id, channel_type] = known.map(|word| words.iter().any(|sent| sent == word));
    Required { auction_id, channel_type }
}

fn consumer(section: Section<'_, '_>) -> Consumer {
    let consumer = Consumer {
        filters: filters(section.section("Filters")),
        sampling: sampling(section.section("SampleSettings")),
        drop_zero_uid: section.boolean("DropZeroUID").unwrap_or_default(),
        drop_exchange_uid: section.boolean("DropExchangeUID").unwrap_or_default(),
        drop_body: section.boolean("DropBody").unwrap_or_default(),
    };
    section.finish();
    consumer
}

fn filters(section: Section<'_, '_>) -> Filters {
    const CHANNEL_TYPE: &str = "X-Mm-Channel-Type";
    let channel_types = values(&section, CHANNEL_TYPE).map(|names: Vec<String>| {
        let known: Vec<_> = names.iter().filter_map(|name| ChannelType::parse(name)).collect();
        if known.len() < names.len() {
            section.mistake(CHANNEL_TYPE, format!("must be some of {}", ChannelType::NAMES.join(", ")));
        }
        known
    });
    let filters = Filters {
        channel_types,
        exchange_ids: values(&section, "X-Mm-Exch-Id"),
        geo_ids: values(&section, "X-Mm-Geo"),
        deal_ids: values(&section, "X-Mm-Deal-Id"),
    };
    section.finish();
    filters
}

/// The values of a filter. None at all would let nothing pass, which nobody means.
fn values<T: FromIterator<String>>(section: &Section<'_, '_>, key: &'static str) -> Option<T> {
    let values = section.ids(key)?;
    if values.is_empty() {
        section.mistake(key, "names no value; leave it out to let everything pass");
    }
    Some(values.into_iter().collect())
}

fn sampling(section: Section<'_, '_>) -> Sampling {
    let rate =
        |rate| Sampling::percent(rate).ok_or_else(|| "must be 0 to 100, with at most four decimals".into());
    let sampling = section.decimal("SampleRate", rate).unwrap_or_default();
    let is_disabled = section.boolean("Disabled").unwrap_or_default();
    section.finish();
    if is_disabled { Sampling::ALL } else { sampling }
}

fn status<T: Copy + Default>(
    section: &Section<'_, '_>,
    key: &'static str,
    known: &[T],
    code: fn(T) -> u16,
) -> T {
    let Some(sent) = section.integer(key, 100..=599) else { return T::default() };
    known.iter().copied().find(|status| u64::from(code(*status)) == sent).unwrap_or_else(|| {
        let codes: Vec<_> = known.iter().map(|status| code(*status).to_string()).collect();
        section.mistake(key, format!("must be one of {}", codes.join(", ")));
        T::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{config::parse, sources::Source};

    fn loaded(text: &str) -> Result<Source, Vec<String>> {
        let text = format!("[[source]]\nname = \"mm\"\nkind = \"bof\"\n{text}");
        let mut config = parse("t.toml", &text, &BTreeMap::new(), 0)
            .map_err(|mistakes| mistakes.0.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        Ok(config.sources.remove(0))
    }

    fn settings(text: &str) -> Settings {
        match loaded(text).unwrap().kind {
            Kind::Bof(settings) => (*settings).clone(),
            other @ Kind::Segment(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        assert_eq!(settings(""), Settings::default());
    }

    #[test]
    fn everything_can_be_said() {
        let source = loaded(
            "required = [\"auction_id\"]\nprivacy = \"keep\"\nsuccess_status = 204\noverload_status = 429\nlimits = { body = 1, decoded = \"2KiB\", record = 3, expansion_ratio = 4, lzop_block = \"5KiB\", depth = 6, events_per_second = 7 }\naliases = { user = [\"u\", \"body.user.ext.u\"], body = [] }",
        )
        .unwrap();
        let limits = source.limits;
        assert_eq!((limits.body_bytes, limits.decoded_bytes, limits.record_bytes), (1, 2048, 3));
        assert_eq!((limits.expansion_ratio, limits.lzop_block_bytes, limits.depth), (4, 5120, 6));
        assert_eq!(limits.events_per_second, Some(7));
        let Kind::Bof(settings) = source.kind else { panic!("{:?}", source.kind) };
        assert_eq!(settings.required, Required { auction_id: true, channel_type: false });
        assert_eq!((settings.success.code(), settings.overload.code()), (204, 429));
        assert_eq!(settings.privacy, Privacy::Keep);
        let user = ["u", "body.user.ext.u"].map(|text| Alias::parse(text).unwrap()).to_vec();
        assert_eq!(settings.aliases, Aliases { user, body: Vec::new(), ..Aliases::default() });
    }

    #[test]
    fn the_consumer_is_read_in_any_case() {
        let written = settings(
            "[source.consumer]\nDropZeroUID = true\nFilters = { \"X-Mm-Geo\" = [\"60231\"], \"X-Mm-Channel-Type\" = [\"DISPLAY\"] }\nSampleSettings = { Disabled = false, SampleRate = 12.5 }",
        );
        let otherwise = settings(
            "[source.consumer]\ndropzerouid = true\nFILTERS = { \"x-mm-geo\" = [60231], \"X-MM-CHANNEL-TYPE\" = [\"display\"] }\nsampleSettings = { samplerate = \"12.5\" }",
        );
        assert_eq!(written, otherwise);
        assert_eq!(written.consumer.sampling, Sampling::percent(12.5).unwrap());
        assert_eq!(written.consumer.filters.geo_ids, Some(["60231".to_owned()].into()));
        let disabled = settings("[source.consumer.SampleSettings]\nDisabled = true\nSampleRate = 1");
        assert_eq!(disabled.consumer.sampling, Sampling::ALL);
    }

    #[test]
    fn mistakes_are_told() {
        for (text, part) in [
            ("privacy = \"none\"", "must be one of truncate, keep"),
            ("required = [\"user\"]", "must be some of auction_id, channel_type"),
            ("success_status = 201", "must be one of 200, 202, 204"),
            ("overload_status = 500", "must be one of 503, 429"),
            ("limits = { batch = 1 }", "unknown key"),
            ("signing_secret = { value = \"x\" }", "unknown key"),
            ("Privacy = \"keep\"", "unknown key"),
            ("aliases = { user = [\"a.b\"] }", "must be names in a record, or"),
            ("aliases = { body = [\"body.x\"] }", "must be names in a record"),
            ("[source.consumer]\nDropUID = true", "unknown key"),
            ("[source.consumer]\nDropBody = true\ndropbody = false", "stands here twice"),
            (
                "[source.consumer.Filters]\n\"X-Mm-Channel-Type\" = [\"RADIO\"]",
                "must be some of DISPLAY, VIDEO,",
            ),
            ("[source.consumer.Filters]\n\"X-Mm-Channel-Type\" = []", "names no value"),
            ("[source.consumer.Filters]\n\"X-Mm-Geo\" = []", "names no value"),
            ("[source.consumer.Filters]\n\"X-Mm-Geo\" = [1.5]", "strings or whole numbers"),
            ("[source.consumer.SampleSettings]\nSampleRate = 101", "must be 0 to 100"),
            ("[source.consumer.SampleSettings]\nSampleRate = 0.00001", "must be 0 to 100"),
            ("[source.consumer.SampleSettings]\nSampleRate = true", "must be a number"),
        ] {
            let mistakes = loaded(text).unwrap_err();
            assert!(mistakes.len() == 1 && mistakes[0].contains(part), "{text}: {mistakes:?}");
        }
    }
}
