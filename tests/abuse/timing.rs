//! Whether the key check tells by its duration how nearly a key fits.
//!
//! The key that is offered stays the same and the secret changes, so that nothing but the comparison can differ. Two
//! classes of secrets are measured in random order, a sample being several checks, and compared by Welch's t; what a
//! busy machine adds hits both alike, and the slowest samples are left out. The same is done with a check that stops at
//! the first wrong byte: unless that one is found out, the measurement has shown nothing.

use std::{hint::black_box, time::Instant};

use sha2::{Digest, Sha256};
use tidegate::{
    secret::Secret,
    sources::key::{Key, KeyRing},
};

const SAMPLES: usize = 2500;
const CHECKS_PER_SAMPLE: usize = 16;
/// An odd number; the median counts, so that one unlucky round decides nothing.
const ROUNDS: usize = 3;
/// What chance hardly ever reaches. A leak grows with the number of samples, chance does not.
const SUSPICIOUS: f64 = 5.0;

const OFFERED: &str = "5dd1d0a5b1c54b0e9a2f7c3d8e6f4a1b5dd1d0a5b1c54b0e9a2f7c3d8e6f4a1b\
                       5dd1d0a5b1c54b0e9a2f7c3d8e6f4a1b5dd1d0a5b1c54b0e9a2f7c3d8e6f4a1b";

/// The secrets of a door: of one class, or of the other.
type Doors = fn(bool) -> Vec<String>;

/// Makes a check for these secrets.
type Check = fn(&[String]) -> Box<dyn Fn() -> bool>;

#[test]
fn the_key_check_takes_as_long_whatever_the_key() {
    let first_or_last: Doors = |last| vec![with_wrong_byte(if last { OFFERED.len() - 1 } else { 0 })];
    let short_or_long: Doors = |long| vec![if long { OFFERED.repeat(8) } else { "short".into() }];
    let which_fits: Doors = |last| {
        let mut secrets: Vec<String> = (0..8).map(with_wrong_byte).collect();
        secrets[if last { 7 } else { 0 }] = OFFERED.into();
        secrets
    };
    for (name, doors, leak) in [
        ("a wrong first or last byte", first_or_last, early_exit as Check),
        ("a short or a long secret", short_or_long, whole_secret),
        ("the first or the last of eight", which_fits, early_exit),
    ] {
        let control = median(|| welch(doors, leak));
        let product = median(|| welch(doors, ring));
        eprintln!("{name}: |t| = {product:.1}, of a check that stops early {control:.1}");
        assert!(control > 4.0 * SUSPICIOUS, "{name}: the control was not found out: {control}");
        assert!(product < SUSPICIOUS, "{name}: {product}");
    }
}

fn with_wrong_byte(at: usize) -> String {
    let mut secret = OFFERED.to_owned();
    secret.replace_range(at..=at, "_");
    secret
}

/// The check of the product.
fn ring(secrets: &[String]) -> Box<dyn Fn() -> bool> {
    let key = |secret: &String| Key::new("k".into(), &Secret::new(secret.clone()), None);
    let ring = KeyRing::new(secrets.iter().map(key).collect());
    Box::new(move || ring.find(black_box(OFFERED.as_bytes()), 0).is_some())
}

/// As much work, and then a comparison such as one writes without a thought.
fn early_exit(secrets: &[String]) -> Box<dyn Fn() -> bool> {
    let secrets = secrets.to_vec();
    Box::new(move || {
        let offered = black_box(OFFERED.as_bytes());
        black_box(Sha256::digest(offered));
        secrets.iter().any(|secret| {
            let mut bytes = secret.bytes().zip(offered);
            secret.len() == offered.len() && bytes.all(|(one, other)| black_box(one) == *other)
        })
    })
}

/// The same, never stopping before the secret's end.
fn whole_secret(secrets: &[String]) -> Box<dyn Fn() -> bool> {
    let secrets = secrets.to_vec();
    Box::new(move || {
        let offered = black_box(OFFERED.as_bytes());
        black_box(Sha256::digest(offered));
        let differs = |secret: &String| {
            let bytes = secret.bytes().zip(offered.iter().cycle());
            bytes.fold(0, |sum, (one, other)| black_box(sum | (one ^ other))) != 0
        };
        !secrets.iter().all(differs)
    })
}

fn median(measure: impl Fn() -> f64) -> f64 {
    let mut rounds: Vec<f64> = std::iter::repeat_with(measure).take(ROUNDS).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// Welch's t between the durations of both classes.
fn welch(doors: Doors, check: Check) -> f64 {
    let mut durations = [Vec::new(), Vec::new()];
    for _ in 0..2 * SAMPLES {
        let class = fastrand::bool();
        // Both are made, in random order, so that neither has a better place in memory or a better past.
        let first = fastrand::bool();
        let checks = [first, !first].map(|class| (class, check(&doors(class))));
        let (_, check) = checks.iter().find(|(made, _)| *made == class).unwrap();
        for (_, check) in &checks {
            black_box(check());
        }
        let start = Instant::now();
        for _ in 0..CHECKS_PER_SAMPLE {
            black_box(check());
        }
        durations[usize::from(class)].push(start.elapsed().as_secs_f64());
    }
    let [one, other] = durations.map(|mut durations| {
        durations.sort_by(f64::total_cmp);
        durations.truncate(durations.len() * 9 / 10);
        #[expect(clippy::cast_precision_loss, reason = "there are thousands")]
        let count = durations.len() as f64;
        let mean = durations.iter().sum::<f64>() / count;
        let variance = durations.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    ((one.0 - other.0) / (one.1 + other.1).sqrt()).abs()
}
