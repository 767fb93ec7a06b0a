//! What happens by itself. In: the time. Out: what is due is done, once, however many instances run.
//!
//! [`scheduler`] publishes the change sets whose time has come. Every instance may run it: which of them publishes a change
//! set is decided in the transaction that moves the head, so it needs no lease; neither do texts (each has a lease of its
//! own) nor escalations (each step is a transaction that holds its row). Whatever has no such transaction of its own
//! runs [`periodic`]ally under one of the [`leases`].

pub mod leases;
pub mod periodic;
pub mod purge;
pub mod scheduler;

pub use leases::Leases;
pub use purge::Purge;
pub use scheduler::Scheduler;
