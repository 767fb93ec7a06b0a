//! Runs a backtest with two rulebooks over a time range.
//!
//! One task reads a page while threads decide the calls of earlier pages. Bounded channels make the reader wait for the
//! deciding threads, and the threads wait for the reader. Results are added up in the order in which the pages were
//! read, so that the same calls give the same result.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DatabaseConnection, DbErr, QueryResult};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{HistoryError, ReadBody};
use authoring::backtest::{
    Backtest, BacktestResult, BacktestTally, StoredCall, StoredCallFacts, StoredOutcome, stored_facts,
};
use rules::fair_pool;
use store::compressed_body;
use store::decisions::pages::{Columns, Span, millis_of};

/// Decisions per page.
const PAGE: u64 = 500;
/// Maximum number of pages that wait for a deciding thread.
const WAITING: usize = 4;
/// Interval between progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(400);
/// Maximum number of deciding threads.
const MOST_THREADS: usize = 4;
/// Stack size in bytes, for deeply nested scripts.
const STACK: usize = 16 * 1024 * 1024;
/// The niceness of the deciding threads, from 0 to 19.
const NICENESS: i32 = 10;

/// The backtest reads only decisions with these purposes: reports, which create leads.
const REPORTS: &[&str] = &[REPORT];
/// The backtest reads only decisions with these purposes: reports, and prices that tools quoted.
const REPORTS_AND_QUOTES: &[&str] = &[REPORT, QUOTE];
const REPORT: &str = "report";
const QUOTE: &str = "quote";

/// The plan of a backtest.
#[derive(Clone)]
pub struct Plan {
    pub test: Backtest,
    /// The rulebook and the time range of the calls.
    pub span: Span,
    /// Maximum number of decisions. The backtest uses the newest decisions.
    pub limit: Option<u64>,
    /// Whether to include prices quoted by tools.
    pub tool_quotes: bool,
    /// Extracts facts again from a message, if the two rulebooks map facts differently.
    pub read_body: ReadBody,
}

/// The progress of a backtest.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The progress in percent. The percentage is estimated from the time range or the limit, because the calls are not
    /// counted in advance.
    pub percent: u8,
    /// The results so far.
    pub result: BacktestResult,
}

/// A page of stored decisions, whose calls a deciding thread decides again.
struct Page {
    number: u64,
    rows: Vec<QueryResult>,
}

/// The tally of one page of stored decisions, from the thread that decided its calls again.
struct PageTally {
    number: u64,
    last: Option<Uuid>,
    tally: BacktestTally,
}

/// Processes the calls of the plan until all are done or `stop` is cancelled.
///
/// # Errors
/// When the database fails or contains a malformed decision.
pub async fn run(
    db: &DatabaseConnection,
    plan: Plan,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<BacktestResult, HistoryError> {
    let mut plan = plan;
    plan.span.purposes = if plan.tool_quotes { REPORTS_AND_QUOTES } else { REPORTS };
    let oldest = plan.span.oldest(db).await?;
    let plan = Arc::new(plan);
    let (pages_in, pages_out) = mpsc::channel(WAITING);
    let (counted_in, counted_out) = mpsc::channel(WAITING);
    let pages_out = Arc::new(Mutex::new(pages_out));
    let mut threads = Vec::new();
    for _ in 0..threads_to_use() {
        let (plan, pages, counted) = (Arc::clone(&plan), Arc::clone(&pages_out), counted_in.clone());
        threads.push(on_own_thread(move || decide_pages(&plan, &pages, &counted))?);
    }
    drop((pages_out, counted_in));
    let collecting = collect(&plan, oldest, counted_out, progress);
    let (read, tally) = tokio::join!(read_pages(db, &plan, pages_in, stop), collecting);
    read?;
    for thread in threads {
        thread
            .await
            .map_err(|error| HistoryError::Stopped(error.to_string()))??;
    }
    Ok(tally.result(&plan.test))
}

/// Runs work on its own thread, with a lower priority than the threads that handle messages. The work does not use
/// tokio's blocking threads, because the whole process shares them.
fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, HistoryError> {
    let (done, result) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("backtest".to_owned())
        .stack_size(STACK);
    let spawned = thread.spawn(move || {
        fair_pool::lower_priority(NICENESS);
        let _ = done.send(work());
    });
    spawned.map_err(|error| HistoryError::Stopped(error.to_string()))?;
    Ok(result)
}

fn threads_to_use() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS))
}

