//! One room's order: which event goes out next, which waits, and whether something is missing.

use std::{collections::BTreeMap, sync::Arc};

use crate::room::{Event, Seq};

/// Events that may wait for one that is missing; later ones are dropped and read from the database in their turn.
const MOST_HELD: usize = 1024;

/// The one rule of delivery, for one room.
#[derive(Debug)]
pub(super) struct Order {
    next: Seq,
    held: BTreeMap<Seq, Arc<Event>>,
    /// The log reaches to here at least.
    reached: Seq,
}

impl Order {
    /// An order in which `last` was the last to go out.
    pub(super) fn after(last: Seq) -> Self {
        Self { next: last.next(), held: BTreeMap::new(), reached: last }
    }

    /// The last that went out.
    pub(super) fn last(&self) -> Seq {
        self.next.previous()
    }

    /// Takes an event in; gives back all that may go out now, in order.
    pub(super) fn offer(&mut self, event: Arc<Event>) -> Vec<Arc<Event>> {
        self.reach(event.seq);
        if event.seq < self.next {
            return Vec::new();
        }
        if event.seq > self.next {
            if self.held.len() < MOST_HELD {
                self.held.insert(event.seq, event);
            }
            return Vec::new();
        }
        let mut out = vec![event];
        self.next = self.next.next();
        while let Some(event) = self.held.remove(&self.next) {
            self.next = self.next.next();
            out.push(event);
        }
        out
    }

    /// The log is known to reach to `seq`.
    pub(super) fn reach(&mut self, seq: Seq) {
        self.reached = self.reached.max(seq);
    }

    /// Whether the log holds what has not gone out.
    pub(super) fn is_behind(&self) -> bool {
        self.reached >= self.next
    }
}

#[cfg(test)]
mod tests {
    use irongate_shared::id::UserId;
    use proptest::prelude::*;

    use super::*;
    use crate::room::RoomId;

    fn event(seq: i64) -> Arc<Event> {
        let _ = UserId::new();
        Arc::new(Event { room: RoomId::new(), seq: Seq(seq), frame: "".into(), ends: None, since: None })
    }

    proptest! {
        #[test]
        fn whatever_the_arrivals_each_seq_goes_out_once_and_in_order(
            arrivals in prop::collection::vec(1i64..40, 0..200)
        ) {
            let mut order = Order::after(Seq::ZERO);
            let mut out = Vec::new();

            for seq in &arrivals {
                out.extend(order.offer(event(*seq)).into_iter().map(|event| event.seq.0));
            }

            let prefix = (1..).take_while(|seq| arrivals.contains(seq)).count();
            prop_assert_eq!(&out, &(1..=i64::try_from(prefix).unwrap()).collect::<Vec<_>>());
            let highest = arrivals.iter().copied().max().unwrap_or(0);
            prop_assert_eq!(order.is_behind(), highest > order.last().0);
        }
    }
}
