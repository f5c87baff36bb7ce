//! Telling clients that replies have come, without looking for them in the store again and again.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};

use crate::store::ReplyRoute;

/// How far who listens to all routes may fall behind before it has to look into the store.
const BEHIND: usize = 1024;

/// Who waits for replies on which route.
#[derive(Debug)]
pub struct ReplyWatch {
    routes: Mutex<HashMap<ReplyRoute, watch::Sender<()>>>,
    all: broadcast::Sender<ReplyRoute>,
}

impl Default for ReplyWatch {
    fn default() -> Self {
        Self { routes: Mutex::default(), all: broadcast::Sender::new(BEHIND) }
    }
}

/// Is told when its route gets replies.
#[derive(Debug)]
pub struct RouteWatch {
    receiver: Option<watch::Receiver<()>>,
    route: ReplyRoute,
    watch: Arc<ReplyWatch>,
}

impl ReplyWatch {
    /// Watches a route from now on.
    pub fn subscribe(self: &Arc<Self>, route: &ReplyRoute) -> RouteWatch {
        let receiver = self.routes.lock().entry(route.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        RouteWatch { receiver: Some(receiver), route: route.clone(), watch: Arc::clone(self) }
    }

    /// Hears of every route that gets replies from now on.
    pub fn all(&self) -> broadcast::Receiver<ReplyRoute> {
        self.all.subscribe()
    }

    /// Tells those who watch a route, or all of them, that it got replies.
    pub fn tell(&self, route: &ReplyRoute) {
        if self.all.receiver_count() > 0 {
            // Fails only without a listener.
            drop(self.all.send(route.clone()));
        }
        if let Some(sender) = self.routes.lock().get(route) {
            sender.send_replace(());
        }
    }
}

impl RouteWatch {
    /// Waits until the route gets replies after the watch began, or after this returned last.
    pub async fn changed(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            // The sender lives as long as there is a receiver.
            let _ = receiver.changed().await;
        }
    }
}

impl Drop for RouteWatch {
    fn drop(&mut self) {
        self.receiver = None;
        let mut routes = self.watch.routes.lock();
        if routes.get(&self.route).is_some_and(|sender| sender.receiver_count() == 0) {
            routes.remove(&self.route);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[tokio::test]
    async fn a_watch_hears_its_route_and_leaves_nothing_behind() {
        let watch = Arc::new(ReplyWatch::default());
        let route = ReplyRoute(Id::from("a"));
        let mut one = watch.subscribe(&route);
        watch.tell(&ReplyRoute(Id::from("b")));
        watch.tell(&route);
        one.changed().await;
        drop(one);
        let mut all = watch.all();
        watch.tell(&route);
        assert_eq!(all.recv().await, Ok(route));
        assert!(watch.routes.lock().is_empty());
    }
}
