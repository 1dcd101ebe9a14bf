//! Mail by SMTP, taken by a mail server of the test's own (RFC 5321).

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use irongate_test_identity::{Backend, Installation, Setup, json};
use irongate_test_servers::{eventually, free_port};

/// What a mail server has taken: envelope and message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Taken {
    from: String,
    to: Vec<String>,
    message: String,
}

/// A mail server. Each connection is a thread, which ends with it.
#[derive(Clone, Default)]
struct MailServer {
    taken: Arc<Mutex<Vec<Taken>>>,
    /// How many of the next mails are answered "not now".
    busy: Arc<Mutex<u32>>,
}

impl MailServer {
    fn listen(&self, port: u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let server = self.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(connection));
            }
        });
    }

    fn serve(&self, mut connection: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(connection.try_clone().ok()?).lines();
        let mut say = move |line: &str| write!(connection, "{line}\r\n").ok();
        let mut mail = Taken::default();
        say("220 mail.example.org ESMTP")?;
        loop {
            let line = lines.next()?.ok()?;
            let word = line.split(' ').next()?.to_ascii_uppercase();
            match word.as_str() {
                "EHLO" | "HELO" => say("250 mail.example.org")?,
                "MAIL" => {
                    let mut busy = self.busy.lock().unwrap();
                    if *busy > 0 {
                        *busy -= 1;
                        say("451 4.3.2 not now")?;
                    } else {
                        mail = Taken { from: address(&line), ..Taken::default() };
                        say("250 2.1.0 ok")?;
                    }
                }
                "RCPT" => {
                    mail.to.push(address(&line));
                    say("250 2.1.5 ok")?;
                }
                "DATA" => {
                    say("354 go on")?;
                    loop {
                        let line = lines.next()?.ok()?;
                        if line == "." {
                            break;
                        }
                        mail.message += line.strip_prefix('.').unwrap_or(&line);
                        mail.message.push('\n');
                    }
                    self.taken.lock().unwrap().push(std::mem::take(&mut mail));
                    say("250 2.0.0 taken")?;
                }
                "QUIT" => return say("221 2.0.0 bye"),
                "RSET" | "NOOP" => say("250 2.0.0 ok")?,
                _ => say("500 5.5.2 what?")?,
            }
        }
    }

    fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

/// What stands between `<` and `>`.
fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn mail_is_handed_to_the_mail_server_once_and_tried_again_when_that_is_busy() {
    let (server, port) = (MailServer::default(), free_port());
    *server.busy.lock().unwrap() = 1;
    server.listen(port);
    let mut setup = Setup::on(Backend::Sqlite);
    setup.auth.smtp_url = Some(format!("smtp://127.0.0.1:{port}").into());
    setup.auth.mail_from = Some("Harbour <no-reply@example.org>".to_owned());
    let app = Installation::start_with(setup).await;
    let arrived = async |subject: &str| {
        let is_it =
            |mail: &Taken| mail.message.lines().any(|line| line.strip_prefix("Subject: ") == Some(subject));
        eventually(&format!("a mail: {subject}"), Duration::from_secs(30), || async {
            server.taken().iter().any(is_it)
        })
        .await;
        let taken = server.taken();
        assert_eq!(taken.iter().filter(|mail| is_it(mail)).count(), 1, "{taken:?}");
        taken.into_iter().find(is_it).unwrap()
    };

    app.register("ann").await;
    eventually("the server says that it is busy", Duration::from_secs(30), || async {
        *server.busy.lock().unwrap() == 0
    })
    .await;
    app.clock.advance(Duration::from_secs(61));

    let verify = arrived("Confirm your e-mail address").await;
    assert_eq!(
        (verify.from.as_str(), verify.to.as_slice()),
        ("no-reply@example.org", &["ann@example.org".to_owned()][..])
    );
    let token = verify.message.split("#token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    app.post("/auth/email/verify").json(json!({ "token": token })).send().await.expect(204);
    app.post("/auth/password/forgot").json(json!({ "email": "ann@example.org" })).send().await.expect(202);
    let reset = arrived("Choose a new password").await;
    assert_eq!(reset.to, ["ann@example.org"]);
    assert!(
        !app.platform.data.join("outbox").exists(),
        "nothing is written to files where there is a server"
    );
}
