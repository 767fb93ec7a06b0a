//! Decides the order and concurrency of sends, so that no rulebook delays another rulebook's SMS messages (pure, in
//! memory).
//!
//! The more slots are used, the fewer additional slots any rulebook gets. So a rulebook without running sends gets a
//! slot whenever the account limit and the total limit allow another send.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::accounts::TwilioAccount;

/// Limits of concurrent sends.
#[derive(Clone, Copy, Debug)]
pub struct SendLimits {
    /// The limit for all sends together.
    pub total: usize,
    /// The limit for each account, because several rulebooks may share an account.
    pub account: usize,
    /// The limit for each rulebook.
    pub rulebook: usize,
}

impl SendLimits {
    /// Returns the current limit of a rulebook or account. `usual` is its normal limit, and `taken` is the number of
    /// all used slots.
    fn at(self, usual: usize, taken: usize) -> usize {
        if taken < self.total / 2 {
            usual
        } else if taken < self.total * 3 / 4 {
            (usual / 4).max(1)
        } else {
            1
        }
    }
}

/// The running sends, and when each rulebook was served. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct FairSlots(Arc<Mutex<SlotsInUse>>);

#[derive(Debug, Default)]
struct SlotsInUse {
    taken: usize,
    by_rulebook: HashMap<Uuid, usize>,
    by_account: HashMap<TwilioAccount, usize>,
    served: HashMap<Uuid, u64>,
    turn: u64,
}

/// A slot for a send, released on drop.
#[derive(Debug)]
pub struct SendSlot {
    turns: FairSlots,
    rulebook_id: Uuid,
    account: Option<TwilioAccount>,
}

impl FairSlots {
    /// Sorts the rulebooks by their most urgent SMS message. If several rulebooks are equally urgent, the rulebook that
    /// was served longest ago comes first.
    pub fn in_order(&self, mut due: Vec<(Uuid, String)>) -> Vec<Uuid> {
        let state = self.lock();
        due.sort_by_key(|(rulebook_id, priority)| {
            let served = state.served.get(rulebook_id).copied().unwrap_or_default();
            (priority.clone(), served, *rulebook_id)
        });
        due.into_iter().map(|(rulebook_id, _)| rulebook_id).collect()
    }

    /// Returns how many more SMS messages of a rulebook may be sent now.
    pub fn room(&self, limits: SendLimits, rulebook_id: Uuid, account: Option<&TwilioAccount>) -> usize {
        let state = self.lock();
        let own = state.by_rulebook.get(&rulebook_id).copied().unwrap_or_default();
        let of_account = account.and_then(|account| state.by_account.get(account)).copied();
        let room = limits.at(limits.rulebook, state.taken).saturating_sub(own);
        room.min(
            limits
                .at(limits.account, state.taken)
                .saturating_sub(of_account.unwrap_or_default()),
        )
        .min(limits.total.saturating_sub(state.taken))
    }

    /// Occupies a slot for a send.
    pub fn take(&self, rulebook_id: Uuid, account: Option<TwilioAccount>) -> SendSlot {
        let mut state = self.lock();
        state.taken += 1;
        *state.by_rulebook.entry(rulebook_id).or_default() += 1;
        if let Some(account) = &account {
            *state.by_account.entry(account.clone()).or_default() += 1;
        }
        state.turn += 1;
        let turn = state.turn;
        state.served.insert(rulebook_id, turn);
        SendSlot {
            turns: self.clone(),
            rulebook_id,
            account,
        }
    }

    fn lock(&self) -> MutexGuard<'_, SlotsInUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SendSlot {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.taken = state.taken.saturating_sub(1);
        give_back(&mut state.by_rulebook, &self.rulebook_id);
        if let Some(account) = &self.account {
            give_back(&mut state.by_account, account);
        }
    }
}

fn give_back<K: std::hash::Hash + Eq>(taken: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = taken.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            taken.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sender;

    const LIMITS: SendLimits = SendLimits {
        total: 128,
        account: 12,
        rulebook: 8,
    };

    fn account(name: usize) -> TwilioAccount {
        TwilioAccount {
            sid: format!("AC{name}"),
            token: "token".to_owned(),
            sender: Sender::From("+15145550100".to_owned()),
        }
    }

    fn rulebook(number: usize) -> Uuid {
        Uuid::from_u128(number as u128 + 1)
    }

    /// Occupies as many slots as allowed, at most `number`.
    fn fill(turns: &FairSlots, number: usize, account: &TwilioAccount) -> Vec<SendSlot> {
        let mut places = Vec::new();
        while turns.room(LIMITS, rulebook(number), Some(account)) > 0 {
            places.push(turns.take(rulebook(number), Some(account.clone())));
        }
        places
    }

    #[test]
    fn forty_rulebooks_that_take_all_they_can_leave_room_for_one_more() {
        let turns = FairSlots::default();
        let held: Vec<_> = (0..40).map(|number| fill(&turns, number, &account(number))).collect();
        assert!(held.iter().all(|places| !places.is_empty()), "each has a slot");
        assert_eq!(held[0].len(), 8);
        assert!(turns.room(LIMITS, rulebook(40), Some(&account(40))) > 0);
        drop(held);
        assert_eq!(fill(&turns, 41, &account(41)).len(), 8, "all slots were released");
    }

    #[test]
    fn rulebooks_of_one_account_share_its_places_and_none_has_them_all() {
        let (turns, shared) = (FairSlots::default(), account(1));
        let first = fill(&turns, 1, &shared);
        let second = fill(&turns, 2, &shared);
        assert_eq!((first.len(), second.len()), (8, 4));
    }

    #[test]
    fn the_most_urgent_comes_first_and_of_those_who_waited_longest() {
        let turns = FairSlots::default();
        let due = |urgent: usize| {
            let priority = |number| if number == urgent { "P1" } else { "P3" };
            let due = (0..3).map(|number| (rulebook(number), priority(number).to_owned()));
            turns.in_order(due.collect())
        };
        drop(turns.take(rulebook(0), None));
        drop(turns.take(rulebook(1), None));
        assert_eq!(due(1), [rulebook(1), rulebook(2), rulebook(0)]);
        assert_eq!(due(9), [rulebook(2), rulebook(0), rulebook(1)]);
    }
}
