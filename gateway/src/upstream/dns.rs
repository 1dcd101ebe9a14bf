//! Asking name servers for addresses (RFC 1035), where `[resolver]` names some: what `resolver` is in NGINX.
//!
//! A stub: it asks a recursive server for A and AAAA, over UDP and, when the answer was cut, over TCP. Aliases are
//! followed by that server, so whatever addresses it answers with are meant.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket, lookup_host},
    time::timeout,
};

/// RFC 1035 §2.3.4, and what one may say over UDP without extensions.
const NAME_MAX: usize = 253;
const UDP_MAX: usize = 512;
const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;

/// Where the addresses of a name come from.
#[derive(Clone, Debug)]
pub(crate) enum Resolver {
    /// The system's way: hosts file, search list, its name servers.
    System,
    /// These name servers, each for so long.
    Servers { servers: Arc<[SocketAddr]>, timeout: Duration },
}

impl Resolver {
    /// All addresses of `host`, sorted. An error when nobody says any.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut found: Vec<SocketAddr> = match self {
            Resolver::System => lookup_host((host, port)).await?.collect(),
            Resolver::Servers { servers, timeout } => {
                let addresses = ask_all(servers, *timeout, host).await?;
                addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect()
            }
        };
        // Servers turn their answers round; the same addresses are the same answer.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// The first server that knows anything.
async fn ask_all(servers: &[SocketAddr], limit: Duration, host: &str) -> io::Result<Vec<IpAddr>> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for server in servers {
        let both = async { tokio::join!(ask(*server, host, A), ask(*server, host, AAAA)) };
        match timeout(limit, both).await {
            Ok((Ok(v4), Ok(v6))) if !v4.is_empty() || !v6.is_empty() => return Ok([v4, v6].concat()),
            // Half an answer is one: a server may know nothing of the other family.
            Ok((Ok(some), Err(_)) | (Err(_), Ok(some))) if !some.is_empty() => return Ok(some),
            Ok((Ok(_), Ok(_))) => last = io::ErrorKind::NotFound.into(),
            Ok((Err(error), _) | (_, Err(error))) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn ask(server: SocketAddr, host: &str, kind: u16) -> io::Result<Vec<IpAddr>> {
    // SECURITY: forged answers. A random id, and a port that the system picks at random for each question.
    let id = fastrand::u16(..);
    let question = question(id, host, kind)?;
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    socket.send(&question).await?;
    let mut answer = [0; UDP_MAX];
    loop {
        let size = socket.recv(&mut answer).await?;
        match read(answer.get(..size).unwrap_or_default(), &question, kind) {
            Ok(Answer::Addresses(addresses)) => return Ok(addresses),
            Ok(Answer::Cut) => return over_tcp(server, &question, kind).await,
            Ok(Answer::Refused(code)) => return Err(refused(code)),
            // Not the answer to this question: the right one may yet come.
            Err(Nonsense) => {}
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &[u8], kind: u16) -> io::Result<Vec<IpAddr>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await?;
    match read(&answer, question, kind) {
        Ok(Answer::Addresses(addresses)) => Ok(addresses),
        Ok(Answer::Refused(code)) => Err(refused(code)),
        Ok(Answer::Cut) | Err(Nonsense) => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn refused(code: u8) -> io::Error {
    match code {
        3 => io::Error::new(io::ErrorKind::NotFound, "the name does not exist"),
        code => io::Error::other(format!("the name server answered with code {code}")),
    }
}

/// RFC 1035 §4.1: header and one question, recursion desired.
fn question(id: u16, host: &str, kind: u16) -> io::Result<Vec<u8>> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut text = Vec::with_capacity(host.len() + 18);
    for part in [id, 0x0100, 1, 0, 0, 0] {
        text.extend_from_slice(&part.to_be_bytes());
    }
    for label in host.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length));
        let length = length.filter(|_| host.len() <= NAME_MAX).ok_or(io::ErrorKind::InvalidInput)?;
        text.push(length);
        text.extend_from_slice(label.as_bytes());
    }
    text.push(0);
    text.extend_from_slice(&kind.to_be_bytes());
    text.extend_from_slice(&INTERNET.to_be_bytes());
    Ok(text)
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Addresses(Vec<IpAddr>),
    /// More than fits: to be asked for over TCP.
    Cut,
    Refused(u8),
}

/// Bytes that are no answer to the question.
#[derive(Debug, PartialEq, Eq)]
struct Nonsense;

fn read(answer: &[u8], question: &[u8], kind: u16) -> Result<Answer, Nonsense> {
    let mut reader = Reader { text: answer, at: 0 };
    let (id, flags) = (reader.number()?, reader.number()?);
    let (questions, answers) = (reader.number()?, reader.number()?);
    reader.skip(4)?;
    let asked = question.get(12..).ok_or(Nonsense)?;
    let echoed = reader.take(asked.len())?;
    // SECURITY: an answer repeats the question (names without regard to case), or it is somebody else's.
    let is_ours = question.get(..2) == Some(&id.to_be_bytes()[..])
        && flags & 0x8000 != 0
        && questions == 1
        && echoed.eq_ignore_ascii_case(asked);
    if !is_ours {
        return Err(Nonsense);
    }
    let code = u8::try_from(flags & 0xf).unwrap_or(0);
    if code != 0 {
        return Ok(Answer::Refused(code));
    }
    if flags & 0x0200 != 0 {
        return Ok(Answer::Cut);
    }
    let mut addresses = Vec::new();
    for _ in 0..answers {
        reader.name()?;
        let (found, class) = (reader.number()?, reader.number()?);
        reader.skip(4)?;
        let length = reader.number()?;
        let data = reader.take(length.into())?;
        if found != kind || class != INTERNET {
            continue;
        }
        addresses.push(match kind {
            A => IpAddr::from(<[u8; 4]>::try_from(data).map_err(|_| Nonsense)?),
            _ => IpAddr::from(<[u8; 16]>::try_from(data).map_err(|_| Nonsense)?),
        });
    }
    Ok(Answer::Addresses(addresses))
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    fn take(&mut self, size: usize) -> Result<&'t [u8], Nonsense> {
        let piece = self.text.get(self.at..self.at + size).ok_or(Nonsense)?;
        self.at += size;
        Ok(piece)
    }

    fn skip(&mut self, size: usize) -> Result<(), Nonsense> {
        self.take(size).map(drop)
    }

    fn number(&mut self) -> Result<u16, Nonsense> {
        self.take(2)?.try_into().map(u16::from_be_bytes).map_err(|_| Nonsense)
    }

    /// Past a name; where a pointer in it leads does not matter here.
    fn name(&mut self) -> Result<(), Nonsense> {
        loop {
            match self.take(1)? {
                [0] => return Ok(()),
                [length] if length & 0xc0 == 0xc0 => return self.skip(1),
                [length] if *length < 64 => self.skip((*length).into())?,
                _ => return Err(Nonsense),
            }
        }
    }
}

