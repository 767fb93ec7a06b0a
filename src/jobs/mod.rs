//! What happens by itself. In: the time. Out: what is due is done, once, however many instances run.
//!
//! [`scheduler`] publishes the change sets whose time has come. Every instance may run every job: what a job does is
//! decided in the database, in the transaction that does it.

pub mod scheduler;

pub use scheduler::Scheduler;
