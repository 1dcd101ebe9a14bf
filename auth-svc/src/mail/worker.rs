//! Sends what waits: by SMTP when a server is configured, else into files.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use irongate_shared::{clock::Timestamp, config::Platform, db::DbError};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType},
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    Auth,
    config::Settings,
    store::mails::{self, MailRow},
};

/// Between two looks at an empty queue.
const IDLE: Duration = Duration::from_millis(500);

/// How long a mail server may take; then another attempt, by anybody, is due.
const TAKEN_FOR: Duration = Duration::from_secs(60);

/// A mail that nobody took for so long is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(3 * 86_400);

/// Where mails go.
pub(crate) enum Transport {
    Smtp {
        server: AsyncSmtpTransport<Tokio1Executor>,
        from: Mailbox,
    },
    /// For an installation without a mail server: one `.eml` file a mail.
    Files {
        folder: PathBuf,
        from: Mailbox,
    },
}

impl Transport {
    pub(crate) fn new(settings: &Settings, platform: &Platform) -> anyhow::Result<Self> {
        let host = platform.gateway.host_str().unwrap_or("localhost");
        let from = settings.mail_from.clone().unwrap_or_else(|| format!("Irongate <no-reply@{host}>"));
        let from: Mailbox = from.parse().with_context(|| format!("IRONGATE_AUTH__MAIL_FROM: `{from}`"))?;
        Ok(match &settings.smtp_url {
            Some(url) => {
                let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
                    .context("IRONGATE_AUTH__SMTP_URL; write smtps://user:password@host or smtp://host:25")?
                    .timeout(Some(TAKEN_FOR / 2))
                    .build();
                Self::Smtp { server, from }
            }
            None => Self::Files { folder: platform.data.join("outbox"), from },
        })
    }

    async fn send(&self, mail: &MailRow) -> anyhow::Result<()> {
        let (Self::Smtp { from, .. } | Self::Files { from, .. }) = self;
        let message = Message::builder()
            .from(from.clone())
            .to(mail.recipient.parse().context("the recipient")?)
            .subject(&mail.subject)
            // RFC 3834 §5: nobody's holiday answer is wanted.
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(unfolded(&mail.body))?;
        match self {
            Self::Smtp { server, .. } => {
                server.send(message).await?;
            }
            Self::Files { folder, .. } => {
                let file = folder.join(format!("{}.eml", mail.id));
                tokio::fs::create_dir_all(folder).await?;
                tokio::fs::write(&file, message.formatted()).await?;
                // The link too: there is no mailbox to look into.
                let link = mail.body.lines().find(|line| line.starts_with("http"));
                tracing::info!(file = %file.display(), subject = mail.subject, link, "mail written to a file");
            }
        }
        Ok(())
    }
}

/// A link stays on one line, as whoever opens the file without a mail program expects: the library would fold it at 76
/// characters, RFC 5322 §2.1.1 at 998.
fn unfolded(text: &str) -> Body {
    if text.is_ascii() && text.lines().all(|line| line.len() < 998) {
        let lines = text.replace('\n', "\r\n").into_bytes();
        return Body::dangerous_pre_encoded(lines, ContentTransferEncoding::SevenBit);
    }
    Body::new(text.to_owned())
}

#[derive(Debug, Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Sends until `shutdown`.
pub(crate) async fn run(auth: Arc<Auth>, transport: Transport, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match send_one(&auth, &transport).await {
            Ok(true) => {}
            Ok(false) => {
                shutdown.run_until_cancelled(tokio::time::sleep(IDLE)).await;
            }
            Err(why) => {
                tracing::debug!(reason = %why, "the mail queue could not be read");
                shutdown.run_until_cancelled(tokio::time::sleep(IDLE * 10)).await;
            }
        }
    }
}

/// Sends the mail that is due for the longest; says whether there was one.
async fn send_one(auth: &Auth, transport: &Transport) -> Result<bool, DbError> {
    let now = auth.clock.now();
    // Asked by reading first: SQLite's one writer is not to be bothered twice a second.
    if !auth.database.read(move |db| mails::is_due(db, now)).await? {
        return Ok(false);
    }
    let Some(mail) = auth.database.write(move |db| mails::take(db, now, now + TAKEN_FOR)).await? else {
        return Ok(false);
    };
    let sent = transport.send(&mail).await;
    let done = match &sent {
        Ok(()) => true,
        Err(why) => {
            let given_up = now.since(mail.created_at_ms) > GIVEN_UP_AFTER;
            tracing::warn!(
                mail = mail.id,
                attempts = mail.attempts + 1,
                given_up,
                reason = format!("{why:#}"),
                "a mail was not sent"
            );
            given_up
        }
    };
    if done {
        auth.database.write(move |db| mails::delete(db, &mail.id)).await?;
    } else {
        let next = next_attempt(&mail, now);
        auth.database.write(move |db| mails::postpone(db, &mail.id, next)).await?;
    }
    Ok(true)
}

/// After a minute, two, four, … an hour.
fn next_attempt(mail: &MailRow, now: Timestamp) -> Timestamp {
    let doublings = u32::try_from(mail.attempts.clamp(0, 6)).unwrap_or(6);
    now + TAKEN_FOR * 2_u32.pow(doublings)
}
