//! A WebSocket client: tokio-tungstenite, which shares no code with the service.

use std::{collections::VecDeque, time::Duration};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http},
};

/// How long anything may take; generous, because speed is measured elsewhere.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<TcpStream>,
    pub(crate) hello: Value,
    next_id: u32,
    /// Frames that came while something else was waited for.
    kept: VecDeque<Value>,
}

impl Socket {
    /// Opens as a browser does: the token among the protocols.
    pub(crate) async fn open(base: &str, token: &str) -> Result<Self, Error> {
        let encoded = BASE64_URL_SAFE_NO_PAD.encode(token);
        let protocols = format!("chat.v1.json, base64url.bearer.chat.{encoded}");
        Self::open_with(base, &[("sec-websocket-protocol", &protocols)]).await
    }

    pub(crate) async fn open_with(base: &str, headers: &[(&str, &str)]) -> Result<Self, Error> {
        let address = base.trim_start_matches("http://");
        let mut request = format!("ws://{address}/chat/ws").into_client_request()?;
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().expect("a header name");
            request.headers_mut().insert(name, value.parse().expect("a header value"));
        }
        let tcp = TcpStream::connect(address).await.map_err(Error::Io)?;
        let (stream, answer) = tokio_tungstenite::client_async(request, tcp).await?;
        if let Some(protocol) = answer.headers().get("sec-websocket-protocol") {
            // SECURITY: the token must not come back.
            assert_eq!(protocol, "chat.v1.json");
        }
        let mut socket = Self { stream, hello: Value::Null, next_id: 1, kept: VecDeque::new() };
        // A replica may be killed before it says anything.
        let first =
            tokio::time::timeout(PATIENCE, socket.stream.next()).await.expect("a first frame in time");
        let Some(Message::Text(hello)) = first.transpose()? else { return Err(Error::ConnectionClosed) };
        socket.hello = serde_json::from_str(&hello).expect("JSON");
        assert_eq!(socket.hello["t"], "hello");
        Ok(socket)
    }

    /// The status of a refused handshake.
    pub(crate) async fn refused(base: &str, headers: &[(&str, &str)]) -> u16 {
        match Self::open_with(base, headers).await {
            Err(Error::Http(answer)) => answer.status().as_u16(),
            Err(other) => panic!("expected an HTTP refusal, got {other}"),
            Ok(_) => panic!("expected a refusal, and the WebSocket opened"),
        }
    }

    pub(crate) async fn post(&mut self, frame: &Value) {
        self.stream.send(Message::text(frame.to_string())).await.expect("the frame goes out");
    }

    /// Sends a frame with an id; waits for its `ok` or `err`.
    pub(crate) async fn ask(&mut self, mut frame: Value) -> Value {
        let id = self.post_asking(&mut frame).await;
        self.answer_to(id).await
    }

    pub(crate) async fn post_asking(&mut self, frame: &mut Value) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        frame["id"] = json!(id);
        self.post(frame).await;
        id
    }

    pub(crate) async fn answer_to(&mut self, id: u32) -> Value {
        self.find(&format!("an answer to {id}"), |frame| {
            frame["id"] == id && (frame["t"] == "ok" || frame["t"] == "err")
        })
        .await
    }

    pub(crate) async fn join(&mut self, room: &str) -> Value {
        let ok = self.ask(json!({ "t": "join", "room": room })).await;
        assert_eq!(ok["t"], "ok", "{ok}");
        ok
    }

    pub(crate) async fn join_after(&mut self, room: &str, after: i64) -> Value {
        self.ask(json!({ "t": "join", "room": room, "after": after })).await
    }

    pub(crate) async fn send(&mut self, room: &str, cid: &str, body: &str) -> Value {
        self.ask(json!({ "t": "send", "room": room, "cid": cid, "body": body })).await
    }

    /// The next frame of this type; what comes before it is kept.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        self.find(&format!("a frame `{kind}`"), |frame| frame["t"] == kind).await
    }

    /// The next durable event of any kind.
    pub(crate) async fn event(&mut self) -> Value {
        self.find("an event", |frame| {
            frame["seq"].is_i64() && frame["t"] != "ok" && frame["t"] != "read" && frame["t"] != "notify"
        })
        .await
    }

    /// The next `count` durable events' seqs.
    pub(crate) async fn seqs(&mut self, count: usize) -> Vec<i64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            seqs.push(self.event().await["seq"].as_i64().expect("a seq"));
        }
        seqs
    }

    pub(crate) async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return self.kept.remove(at).expect("just found");
        }
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let frame = match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => serde_json::from_str::<Value>(&text).expect("JSON"),
                    Some(Ok(Message::Close(reason))) => {
                        panic!("closed ({reason:?}) while waiting for {what}")
                    }
                    Some(Ok(_)) => continue,
                    end => panic!("ended ({end:?}) while waiting for {what}"),
                };
                if wanted(&frame) {
                    return frame;
                }
                self.kept.push_back(frame);
            }
        });
        match waited.await {
            Ok(frame) => frame,
            Err(_) => panic!("waited in vain for {what}; got {:#?}", self.kept),
        }
    }

    /// Whether nothing of this type comes while a round trip is made.
    pub(crate) async fn hears_no(&mut self, kind: &str) -> bool {
        self.ask(json!({ "t": "leave", "room": uuid::Uuid::now_v7().to_string() })).await;
        !self.kept.iter().any(|frame| frame["t"] == kind)
    }

    /// Waits as a page does for its `close` event: until the server has ended the connection after the close frames.
    pub(crate) async fn ended(&mut self) {
        let ended = async { while self.stream.next().await.is_some_and(|next| next.is_ok()) {} };
        tokio::time::timeout(PATIENCE, ended).await.expect("the connection ends in time");
    }

    /// Reads to the end; says the close code.
    pub(crate) async fn closed(&mut self) -> u16 {
        self.closed_within(PATIENCE).await
    }

    pub(crate) async fn closed_within(&mut self, patience: Duration) -> u16 {
        let waited = tokio::time::timeout(patience, async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Close(Some(reason)))) => return reason.code.into(),
                    Some(Ok(Message::Text(text))) => {
                        self.kept.push_back(serde_json::from_str(&text).expect("JSON"));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return 1006,
                }
            }
        });
        waited.await.expect("the socket is closed in time")
    }
}