/// What answers no question of ours says nothing; what answers one gives addresses of the kind asked for.
#[cfg(test)]
pub(crate) fn fuzz(data: &[u8]) {
    for kind in [A, AAAA] {
        let Ok(mut question) = question(0x2a2a, "chat-svc.test", kind) else { return };
        let _ = read(data, &question, kind);
        // With the question in front, as a real answer has it, for whatever comes after it.
        let mut answer = question.clone();
        for (at, byte) in [(2, 0x80), (7, 3)] {
            if let Some(place) = answer.get_mut(at) {
                *place = byte;
            }
        }
        answer.extend_from_slice(data);
        if let Ok(Answer::Addresses(addresses)) = read(&answer, &question, kind) {
            assert!(addresses.len() <= 3 && addresses.iter().all(|address| address.is_ipv4() == (kind == A)));
        }
        if let Some(id) = question.first_mut() {
            *id ^= 1;
        }
        assert_eq!(read(&answer, &question, kind), Err(Nonsense), "somebody else's answer");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer to `question` with these flags and records (type and data), names by pointer.
    fn answer(question: &[u8], flags: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut text = question.to_vec();
        text[2..4].copy_from_slice(&flags.to_be_bytes());
        text[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
        for (kind, data) in records {
            text.extend_from_slice(&[0xc0, 12]);
            text.extend_from_slice(&kind.to_be_bytes());
            text.extend_from_slice(&[0, 1, 0, 0, 0, 5]);
            text.extend_from_slice(&(data.len() as u16).to_be_bytes());
            text.extend_from_slice(data);
        }
        text
    }

    #[test]
    fn addresses_are_read_past_aliases() {
        let asked = question(7, "Chat-svc.example.", A).unwrap();
        let alias: (u16, &[u8]) = (5, b"\x01x\xc0\x0c");
        let given =
            answer(&asked, 0x8180, &[alias, (A, &[10, 0, 0, 1]), (AAAA, &[0; 16]), (A, &[10, 0, 0, 2])]);
        let wanted = vec![IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        assert_eq!(read(&given, &asked, A), Ok(Answer::Addresses(wanted)));
        assert_eq!(read(&answer(&asked, 0x8380, &[]), &asked, A), Ok(Answer::Cut));
        assert_eq!(read(&answer(&asked, 0x8183, &[]), &asked, A), Ok(Answer::Refused(3)));
    }

    #[test]
    fn what_answers_another_question_is_nothing() {
        let asked = question(7, "chat.example", A).unwrap();
        let record: (u16, &[u8]) = (A, &[6, 6, 6, 6]);
        for other in [
            question(8, "chat.example", A),
            question(7, "evil.example", A),
            question(7, "chat.example", AAAA),
        ] {
            assert_eq!(read(&answer(&other.unwrap(), 0x8180, &[record]), &asked, A), Err(Nonsense));
        }
        assert_eq!(
            read(&answer(&asked, 0x0100, &[record]), &asked, A),
            Err(Nonsense),
            "a question is no answer"
        );
        assert_eq!(read(&answer(&asked, 0x8180, &[(A, &[1, 2, 3])]), &asked, A), Err(Nonsense));
        let too_long = "a".repeat(64);
        for bad in ["", "a..b", &too_long, &"a.".repeat(200)] {
            assert!(question(1, bad, A).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(text in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..80) {
            let asked = question(7, "chat.example", A).unwrap();
            let _ = read(&text, &asked, A);
            let mut mixed = answer(&asked, 0x8180, &[(A, &[1, 2, 3, 4])]);
            mixed.truncate(cut);
            mixed.extend_from_slice(&text);
            let _ = read(&mixed, &asked, A);
        }
    }
}
