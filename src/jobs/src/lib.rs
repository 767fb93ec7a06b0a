//! Background work that runs once, however many instances there are.
//!
//! [`scheduled_publishes`] publishes change sets at their time. The transaction that moves the head decides which instance
//! publishes, so it needs no lease. SMS messages (each has its own lease) and escalations (each step locks its row)
//! need none either. All other work runs [`periodic`]ally under one of the [`leases`].

pub mod history;
pub mod leases;
pub mod periodic;
pub mod purge;
pub mod scheduled_publishes;

pub use leases::Leases;
pub use purge::Purge;
pub use scheduled_publishes::Scheduler;
