//! Reading a request's body whole, within its limits of size, time and memory.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

/// A body of unknown length reserves its memory in steps of at least this.
const STEP_BYTES: usize = 16 * 1024;
/// How long a body waits for memory that others hold.
const MEMORY_PATIENCE: Duration = Duration::from_secs(1);

/// What a body may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// The most bytes; exactly this many still pass.
    pub bytes: usize,
    /// How long the whole body may take.
    pub deadline: Duration,
    /// The fewest bytes a second, on the average since the beginning; asked for after `grace`. Zero asks for none.
    pub min_rate: u64,
    /// How long a body may be slower.
    pub grace: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 2 << 20,
            deadline: Duration::from_secs(30),
            min_rate: 1024,
            grace: Duration::from_secs(5),
        }
    }
}

impl BodyLimits {
    /// How long after its beginning the next byte of a body must come at the latest, `received` bytes having come.
    pub(super) fn patience(&self, received: usize) -> Duration {
        let earned =
            (received as u64).checked_mul(1000).and_then(|thousands| thousands.checked_div(self.min_rate));
        let earned = earned.map_or(Duration::MAX, Duration::from_millis);
        earned.max(self.grace).min(self.deadline)
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than it may be.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It came too slowly.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The sender went away, or its chunks were malformed.
    #[error("the body ended early")]
    Disconnected,
    /// Other bodies hold the memory. Ours is the fault, and trying again helps.
    #[error("no memory is free for the body")]
    Memory,
}

/// How many bytes of bodies may be in memory at a time, over all connections. Clones share one budget.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    free: Arc<Semaphore>,
    bytes: usize,
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Self {
        // Permits are counted in 32 bits when they are taken.
        let bytes = bytes.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(bytes)), bytes }
    }

    /// The whole budget: nothing larger can ever be reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much of it is reserved now.
    pub fn used(&self) -> usize {
        self.bytes.saturating_sub(self.free.available_permits())
    }

    /// Reserves memory, waiting at most a second for others to free it. More than the whole budget fails at once.
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, BodyError> {
        let permits = u32::try_from(bytes).ok().filter(|_| bytes <= self.bytes).ok_or(BodyError::Memory)?;
        let permit = timeout(MEMORY_PATIENCE, Arc::clone(&self.free).acquire_many_owned(permits)).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(BodyError::Memory)?;
        Ok(Reservation { budget: self.clone(), permit })
    }
}

/// Memory that is set aside until this is dropped: for the body, and then for what was made of it, until it is answered.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    permit: OwnedSemaphorePermit,
}

impl Reservation {
    /// How many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.permit.num_permits()
    }

    /// The budget it is part of: nothing larger can ever be reserved.
    pub fn budget_bytes(&self) -> usize {
        self.budget.bytes()
    }

    /// Gives back what it holds beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes().saturating_sub(bytes);
        drop(self.permit.split(surplus));
    }

    /// Makes it hold at least `bytes`, on the terms of [`MemoryBudget::reserve`].
    pub async fn grow_to(&mut self, bytes: usize) -> Result<(), BodyError> {
        if let Some(more) = bytes.checked_sub(self.bytes()).filter(|&more| more > 0) {
            self.permit.merge(self.budget.reserve(more).await?.permit);
        }
        Ok(())
    }
}

