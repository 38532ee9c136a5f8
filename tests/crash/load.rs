//! The load: several connections that send single events and batches as fast as they are answered.
//!
//! What a kill leaves unanswered is mostly sent again, to whoever comes back, as senders do; and now and then it is
//! given up, so that the proof also sees what was sent once and never answered.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle, time::sleep};

use crate::{
    client::{Answer, Connection},
    collector::{KEY, SOURCE},
    oracle::{Oracle, Outcome},
    payload::Element,
};

const CONNECTIONS: usize = 6;

/// Where senders may send.
#[derive(Clone, Copy)]
enum Door {
    /// Nowhere for now.
    Closed,
    Open(SocketAddr),
    /// Never again.
    Over,
}

/// Senders at work.
pub(crate) struct Load {
    door: watch::Sender<Door>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Senders that wait for an address, and rest so long after each answer.
    pub(crate) fn start(oracle: &Arc<Oracle>, mut rng: fastrand::Rng, rest: Duration) -> Self {
        let door = watch::Sender::new(Door::Closed);
        let senders = (0..CONNECTIONS)
            .map(|_| tokio::spawn(send(Arc::clone(oracle), door.subscribe(), rng.fork(), rest)))
            .collect();
        Self { door, senders }
    }

    /// Lets the senders in.
    pub(crate) fn open(&self, address: SocketAddr) {
        self.door.send_replace(Door::Open(address));
    }

    /// No new connections; those that are there go on until they break.
    pub(crate) fn close(&self) {
        self.door.send_replace(Door::Closed);
    }

    /// Ends the load, and shows whether a sender was told something that it must not be told.
    pub(crate) async fn finish(&mut self) {
        self.door.send_replace(Door::Over);
        for sender in self.senders.drain(..) {
            sender.await.unwrap();
        }
    }
}

async fn send(oracle: Arc<Oracle>, mut door: watch::Receiver<Door>, mut rng: fastrand::Rng, rest: Duration) {
    let mut unanswered: Option<Delivery> = None;
    loop {
        let address = match *door.borrow_and_update() {
            Door::Over => return,
            Door::Open(address) => Some(address),
            Door::Closed => None,
        };
        let connection = match address {
            Some(address) => Connection::open(address).await.ok(),
            None => None,
        };
        let Some(mut connection) = connection else {
            // Nobody is there to open it any more where a proof has broken off.
            if door.changed().await.is_err() {
                return;
            }
            continue;
        };
        while !matches!(*door.borrow(), Door::Over) {
            let again = unanswered.take().filter(|_| rng.u8(..5) > 0);
            let delivery = again.unwrap_or_else(|| Delivery::compose(&oracle, &mut rng));
            match delivery.send(&oracle, &mut connection).await {
                Afterwards::Next if rest.is_zero() => {}
                Afterwards::Next => sleep(rest).await,
                Afterwards::Reconnect => break,
                Afterwards::Repeat => {
                    unanswered = Some(delivery);
                    break;
                }
            }
        }
    }
}

/// What a sender does after it has sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// It was answered: the next one.
    Next,
    /// It was answered, and the server closes the connection.
    Reconnect,
    /// It was turned away or cut off, so that the sender does not know: the same again, on another connection.
    Repeat,
}

/// One request: a single element, or a batch.
pub(crate) struct Delivery {
    elements: Vec<Element>,
    is_batch: bool,
}

impl Delivery {
    /// A single element that was never sent before.
    pub(crate) fn probe(oracle: &Oracle) -> Self {
        let element = std::iter::repeat_with(|| oracle.claim()).find(|element| element.is_good()).unwrap();
        Self { elements: vec![element], is_batch: false }
    }

    fn compose(oracle: &Oracle, rng: &mut fastrand::Rng) -> Self {
        let (is_batch, length) = match rng.u8(..10) {
            0..5 => (false, 1),
            5..9 => (true, rng.usize(1..20)),
            _ => (true, rng.usize(50..200)),
        };
        // A sender repeats itself, also within a batch and also what another connection is just sending.
        let element = || if rng.u8(..10) == 0 { oracle.claimed(rng) } else { oracle.claim() };
        Self { elements: std::iter::repeat_with(element).take(length).collect(), is_batch }
    }

    /// The only element of a single.
    pub(crate) fn element(&self) -> Element {
        self.elements[0]
    }

    /// Sends it, and notes what became of it.
    pub(crate) async fn send(&self, oracle: &Oracle, connection: &mut Connection) -> Afterwards {
        oracle.sending(&self.elements);
        let target = format!("/v1/segment/{SOURCE}?key={KEY}");
        match connection.request("POST", &target, &self.body()).await {
            Ok(Answer { status: 503, .. }) => {
                oracle.turned_away();
                oracle.unanswered(&self.elements);
                Afterwards::Repeat
            }
            Ok(answer) => {
                oracle.answered(&self.elements, &answer.body, &self.outcomes(&answer));
                if answer.is_last { Afterwards::Reconnect } else { Afterwards::Next }
            }
            Err(_) => {
                oracle.cut_off();
                oracle.unanswered(&self.elements);
                Afterwards::Repeat
            }
        }
    }

    fn body(&self) -> String {
        let elements: Vec<_> = self.elements.iter().map(|element| element.sent()).collect();
        if self.is_batch { format!("[{}]", elements.join(",\n")) } else { elements.concat() }
    }

    /// What the answer says of each element. It must not contradict itself.
    fn outcomes(&self, answer: &Answer) -> Vec<Outcome> {
        let Answer { status, body, .. } = answer;
        let mut outcomes = vec![Outcome::Committed; self.elements.len()];
        if self.is_batch {
            for result in body["results"].as_array().unwrap() {
                let index = usize::try_from(result["index"].as_u64().unwrap()).unwrap();
                match result["outcome"].as_str() {
                    Some("duplicate") => {}
                    Some("refused") => outcomes[index] = Outcome::Refused,
                    other => panic!("an element's outcome is {other:?}"),
                }
            }
            let committed = outcomes.iter().filter(|outcome| **outcome == Outcome::Committed).count();
            assert_eq!(body["committed"], committed, "{body}");
            assert_eq!(*status, if committed == 0 { 400 } else { 200 }, "{body}");
        } else {
            match (status, &body["committed"]) {
                (200, serde_json::Value::Bool(true)) => {}
                (400, serde_json::Value::Bool(false)) => outcomes = vec![Outcome::Refused],
                other => panic!("a single element was answered with {other:?}"),
            }
        }
        outcomes
    }
}
