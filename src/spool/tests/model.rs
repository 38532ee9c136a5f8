//! Random histories with crashes, compared with what was promised.
//!
//! The model knows what was acknowledged under which id and sequence, and which payloads were ever tried. Payloads are
//! unique, so that a record that turns up in the wrong place, twice, or changed is noticed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::*;
use crate::disk::simulated::{Failure, Operation};

#[derive(Clone, Debug)]
enum Action {
    /// Deliveries at once, each with records of these sizes.
    Append(Vec<Vec<u16>>),
    /// The same, and the power goes out while they are written.
    AppendAndCrash(Vec<Vec<u16>>),
    /// The lane stores so many more records, and releases them.
    Drain(usize),
    /// The power goes out.
    Crash,
    /// The process is killed.
    Kill,
    /// The process stops and starts.
    Restart,
    /// The disk has this much to spare, or no limit.
    Spare(Option<u64>),
    /// The nth call of an operation fails.
    Fail(Operation, u64, Failure),
    RenewId,
}

fn action() -> impl Strategy<Value = Action> {
    let deliveries = || vec(vec(0_u16..300, 0..5), 1..5);
    let operation = proptest::sample::select(vec![
        Operation::Append,
        Operation::Sync,
        Operation::Cut,
        Operation::Create,
        Operation::Rename,
        Operation::SyncDir,
        Operation::Remove,
    ]);
    let failure =
        prop_oneof![Just(Failure::Io), Just(Failure::NoSpace), (0_usize..400).prop_map(Failure::Short),];
    prop_oneof![
        10 => deliveries().prop_map(Action::Append),
        2 => deliveries().prop_map(Action::AppendAndCrash),
        4 => (0_usize..20).prop_map(Action::Drain),
        2 => Just(Action::Crash),
        2 => Just(Action::Kill),
        1 => Just(Action::Restart),
        1 => proptest::option::of(0_u64..600).prop_map(Action::Spare),
        2 => (operation, 1_u64..5, failure)
            .prop_map(|(operation, nth, failure)| Action::Fail(operation, nth, failure)),
        1 => Just(Action::RenewId),
    ]
}

