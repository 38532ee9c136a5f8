//! The network to PostgreSQL.

use std::time::Duration;

use tokio::time::sleep;

use super::Context;
use crate::{
    proxy::{Moment, Network, Proxy},
    report::Finding,
    rig::{Rig, until},
};

/// What the collector logs when its lane begins to wait for the sink.
const WAITS: &str = "lane backs off";

async fn beside_proxy(name: &'static str, context: &Context) -> (Rig, Proxy) {
    let mut rig = Rig::postgres(name, context).await;
    let proxy = Proxy::start(context.server().port()).await;
    let url = proxy.url(&rig.trial.storage.url().unwrap());
    rig.collector.move_storage(Some(url));
    rig.start().await;
    rig.answers(200).await;
    // The lane is at work: what follows is not about how it connects.
    rig.delivers().await;
    (rig, proxy)
}

/// Nobody may be turned away because of the sink, and what was taken meanwhile is delivered afterwards.
async fn play(rig: &Rig, proxy: &Proxy, network: Network, hits: usize) {
    let due = proxy.hits() + hits;
    proxy.set(network);
    until("the network's fault", || async { proxy.hits() >= due }).await;
    rig.answers(200).await;
}

async fn end(rig: Rig, proxy: Proxy, note: &str) -> Finding {
    proxy.set(Network::Well);
    rig.answers(100).await;
    assert_eq!(rig.trial.oracle.turned_away_count(), 0, "senders were turned away");
    let hits = proxy.hits();
    // The relay goes on until the last event is stored.
    let finding = rig.judge(hits, note).await;
    drop(proxy);
    finding
}

pub(super) async fn down(name: &'static str, context: &Context) -> Finding {
    let (rig, proxy) = beside_proxy(name, context).await;
    for _ in 0..context.rounds(2, 10) {
        play(&rig, &proxy, Network::Down, 4).await;
        proxy.set(Network::Well);
        rig.answers(200).await;
    }
    end(rig, proxy, "nobody turned away").await
}

pub(super) async fn slow(name: &'static str, context: &Context) -> Finding {
    let (rig, proxy) = beside_proxy(name, context).await;
    play(&rig, &proxy, Network::Slow, context.rounds(200, 2_000)).await;
    end(rig, proxy, "2 KiB at a time; nobody turned away").await
}

pub(super) async fn silent(name: &'static str, context: &Context) -> Finding {
    let (rig, proxy) = beside_proxy(name, context).await;
    for _ in 0..context.rounds(2, 5) {
        play(&rig, &proxy, Network::Silent, 1).await;
        // Nothing waits for anything by this: the length of the silence is what is being tried.
        sleep(Duration::from_secs(1)).await;
        proxy.set(Network::Well);
        rig.answers(200).await;
    }
    end(rig, proxy, "nobody turned away").await
}

/// The lane gives such a connection up by itself.
pub(super) async fn half_open(name: &'static str, context: &Context) -> Finding {
    let (rig, proxy) = beside_proxy(name, context).await;
    let waits = rig.collector.log_count(WAITS);
    play(&rig, &proxy, Network::HalfOpen, 1).await;
    // Not sooner: the connection that noticed first may have been another one than the lane's.
    rig.logs(WAITS, waits).await;
    end(rig, proxy, "given up and made anew; nobody turned away").await
}

async fn cut(name: &'static str, context: &Context, moment: Moment) -> Finding {
    let (rig, proxy) = beside_proxy(name, context).await;
    play(&rig, &proxy, Network::Cut(moment), context.rounds(5, 40)).await;
    end(rig, proxy, "every third transaction").await
}

pub(super) async fn before_commit(name: &'static str, context: &Context) -> Finding {
    cut(name, context, Moment::Before).await
}

pub(super) async fn inside_commit(name: &'static str, context: &Context) -> Finding {
    cut(name, context, Moment::Inside).await
}

pub(super) async fn after_commit(name: &'static str, context: &Context) -> Finding {
    cut(name, context, Moment::After).await
}
