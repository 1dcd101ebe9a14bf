//! The client of `static/app/net/chat.js` in node, against two replicas. `tests/frontend/chat.test.mjs` tells the stories;
//! what only we can do for it (users, replicas that stop) it asks for over a socket, a line each.

use std::{path::Path, process::Stdio, time::Duration};

use irongate_shared::{id::SessionId, token::revocation::Revocation};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
};

use crate::support::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_client_keeps_its_promises() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let installed = Command::new(root.join("tests/frontend/install")).status().await.unwrap();
    assert!(installed.success(), "tests/frontend/install failed");
    let mut cluster = Cluster::start_as_shipped(2).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let replicas: Vec<_> = cluster.replicas.iter().map(|replica| replica.base.clone()).collect();

    let mut node = Command::new("node")
        .args(["--test", "tests/frontend/chat.test.mjs"])
        .current_dir(root)
        .env("CHAT_REPLICAS", replicas.join(" "))
        .env("CHAT_HELPER", listener.local_addr().unwrap().to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("node is installed: `./just test` installs it");

    let ended = async {
        loop {
            tokio::select! {
                ended = node.wait() => return ended.unwrap(),
                asked = listener.accept() => help(&mut cluster, asked.unwrap().0).await,
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(300), ended).await.expect("it ends in time");
    assert!(ended.success(), "see above");
}

/// Does what is asked on one connection.
async fn help(cluster: &mut Cluster, asked: TcpStream) {
    let mut asked = BufReader::new(asked);
    let mut line = String::new();
    asked.read_line(&mut line).await.unwrap();
    let answer = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["user", name] => {
            let user = cluster.user(0, name);
            json!({ "id": user.id, "session": user.session, "token": user.token })
        }
        ["token", id, name, seconds] => {
            let life = Duration::from_secs(seconds.parse().unwrap());
            let token = cluster.token(id.parse().unwrap(), SessionId::new(), name, name, life);
            json!({ "token": token })
        }
        ["revoke", session] => {
            cluster.revoke(Revocation::Session(session.parse().unwrap()));
            Value::Null
        }
        ["stop", replica] => {
            let replica = replica.parse().unwrap();
            cluster.terminate(replica);
            Value::Null
        }
        ["start", replica] => {
            let replica = replica.parse().unwrap();
            assert_eq!(cluster.ended(replica).await, 0);
            cluster.start_replica(replica);
            cluster.ready(replica).await;
            Value::Null
        }
        other => panic!("{other:?} is nothing we do"),
    };
    asked.get_mut().write_all(format!("{answer}\n").as_bytes()).await.unwrap();
}