struct Model {
    disk: SimDisk,
    spool: Option<Spool>,
    payloads_made: u64,
    /// Every payload that may be there: all that were appended but those that were refused without a trace.
    possible: BTreeSet<Vec<u8>>,
    /// What must be there, by sequence.
    promised: BTreeMap<u64, Vec<u8>>,
    /// What was given out under which id.
    given_out: BTreeMap<(Uuid, u64), Vec<u8>>,
    /// The lane's cursor, durable in its sink.
    cursor: u64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut model = Self {
            disk: SimDisk::new(seed),
            spool: None,
            payloads_made: 0,
            possible: BTreeSet::new(),
            promised: BTreeMap::new(),
            given_out: BTreeMap::new(),
            cursor: 0,
        };
        model.open();
        model
    }

    fn spool(&self) -> &Spool {
        self.spool.as_ref().unwrap()
    }

    fn step(&mut self, action: &Action) {
        match action {
            Action::Append(deliveries) => self.append(deliveries),
            Action::AppendAndCrash(deliveries) => {
                let spool = self.spool().clone();
                let deliveries = self.payloads(deliveries);
                run(async {
                    for delivery in &deliveries {
                        // Polled once: it is queued, and nobody hears of it.
                        let append = spool.append(chunk_of(delivery));
                        let _ = tokio::time::timeout(Duration::ZERO, append).await;
                    }
                });
                self.disk = self.disk.crash();
                drop(spool);
                self.open();
            }
            Action::Drain(records) => self.drain(*records),
            Action::Crash => {
                self.disk = self.disk.crash();
                self.open();
            }
            Action::Kill => {
                self.disk = self.disk.kill();
                self.open();
            }
            Action::Restart => self.open(),
            Action::Spare(spare) => {
                let used = self.disk.used_bytes();
                self.disk.set_capacity(spare.map(|spare| used + spare));
            }
            Action::Fail(operation, nth, failure) => self.disk.fail(*operation, *nth, *failure),
            Action::RenewId => {
                if self.spool().renew_id().is_ok() {
                    self.cursor = self.spool().oldest();
                }
            }
        }
        if self.spool().status().is_poisoned() {
            // The process ends and is started again.
            self.disk = self.disk.kill();
            self.open();
        }
        self.check(self.cursor);
    }

    fn open(&mut self) {
        self.spool = None;
        let settings = Settings { file_bytes: 500, max_bytes: 20_000, ..settings() };
        let disk = Arc::new(self.disk.clone());
        // A failing disk may prevent the start, but nothing that a sound one holds.
        let (spool, recovery) = Spool::open(disk.clone(), settings.clone()).unwrap_or_else(|_| {
            self.disk.heal();
            self.disk.set_capacity(None);
            Spool::open(disk, settings).unwrap()
        });
        assert_eq!(recovery.unreadable_files, 0);
        match recovery.new_id {
            // A write that was torn into garbage cannot be told from a damaged record.
            None | Some(NewId::EndDamaged) => {}
            Some(NewId::Created) => assert_eq!(self.payloads_made, 0),
            Some(reason) => panic!("a sound disk lost {reason:?}"),
        }
        spool.register_lane("lane");
        if recovery.new_id.is_some() {
            self.cursor = spool.oldest();
        }
        assert!(self.cursor <= spool.end(), "what a lane has would be given out again");
        // What was never acknowledged may have survived. From now on it is like everything else.
        let (records, _) = read_all(&spool, 0);
        for (sequence, payload) in records {
            self.given_out.insert((spool.id(), sequence), payload.clone());
            self.promised.entry(sequence).or_insert(payload);
        }
        self.spool = Some(spool);
        self.check(0);
    }

    fn payloads(&mut self, deliveries: &[Vec<u16>]) -> Vec<Vec<Vec<u8>>> {
        let mut payload = |size: &u16| {
            self.payloads_made += 1;
            let mut payload = self.payloads_made.to_le_bytes().to_vec();
            payload.resize(8 + usize::from(*size), 0);
            self.possible.insert(payload.clone());
            payload
        };
        let delivery = |sizes: &Vec<u16>| sizes.iter().map(&mut payload).collect();
        deliveries.iter().map(delivery).collect()
    }

    fn append(&mut self, deliveries: &[Vec<u16>]) {
        let deliveries = self.payloads(deliveries);
        let spool = self.spool().clone();
        let results = run(async {
            let mut appends = tokio::task::JoinSet::new();
            for delivery in deliveries {
                let spool = spool.clone();
                appends.spawn(async move {
                    let result = spool.append(chunk_of(&delivery)).await;
                    (delivery, result)
                });
            }
            appends.join_all().await
        });
        for (delivery, result) in results {
            match result {
                Ok(receipt) => {
                    assert_eq!(receipt.records(), delivery.len());
                    for (sequence, payload) in (receipt.first_sequence()..).zip(delivery) {
                        let key = (spool.id(), sequence);
                        let other = self.given_out.insert(key, payload.clone());
                        assert_eq!(other, None, "given out twice under one id");
                        assert_eq!(self.promised.insert(sequence, payload), None);
                    }
                }
                Err(AppendError::Poisoned) => {}
                Err(_) => {
                    for payload in delivery {
                        self.possible.remove(&payload);
                    }
                }
            }
        }
    }

    fn drain(&mut self, records: usize) {
        let batch = self.spool().reader(self.cursor).read(records, 2000).unwrap();
        assert_eq!(batch.gaps, 0);
        for record in batch.records {
            assert_eq!(self.promised.get(&record.sequence), Some(&record.payload.to_vec()));
        }
        self.cursor = batch.next;
        self.spool().release("lane", self.cursor);
    }

    /// Compares what can be read from `from` on with what was promised. What is before the lane's cursor may be deleted
    /// at any moment.
    fn check(&self, from: u64) {
        let spool = self.spool();
        let (records, gaps) = read_all(spool, from);
        let found: BTreeMap<u64, Vec<u8>> = records.into_iter().collect();
        let first = found.keys().next().copied().unwrap_or(spool.end());
        assert_eq!(gaps, first - from, "only what was deleted is missing");
        assert!(first <= self.cursor, "what the lane does not have was deleted");
        let payloads: BTreeSet<_> = found.values().collect();
        assert_eq!(payloads.len(), found.len(), "doubled");
        assert!(payloads.iter().all(|payload| self.possible.contains(*payload)), "invented");
        for (sequence, promised) in self.promised.range(first..) {
            assert_eq!(found.get(sequence), Some(promised), "lost or changed: {sequence}");
        }
    }
}

fn chunk_of(delivery: &[Vec<u8>]) -> Chunk {
    let slices: Vec<&[u8]> = delivery.iter().map(Vec::as_slice).collect();
    chunk(&slices)
}

fn play(seed: u64, actions: &[Action]) {
    let mut model = Model::new(seed);
    for action in actions {
        model.step(action);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_acknowledged_is_there_once_whatever_happens(
        seed in any::<u64>(),
        actions in vec(action(), 1..40),
    ) {
        play(seed, &actions);
    }
}
