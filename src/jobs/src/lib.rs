//! Background jobs. However many instances there are, only one instance at a time does the work of a job.
//!
//! [`scheduled_publishes`] publishes change sets at their scheduled time. This needs no lease, because the transaction
//! that moves the head lets only one instance publish. SMS messages and escalations need no job lease either: each SMS
//! message has its own lease, and each escalation step locks its row. A backtest of [`history`] runs on the instance
//! that got the request. [`periodic`] runs all other jobs, each under one of the [`leases`].

pub mod erasure;
pub mod history;
pub mod leases;
pub mod periodic;
pub mod purge;
pub mod scheduled_publishes;

pub use erasure::Erasures;
pub use leases::Leases;
pub use purge::Purge;
pub use scheduled_publishes::Scheduler;
