//! One WebSocket to chat-svc through the gateway's TLS port.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{timeout, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::{Site, system::LIMIT};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

pub(crate) struct Chat {
    socket: Socket,
    /// The replica of chat-svc at the other end.
    pub(crate) replica: String,
    /// What has come, for the message of a failure.
    seen: Vec<Value>,
    last_id: u64,
}

impl Chat {
    /// Connects as a client does, with the token in a header: as often as chat-svc is said to be away, and waits for
    /// the greeting.
    pub(crate) async fn open(site: &impl Site, token: &str) -> Self {
        let start = Instant::now();
        let socket = loop {
            match Self::upgrade(site, token).await {
                Ok(socket) => break socket,
                Err(Error::Http(refused)) if refused.status() == 503 && start.elapsed() < LIMIT => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(why) => panic!("no WebSocket: {why:?}"),
            }
        };
        let mut chat = Self { socket, replica: String::new(), seen: Vec::new(), last_id: 0 };
        chat.replica = chat.next("hello").await["srv"].as_str().unwrap().to_owned();
        chat
    }

    async fn upgrade(site: &impl Site, token: &str) -> Result<Socket, Error> {
        let port = site.https();
        let mut request = format!("wss://localhost:{port}/chat/ws").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("chat.v1.json"));
        headers.insert("authorization", format!("Bearer {token}").parse()?);

        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(trusting(&site.authority())).connect(name, stream).await?;
        Ok(client_async(request, stream).await?.0)
    }

    /// Subscribes to a room's events, those after `after` first.
    pub(crate) async fn join(&mut self, room: &str, after: Option<u64>) {
        let id = self.next_id();
        let mut frame = json!({"t": "join", "id": id, "room": room});
        if let Some(after) = after {
            frame["after"] = after.into();
        }
        self.send(&frame).await;
        self.answer(id).await;
    }

    /// Sends a message to a room; gives the `seq` of its acknowledgement.
    pub(crate) async fn say(&mut self, room: &str, body: &str) -> u64 {
        let id = self.next_id();
        let cid = uuid::Uuid::now_v7().to_string();
        self.send(&json!({"t": "send", "id": id, "room": room, "cid": cid, "body": body})).await;
        self.answer(id).await["seq"].as_u64().unwrap()
    }

    /// Any other frame that is answered with `ok`.
    pub(crate) async fn command(&mut self, mut frame: Value) {
        let id = self.next_id();
        frame["id"] = id.into();
        self.send(&frame).await;
        self.answer(id).await;
    }

    async fn answer(&mut self, id: u64) -> Value {
        let answer = self.next_where(&format!("the answer to request {id}"), |frame| frame["id"] == id).await;
        assert_eq!(answer["t"], "ok", "{answer}");
        answer
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Waits for a message of somebody with this text.
    pub(crate) async fn hears(&mut self, body: &str) -> Value {
        self.next_where(&format!("the message {body:?}"), |frame| {
            frame["t"] == "msg" && frame["body"] == body
        })
        .await
    }

    /// Waits for the end of the connection, with a goodbye or without.
    pub(crate) async fn breaks_off(&mut self) {
        let end = timeout(LIMIT, async {
            while let Some(Ok(message)) = self.socket.next().await {
                if message.is_close() {
                    return;
                }
            }
        });
        end.await.unwrap_or_else(|_| panic!("the connection does not break off: {:#?}", self.seen));
    }

    /// The next frame, or the code with which the connection was closed; 1006 when it broke.
    pub(crate) async fn next_or_end(&mut self) -> Result<Value, u16> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match timeout_at(deadline.into(), self.socket.next()).await.expect("something comes in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(Some(reason)))) => return Err(reason.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Waits as a page does for its `close` event: until the connection has ended after the close frames.
    pub(crate) async fn ended(&mut self) {
        let ended = async { while self.socket.next().await.is_some_and(|next| next.is_ok()) {} };
        timeout(LIMIT, ended).await.expect("the connection ends in time");
    }

    pub(crate) async fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next frame of a kind; others are passed over.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        self.next_where(kind, |frame| frame["t"] == kind).await
    }

    async fn next_where(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        // One deadline for all: pings keep coming.
        let deadline = Instant::now() + LIMIT;
        loop {
            let message = timeout_at(deadline.into(), self.socket.next()).await;
            let Ok(Some(Ok(message))) = message else {
                panic!("waited in vain for {what}: {message:?}\nuntil then: {:#?}", self.seen)
            };
            let Message::Text(text) = message else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if fits(&frame) {
                return frame;
            }
            self.seen.push(frame);
        }
    }
}

fn trusting(authority: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
