//! A web server that reads requests as they are on the wire and answers by script.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let matches = |line: &&String| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
        self.headers.iter().find(matches).map(|line| line.split_once(':').unwrap().1.trim())
    }
}

/// The server: one connection an answer, in order; an empty answer is none at all while the client waits.
pub(crate) struct HttpPeer {
    pub(crate) port: u16,
    pub(crate) requests: Receiver<Request>,
}

impl HttpPeer {
    pub(crate) fn start(answers: &[&'static str]) -> Self {
        Self::start_with(answers, |stream| Box::new(stream))
    }

    pub(crate) fn start_tls(answers: &[&'static str]) -> Self {
        let tls = crate::server_tls();
        Self::start_with(answers, move |stream| Box::new(rustls::StreamOwned::new(rustls::ServerConnection::new(tls.clone()).unwrap(), stream)))
    }

    /// One that wants to see a certificate of the client.
    pub(crate) fn start_mutual(answers: &[&'static str]) -> Self {
        let tls = crate::mutual_tls();
        Self::start_with(answers, move |stream| Box::new(rustls::StreamOwned::new(rustls::ServerConnection::new(tls.clone()).unwrap(), stream)))
    }

    fn start_with(answers: &[&'static str], wrap: impl Fn(TcpStream) -> Box<dyn ReadWrite> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = sync_channel(100);
        let answers = answers.to_vec();
        let serve = move || {
            // A connection whose client does not like us (TLS) takes no answer from the script.
            let mut answers = answers.into_iter().peekable();
            let mut silent = Vec::new();
            while let Some(answer) = answers.peek().copied() {
                let (stream, _) = listener.accept().unwrap();
                let mut stream = BufReader::new(wrap(stream));
                let Some(request) = read(&mut stream) else { continue };
                answers.next();
                if sender.send(request).is_err() {
                    return;
                }
                if answer.is_empty() {
                    silent.push(stream);
                } else {
                    // The client may have left; what it was told shows in the test.
                    stream.get_mut().write_all(answer.as_bytes()).and_then(|()| stream.get_mut().flush()).unwrap_or_default();
                }
            }
        };
        std::thread::Builder::new().name("http peer".into()).spawn(serve).unwrap();
        Self { port, requests }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }
}

pub(crate) trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn read(stream: &mut BufReader<Box<dyn ReadWrite>>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut request = Request { line: lines.remove(0), headers: lines, body: String::new() };
    let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}