async fn read_pages(
    db: &DatabaseConnection,
    plan: &Plan,
    pages: mpsc::Sender<Page>,
    stop: &CancellationToken,
) -> Result<(), HistoryError> {
    let columns = if plan.test.reads_anew() {
        Columns::FactsAndBody
    } else {
        Columns::Facts
    };
    let (mut below, mut left) = (None, plan.limit.unwrap_or(u64::MAX));
    for number in 0.. {
        let wanted = left.min(PAGE);
        if wanted == 0 || stop.is_cancelled() {
            break;
        }
        let rows = plan.span.page(db, columns, below, wanted).await?;
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let Some(last) = rows.last() else { break };
        below = Some(last.try_get("", "id")?);
        left -= count.min(left);
        // Sending fails if all deciding threads have ended early. Their errors are returned at the end.
        if pages.send(Page { number, rows }).await.is_err() || count < wanted {
            break;
        }
    }
    Ok(())
}

fn decide_pages(
    plan: &Plan,
    pages: &Mutex<mpsc::Receiver<Page>>,
    counted: &mpsc::Sender<PageTally>,
) -> Result<(), HistoryError> {
    loop {
        let next = pages.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(page) = next else { return Ok(()) };
        let mut tally = BacktestTally::new(plan.tool_quotes);
        let mut last = None;
        for row in &page.rows {
            last = Some(row.try_get("", "id")?);
            look(plan, row, &mut tally)?;
        }
        let done = PageTally {
            number: page.number,
            last,
            tally,
        };
        if counted.blocking_send(done).is_err() {
            return Ok(());
        }
    }
}

/// Decodes a row and decides its call.
fn look(plan: &Plan, row: &QueryResult, tally: &mut BacktestTally) -> Result<(), HistoryError> {
    let purpose: String = get(row, "purpose")?;
    let is_quote = purpose == QUOTE;
    let json: String = get(row, "extracted")?;
    let Some(extracted) = stored_facts(&json)? else {
        tally.add_erased();
        return Ok(());
    };
    let said = if plan.test.reads_anew() {
        // The facts of a quote come from the arguments of one tool call, not from the message as a whole.
        let body: Option<Vec<u8>> = if is_quote { None } else { get(row, "body")? };
        let body = body.map(compressed_body::unpack).transpose()?;
        let (base, candidate) = plan.test.both();
        let read = body.and_then(|body| (plan.read_body)(&[base, candidate], &body));
        match read.map(<[_; 2]>::try_from) {
            Some(Ok([base, candidate])) => StoredCallFacts::Anew { base, candidate },
            _ => {
                tally.add_unreadable(is_quote);
                return Ok(());
            }
        }
    } else {
        StoredCallFacts::Stored(extracted)
    };
    let call = StoredCall {
        decision_id: get(row, "id")?,
        call_id: get(row, "call_id")?,
        at: get(row, "decided_for")?,
        stored: StoredOutcome {
            service: get(row, "service")?,
            priority: get(row, "priority")?,
            price_from: get(row, "price_from")?,
            price_to: get(row, "price_to")?,
        },
        said,
    };
    if is_quote {
        plan.test.count_quote(&call, tally);
    } else {
        plan.test.look(call, tally);
    }
    Ok(())
}

fn get<T: sea_orm::TryGetable>(row: &QueryResult, column: &str) -> Result<T, DbErr> {
    row.try_get("", column)
}

/// Adds up the results of the pages in the order in which the pages were read.
async fn collect(
    plan: &Plan,
    oldest: Option<Uuid>,
    mut counted: mpsc::Receiver<PageTally>,
    progress: &watch::Sender<Progress>,
) -> BacktestTally {
    let mut whole = BacktestTally::new(plan.tool_quotes);
    let mut early = BTreeMap::new();
    let (mut next, mut newest, mut told) = (0, None, Instant::now());
    while let Some(page) = counted.recv().await {
        early.insert(page.number, page);
        while let Some(page) = early.remove(&next) {
            next += 1;
            whole.merge(page.tally);
            newest = newest.or(page.last);
            if told.elapsed() < PROGRESS_INTERVAL {
                continue;
            }
            told = Instant::now();
            progress.send_replace(Progress {
                percent: percent(plan, oldest, newest, page.last, whole.seen()),
                result: whole.result(&plan.test),
            });
        }
    }
    whole
}

/// Returns the progress in percent of the time range or of the limit, whichever is greater. The result is at most 99,
/// because only a finished backtest is at 100.
fn percent(plan: &Plan, oldest: Option<Uuid>, newest: Option<Uuid>, last: Option<Uuid>, seen: u64) -> u8 {
    let part = |done: u64, all: u64| {
        u8::try_from(done.saturating_mul(100) / all.max(1))
            .unwrap_or(100)
            .min(99)
    };
    let by_count = plan.limit.map_or(0, |limit| part(seen, limit));
    let by_time = match (oldest, newest, last) {
        (Some(oldest), Some(newest), Some(last)) => {
            let (oldest, newest, last) = (millis_of(oldest), millis_of(newest), millis_of(last));
            part(newest.saturating_sub(last), newest.saturating_sub(oldest))
        }
        _ => 0,
    };
    by_time.max(by_count)
}
