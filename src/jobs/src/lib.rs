//! Background work, done once however many instances run.
//!
//! [`scheduler`] publishes change sets at their time; the transaction that moves the head decides which instance does
//! it, so it needs no lease. Neither do SMS messages (each has its own lease) nor escalations (each step locks its
//! row). All other work runs [`periodic`]ally under one of the [`leases`].

pub mod history;
pub mod leases;
pub mod periodic;
pub mod purge;
pub mod scheduler;

pub use leases::Leases;
pub use purge::Purge;
pub use scheduler::Scheduler;
