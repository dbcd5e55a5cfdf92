//! A mail server that writes down every line and answers by script.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use crate::http_peer::ReadWrite;

/// What the server says; everything not mentioned gets a friendly answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Extensions that are offered before and after encryption.
    pub(crate) offers: Vec<&'static str>,
    /// Whether TLS comes before the first word.
    pub(crate) is_implicit_tls: bool,
    /// Answers by the first word of a command; an empty one is none at all. `.` is the end of the mail.
    pub(crate) answers: BTreeMap<&'static str, &'static str>,
}

/// One connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Commands, in order; `(TLS)` where encryption began.
    pub(crate) commands: Vec<String>,
    /// The mail, without the dots that protect it on the way.
    pub(crate) mail: String,
}

pub(crate) struct SmtpPeer {
    pub(crate) port: u16,
    pub(crate) sessions: Receiver<Session>,
}

impl SmtpPeer {
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, sessions) = sync_channel(100);
        let serve = move || {
            for stream in listener.incoming() {
                if sender.send(serve(stream.unwrap(), &script)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("smtp peer".into()).spawn(serve).unwrap();
        Self { port, sessions }
    }
}

fn encrypted(stream: TcpStream) -> BufReader<Box<dyn ReadWrite>> {
    let connection = rustls::ServerConnection::new(Arc::clone(&crate::server_tls())).unwrap();
    BufReader::new(Box::new(rustls::StreamOwned::new(connection, stream)))
}

/// Until the client goes. Errors end the session: what it was until then is what the test looks at.
fn serve(tcp: TcpStream, script: &Script) -> Session {
    let mut session = Session::default();
    let mut stream: BufReader<Box<dyn ReadWrite>> =
        if script.is_implicit_tls { encrypted(tcp.try_clone().unwrap()) } else { BufReader::new(Box::new(tcp.try_clone().unwrap())) };
    if say(&mut stream, "220 peer ready").is_none() {
        return session;
    }
    while let Some(line) = hear(&mut stream) {
        session.commands.push(line.clone());
        let word = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let answer = match (script.answers.get(word.as_str()).copied(), word.as_str()) {
            (Some(""), _) => continue,
            (Some(answer), _) => answer.to_owned(),
            (None, "EHLO") => extensions(&script.offers),
            (None, "AUTH") if line == "AUTH LOGIN" => login(&mut session, &mut stream),
            (None, "AUTH") if line == "AUTH CRAM-MD5" => cram(&mut session, &mut stream),
            (None, "AUTH") => "235 welcome".into(),
            (None, "DATA") => {
                if say(&mut stream, "354 go on").is_none() {
                    break;
                }
                session.mail = mail(&mut stream);
                match script.answers.get(".").copied() {
                    Some("") => continue,
                    Some(answer) => answer.to_owned(),
                    None => "250 taken".into(),
                }
            }
            (None, "STARTTLS") => {
                if say(&mut stream, "220 go ahead").is_none() {
                    break;
                }
                session.commands.push("(TLS)".into());
                stream = encrypted(tcp.try_clone().unwrap());
                continue;
            }
            (None, "QUIT") => "221 bye".into(),
            (None, _) => "250 fine".into(),
        };
        if say(&mut stream, &answer).is_none() || word == "QUIT" {
            break;
        }
    }
    session
}

fn extensions(offers: &[&str]) -> String {
    let lines: Vec<&str> = std::iter::once("peer").chain(offers.iter().copied()).collect();
    let last = lines.len() - 1;
    let lines = lines.iter().enumerate().map(|(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' }));
    lines.collect::<Vec<_>>().join("\r\n")
}

/// The challenge of RFC 2195.
fn cram(session: &mut Session, stream: &mut BufReader<Box<dyn ReadWrite>>) -> String {
    if say(stream, "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+").is_some() {
        session.commands.extend(hear(stream));
    }
    "235 welcome".into()
}

fn login(session: &mut Session, stream: &mut BufReader<Box<dyn ReadWrite>>) -> String {
    for prompt in ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"] {
        if say(stream, prompt).is_none() {
            break;
        }
        session.commands.extend(hear(stream));
    }
    "235 welcome".into()
}

fn mail(stream: &mut BufReader<Box<dyn ReadWrite>>) -> String {
    let mut lines = Vec::new();
    while let Some(line) = hear(stream) {
        if line == "." {
            break;
        }
        lines.push(line.strip_prefix('.').unwrap_or(&line).to_owned());
    }
    lines.join("\n")
}

fn hear(stream: &mut BufReader<Box<dyn ReadWrite>>) -> Option<String> {
    let mut line = String::new();
    (stream.read_line(&mut line).ok()? > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

fn say(stream: &mut BufReader<Box<dyn ReadWrite>>, text: &str) -> Option<()> {
    stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).ok()?;
    stream.get_mut().flush().ok()
}