/// Reads a body whole. Its length, where the sender has declared one, is checked before the first byte is read; memory is
/// reserved for what has come, with room for as much again, and never for what was merely declared: some dozens of heads
/// would take it all. A body that comes in one piece is not copied.
///
/// # Cancel safety
///
/// Dropped on the way, it frees what it has reserved; the body is lost.
pub async fn read(
    mut body: Body,
    limits: &BodyLimits,
    budget: &MemoryBudget,
) -> Result<(Bytes, Reservation), BodyError> {
    // A body that could never be reserved is too large, however often it is sent.
    let limit = limits.bytes.min(budget.bytes());
    let declared = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if declared.is_some_and(|bytes| bytes > limit) {
        return Err(BodyError::TooLarge { limit });
    }
    let most = declared.unwrap_or(limit);
    let mut reservation = budget.reserve(STEP_BYTES.min(most)).await?;
    let start = Instant::now();
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while !body.is_end_stream() {
        let received = first.len() + joined.len();
        let frame = timeout_at(start + limits.patience(received), body.frame()).await;
        let Some(frame) = frame.map_err(|_| BodyError::TooSlow)? else {
            break;
        };
        // Trailers carry nothing that is asked for.
        let Ok(data) = frame.map_err(|_| BodyError::Disconnected)?.into_data() else {
            continue;
        };
        let total = received + data.len();
        if total > limit {
            return Err(BodyError::TooLarge { limit });
        }
        if total > reservation.bytes() {
            let roomy = total.saturating_add(total.max(STEP_BYTES)).min(most).max(total);
            reservation.grow_to(roomy).await?;
        }
        if received == 0 {
            first = data;
            continue;
        }
        if joined.capacity() < total {
            joined.reserve(reservation.bytes().saturating_sub(joined.len()));
        }
        if joined.is_empty() {
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok((if joined.is_empty() { first } else { joined.freeze() }, reservation))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use axum::body::HttpBody;
    use hyper::body::{Frame, SizeHint};
    use tokio::time::Sleep;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        bytes: 1000,
        deadline: Duration::from_secs(30),
        min_rate: 100,
        grace: Duration::from_secs(5),
    };

    /// A body that does as it is told.
    #[derive(Default)]
    struct Script {
        steps: VecDeque<Step>,
        declared: Option<u64>,
        pause: Option<Pin<Box<Sleep>>>,
    }

    enum Step {
        Data(Bytes),
        Pause(Duration),
        Break,
    }

    impl Script {
        fn data(mut self, bytes: impl Into<Bytes>) -> Self {
            self.steps.push_back(Step::Data(bytes.into()));
            self
        }

        fn pause(mut self, seconds: u64) -> Self {
            self.steps.push_back(Step::Pause(Duration::from_secs(seconds)));
            self
        }

        fn broken(mut self) -> Self {
            self.steps.push_back(Step::Break);
            self
        }

        fn declared(mut self, bytes: u64) -> Self {
            self.declared = Some(bytes);
            self
        }
    }

    impl HttpBody for Script {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            loop {
                if let Some(pause) = &mut self.pause {
                    std::task::ready!(pause.as_mut().poll(cx));
                    self.pause = None;
                }
                match self.steps.pop_front() {
                    None => return Poll::Ready(None),
                    Some(Step::Data(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    Some(Step::Break) => {
                        return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                    }
                    Some(Step::Pause(pause)) => {
                        self.pause = Some(Box::pin(tokio::time::sleep(pause)));
                    }
                }
            }
        }

        fn size_hint(&self) -> SizeHint {
            self.declared.map(SizeHint::with_exact).unwrap_or_default()
        }
    }

    async fn read_within(script: Script, budget: usize) -> Result<(Bytes, Reservation), BodyError> {
        read(Body::new(script), &LIMITS, &MemoryBudget::new(budget)).await
    }

    async fn bytes_of(script: Script) -> Result<Bytes, BodyError> {
        read_within(script, 10_000).await.map(|(bytes, _)| bytes)
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let piece = Bytes::from(vec![1; 500]);
        for script in [Script::default().declared(500), Script::default()] {
            assert_eq!(bytes_of(script.data(piece.clone())).await.unwrap().as_ptr(), piece.as_ptr());
        }
        assert_eq!(read(Body::from(piece.clone()), &LIMITS, &MemoryBudget::new(500)).await.unwrap().0, piece);
    }

    #[tokio::test]
    async fn pieces_are_joined() {
        let script = || Script::default().data("one,").data("").data("two,").data("three");
        assert_eq!(bytes_of(script()).await.unwrap(), "one,two,three");
        assert_eq!(bytes_of(script().declared(13)).await.unwrap(), "one,two,three");
        assert_eq!(bytes_of(Script::default()).await.unwrap(), "");
        assert_eq!(bytes_of(Script::default().declared(0)).await.unwrap(), "");
    }

    #[tokio::test]
    async fn the_limit_is_exact() {
        let too_large = BodyError::TooLarge { limit: 1000 };
        assert_eq!(
            bytes_of(Script::default().data(vec![0; 600]).data(vec![0; 400])).await.unwrap().len(),
            1000
        );
        assert_eq!(
            bytes_of(Script::default().data(vec![0; 600]).data(vec![0; 401])).await.unwrap_err(),
            too_large
        );
        assert_eq!(bytes_of(Script::default().data(vec![0; 1001])).await.unwrap_err(), too_large);
    }

    #[tokio::test]
    async fn a_declared_length_over_the_limit_is_refused_unread() {
        let script = Script::default().declared(1001).broken();
        assert_eq!(bytes_of(script).await.unwrap_err(), BodyError::TooLarge { limit: 1000 });
        let script = Script::default().declared(u64::MAX).broken();
        assert_eq!(bytes_of(script).await.unwrap_err(), BodyError::TooLarge { limit: 1000 });
    }

    #[tokio::test]
    async fn a_broken_body_is_told() {
        assert_eq!(
            bytes_of(Script::default().data("one").broken()).await.unwrap_err(),
            BodyError::Disconnected
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_arrive_by_its_deadline() {
        let mut script = Script::default();
        for _ in 0..29 {
            script = script.pause(1).data(vec![0; 200]);
        }
        let limits = BodyLimits { bytes: 10_000, ..LIMITS };
        let budget = MemoryBudget::new(10_000);
        let late = Body::new(script.pause(2).data("late"));
        assert_eq!(read(late, &limits, &budget).await.unwrap_err(), BodyError::TooSlow);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_keep_its_rate_after_the_grace() {
        assert_eq!(bytes_of(Script::default().pause(4).data("in time")).await.unwrap(), "in time");
        assert_eq!(bytes_of(Script::default().pause(6)).await.unwrap_err(), BodyError::TooSlow);
        // 800 bytes are worth eight seconds.
        let earned = |seconds| Script::default().data(vec![0; 800]).pause(seconds).data("more");
        assert_eq!(bytes_of(earned(7)).await.unwrap().len(), 804);
        assert_eq!(bytes_of(earned(9)).await.unwrap_err(), BodyError::TooSlow);
        // A trickle does not keep it alive.
        let mut trickle = Script::default();
        for _ in 0..20 {
            trickle = trickle.data("x").pause(1);
        }
        assert_eq!(bytes_of(trickle).await.unwrap_err(), BodyError::TooSlow);
    }

    #[tokio::test]
    async fn memory_is_held_as_long_as_the_reservation() {
        let budget = MemoryBudget::new(10_000);
        let body = Script::default().declared(700).data(vec![0; 700]);
        let (_, reservation) = read(Body::new(body), &LIMITS, &budget).await.unwrap();
        assert_eq!(reservation.bytes(), 700);
        assert_eq!(budget.free.available_permits(), 9300);
        drop(reservation);
        assert_eq!(budget.free.available_permits(), 10_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_waits_a_second_for_memory() {
        let budget = MemoryBudget::new(1000);
        let held = budget.reserve(900).await.unwrap();
        let body = || Body::new(Script::default().declared(200).data(vec![0; 200]));
        let start = Instant::now();
        assert_eq!(read(body(), &LIMITS, &budget).await.unwrap_err(), BodyError::Memory);
        assert_eq!(start.elapsed(), MEMORY_PATIENCE);
        let (read, ()) = tokio::join!(read(body(), &LIMITS, &budget), async { drop(held) });
        assert_eq!(read.unwrap().0.len(), 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_length_that_is_merely_declared_takes_no_memory() {
        let budget = MemoryBudget::new(100 << 10);
        let limits = BodyLimits { bytes: 90 << 10, ..LIMITS };
        let trickle = || Body::new(Script::default().declared(80 << 10).data("x").pause(60));
        let trickles = (0..3).map(|_| {
            tokio::spawn({
                let budget = budget.clone();
                async move { read(trickle(), &limits, &budget).await.map(drop) }
            })
        });
        let trickles: Vec<_> = trickles.collect();
        tokio::task::yield_now().await;
        assert_eq!(budget.used(), 3 * STEP_BYTES);
        let other = Script::default().declared(50 << 10).data(vec![0; 30 << 10]).data(vec![0; 20 << 10]);
        let (bytes, memory) = read(Body::new(other), &limits, &budget).await.unwrap();
        assert_eq!((bytes.len(), memory.bytes()), (50 << 10, 50 << 10));
        for trickle in trickles {
            assert_eq!(trickle.await.unwrap(), Err(BodyError::TooSlow));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_budget_can_never_hold_fails_at_once() {
        let start = Instant::now();
        let too_large = BodyError::TooLarge { limit: 100 };
        assert_eq!(read_within(Script::default().declared(101), 100).await.unwrap_err(), too_large);
        assert_eq!(read_within(Script::default().data(vec![0; 101]), 100).await.unwrap_err(), too_large);
        assert_eq!(read_within(Script::default().data(vec![0; 100]), 100).await.unwrap().1.bytes(), 100);
        assert_eq!(MemoryBudget::new(100).reserve(101).await.unwrap_err(), BodyError::Memory);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_grow_against_each_other_do_not_deadlock() {
        let limits = BodyLimits { bytes: 100_000, ..LIMITS };
        let budget = MemoryBudget::new(100_000);
        let growing = || {
            let script = (0..10).fold(Script::default(), |script, _| script.data(vec![0; 9_000]).pause(1));
            read(Body::new(script), &limits, &budget)
        };
        let (one, two) = tokio::join!(growing(), growing());
        assert_eq!([&one, &two].iter().filter(|result| result.is_ok()).count(), 1);
        drop((one, two));
        assert_eq!(budget.free.available_permits(), 100_000);
    }
}
