//! `ringbook simulate`: plays whole conversations against a running server, with signatures like Vapi's. Use it as a
//! demo, a smoke test or a load test.
//!
//! [`dice`] is the random generator, [`callers`] draws the callers, [`conversation`] builds the messages, [`play`]
//! sends them, and [`tally`] counts the responses. The same seed plays the same calls with the same ids, so a second
//! run with this seed sends only duplicates.

pub mod callers;
pub mod conversation;
pub mod dice;
pub mod play;
pub mod tally;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use base::clock::Clock;
use play::Player;
pub use play::webhook_url;
use tally::SimulationTally;
pub use tally::{Latency, Summary};

/// The options of a run.
#[derive(Clone)]
pub struct SimulateOptions {
    /// The URL of the server, or the whole URL of the webhook.
    pub url: String,
    /// The webhook secret, for HMAC with Vapi's default settings.
    pub secret: String,
    /// The code of the rulebook; `default` when not given.
    pub rulebook: Option<String>,
    /// Number of calls that start per second; with zero or less, calls start as fast as `concurrency` allows.
    pub rate: f64,
    /// Number of calls.
    pub count: u64,
    /// The seed; taken from the clock by default, so that each run plays new calls.
    pub seed: Option<u64>,
    /// Maximum number of concurrent calls.
    pub concurrency: usize,
    /// The time at which the calls start; by default three minutes ago, so that they end before now.
    pub at: Option<DateTime<Utc>>,
    /// Whether to hide the progress bar.
    pub quiet: bool,
    /// Whether the summary is printed as JSON. If so, the progress bar is hidden too.
    pub json: bool,
}

/// Plays calls until all calls are done or Ctrl-C is pressed.
///
/// # Errors
/// If the URL or the secret cannot be used. The summary contains the server's errors.
pub async fn run(options: SimulateOptions) -> anyhow::Result<Summary> {
    let stop = async {
        // If the signal handler cannot be installed, never stop.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    run_until(options, Clock::system(), stop).await
}

/// Plays calls until all calls are done or `stop` is ready.
///
/// # Errors
/// If the URL or the secret cannot be used.
pub async fn run_until(
    options: SimulateOptions,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Summary> {
    let seed = options
        .seed
        .unwrap_or_else(|| clock.now().timestamp_micros().unsigned_abs());
    let tally = Arc::new(Mutex::new(SimulationTally::default()));
    let player = Arc::new(Player::new(&options, clock, Arc::clone(&tally)).context("simulate cannot start")?);
    let bar = bar(&options);
    let began = Instant::now();
    let interrupted = tokio::select! {
        () = play_all(&options, seed, began, &player, &bar) => false,
        () = stop => true,
    };
    bar.finish_and_clear();
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(tally.summary(seed, began.elapsed(), interrupted))
}

/// Plays all calls. If the future is dropped, the calls in progress end.
async fn play_all(options: &SimulateOptions, seed: u64, began: Instant, player: &Arc<Player>, bar: &ProgressBar) {
    let places = Arc::new(Semaphore::new(options.concurrency.max(1)));
    let interval = (options.rate.is_finite() && options.rate > 0.0)
        .then(|| Duration::try_from_secs_f64(options.rate.recip()).ok())
        .flatten();
    let mut due = began;
    let mut calls = JoinSet::new();
    for index in 0..options.count {
        if let Some(interval) = interval {
            sleep_until(due).await;
            due += interval;
        }
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let (player, bar) = (Arc::clone(player), bar.clone());
        calls.spawn(async move {
            player.play(seed, index).await;
            bar.inc(1);
            drop(place);
        });
        // Remove finished calls, so that a long run does not accumulate them.
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
}

fn bar(options: &SimulateOptions) -> ProgressBar {
    if options.quiet || options.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} calls, {per_sec}, {eta} left");
    ProgressBar::new(options.count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
