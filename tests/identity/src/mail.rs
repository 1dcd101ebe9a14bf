//! The mails that an installation sent, read from its outbox.

use std::{fs, time::Duration};

use irongate_test_servers::eventually;

use crate::Installation;

impl Installation {
    /// The mails to `address` whose subject is `subject`, oldest first, once there are as many as `at_least`.
    pub async fn mails(&self, address: &str, subject: &str, at_least: usize) -> Vec<String> {
        let what = format!("{at_least} mail(s) to {address}: {subject}");
        eventually(&what, Duration::from_secs(10), || async {
            self.mails_now(address, subject).len() >= at_least
        })
        .await;
        self.mails_now(address, subject)
    }

    /// The same, of those that are there.
    pub fn mails_now(&self, address: &str, subject: &str) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.platform.data.join("outbox")) else { return Vec::new() };
        let mut files: Vec<_> = folder.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort();
        let mails = files.iter().filter_map(|file| fs::read_to_string(file).ok());
        let has = |mail: &String, line: String| mail.lines().any(|found| found == line);
        mails
            .filter(|mail| has(mail, format!("To: {address}")) && has(mail, format!("Subject: {subject}")))
            .collect()
    }

    /// The token of the link in the newest of these mails.
    pub async fn mailed_token(&self, address: &str, subject: &str, at_least: usize) -> String {
        let mails = self.mails(address, subject, at_least).await;
        let mail = mails.last().expect("a mail");
        let token = mail.split("#token=").nth(1).expect("a link in the mail");
        token.split_whitespace().next().unwrap_or_default().to_owned()
    }
}
