//! Two instances: one is edited, the other decides.

use std::sync::Arc;

use super::{Found, Plan, Result, judged, told};
use crate::{
    load::{Load, Memory, Traffic},
    oracle::Expects,
    support::Database,
    world::World,
};

pub const ABOUT: &str = "two instances on one database: all edits go to one, all messages to the other. Each decision made again with \
    the revision that it names has the same bytes (I4), so none was made by rules of before";

pub async fn apart(plan: &Plan, kind: Database) -> Result {
    let n = plan.count(1_000, 100);
    let world = Arc::new(plan.world(kind).await);
    let (edited, deciding) = (World::address(), World::address());
    let (one, _) = world.started(&plan.binary, edited, &[]).await;
    let (other, _) = world.started(&plan.binary, deciding, &[]).await;
    let editors = Traffic {
        senders: 0,
        ..Traffic::new("nobody", vec![edited])
    };
    let callers = Traffic {
        edits: false,
        ..Traffic::new("apart", vec![deciding])
    };
    let (editing, calling) = (Load::start(&world, &editors), Load::start(&world, &callers));
    calling.until(n).await;
    let mut memory = Memory::default();
    memory.add(calling.end().await);
    memory.add(editing.end().await);
    one.stop().await;
    other.stop().await;
    let violations = judged(&world, plan, &memory, Expects::default()).await;
    let seen = vec![told(&memory, &world)];
    Arc::into_inner(world).unwrap().remove().await;
    Ok(Found { n, seen, violations })
}
