//! Background work that is done once, however many instances run.
//!
//! [`scheduler`] publishes change sets at their time. The transaction that moves the head decides which instance does
//! it, so it needs no lease. SMS messages (each has its own lease) and escalations (each step locks its row) do not
//! need one either. All other work runs [`periodic`]ally under one of the [`leases`].

pub mod history;
pub mod leases;
pub mod periodic;
pub mod purge;
pub mod scheduler;

pub use leases::Leases;
pub use purge::Purge;
pub use scheduler::Scheduler;
