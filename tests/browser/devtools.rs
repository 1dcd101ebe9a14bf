//! The Chrome DevTools Protocol over a pair of pipes: requests with their answers, and events.
//!
//! By hand, because it is JSON lines with an id, and the generated bindings of a library take longer to compile than
//! everything else here; and over pipes, because then Chromium ends with the test, however that ends.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read, Write},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    sync::{broadcast, oneshot},
    time::timeout,
};

/// A loaded machine may take seconds for a page; nothing legitimate takes this long.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// Between two looks of a listener; losing events would hide console errors.
const EVENTS_KEPT: usize = 10_000;

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// One connection to a browser, shared by all its windows.
#[derive(Clone)]
pub(super) struct DevTools {
    to_browser: Arc<Mutex<Box<dyn Write + Send>>>,
    waiting: Waiting,
    events: broadcast::Sender<Value>,
    last_id: Arc<AtomicU64>,
}

impl DevTools {
    pub(super) fn new(
        to_browser: impl Write + Send + 'static,
        from_browser: impl Read + Send + 'static,
    ) -> Self {
        let waiting = Waiting::default();
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        let devtools = Self {
            to_browser: Arc::new(Mutex::new(Box::new(to_browser))),
            waiting: Arc::clone(&waiting),
            events: events.clone(),
            last_id: Arc::default(),
        };
        std::thread::spawn(move || read(from_browser, &waiting, &events));
        devtools
    }

    /// Carries out `method`, in the page of `session` or in the browser itself, and gives the result or its refusal.
    pub(super) async fn ask(
        &self,
        session: Option<&str>,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let mut request = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            request["sessionId"] = session.into();
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        {
            let mut to_browser = self.to_browser.lock().unwrap();
            write!(to_browser, "{request}\0").and_then(|()| to_browser.flush()).expect("Chromium listens");
        }
        let answer = timeout(ANSWER_LIMIT, receiver).await;
        let answer = answer.unwrap_or_else(|_| panic!("{method}: no answer")).expect("Chromium runs");
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {}", error["message"])),
            None => Ok(answer["result"].clone()),
        }
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Value> {
        self.events.subscribe()
    }
}

/// Until the browser ends: answers to who waits for them, events to who listens.
fn read(from_browser: impl Read, waiting: &Waiting, events: &broadcast::Sender<Value>) {
    let mut from_browser = BufReader::new(from_browser);
    let mut message = Vec::new();
    while matches!(from_browser.read_until(0, &mut message), Ok(1..)) {
        if let Ok(message) = serde_json::from_slice::<Value>(message.strip_suffix(&[0]).unwrap_or(&message)) {
            let asked = message["id"].as_u64().and_then(|id| waiting.lock().unwrap().remove(&id));
            // Whoever asked or listened may have gone: its test has ended.
            let _ = match asked {
                Some(asked) => asked.send(message).is_ok(),
                None => events.send(message).is_ok(),
            };
        }
        message.clear();
    }
    waiting.lock().unwrap().clear();
}
