//! What channels to services on the web have in common: a message becomes requests, and answers a yes or a failure. Each
//! service is a folder with its settings, in Alertmanager's names, and its payload, which is pure.

use std::fmt;

use serde_json::{Map, Value};

use crate::http::{Answer, Client, Request};
use crate::message::Message;
use crate::retry::Failure;
use crate::template::{Renderer, Templates};
use crate::{Delivery, Receipt};

/// What a service wants to be told, and what its answers mean.
pub(crate) trait Service: fmt::Debug + Send + Sync {
    /// The word for metrics, logs and the names of channels.
    fn kind(&self) -> &'static str;
    /// The name that people know.
    fn name(&self) -> &'static str;
    /// The requests of a message, in their order; none if there is nothing to say.
    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure>;
    /// What to ask after all these answers, which were a yes; nothing when all is said.
    fn follow_up(&self, _answers: &[Answer], _message: &Message, _renderer: &Renderer<'_>) -> Result<Option<Request>, Failure> {
        Ok(None)
    }
    /// What must be asked before, if the service wants that.
    fn login(&self, _renderer: &Renderer<'_>) -> Result<Option<Request>, Failure> {
        Ok(None)
    }
    /// Takes what the answer to the login says, before the requests are made.
    fn learn(&self, _answer: &Answer, _renderer: &Renderer<'_>) -> Result<(), Failure> {
        Ok(())
    }
    /// Puts into the requests what the answer to the login gave.
    fn admit(&self, answer: &Answer, _requests: &mut [Request]) -> Result<(), Failure> {
        answer.check()
    }
    /// What the service calls a message, by the last of its answers, if a later one can change it.
    fn handle(&self, _answer: &Answer) -> Option<String> {
        None
    }
    /// Whether an answer is a yes. By its status alone, unless the service says no with a status that says yes.
    fn judge(&self, answer: &Answer) -> Result<(), Failure> {
        answer.check()
    }
}

/// Answers after which a service has said enough: a conversation must end.
const FOLLOW_UPS_MAX: usize = 8;

/// A channel to a service on the web.
#[derive(Debug)]
pub struct Hosted {
    service: Box<dyn Service>,
    client: Client,
    templates: Templates,
    sends_resolved: bool,
}

impl Hosted {
    pub(crate) fn new(service: Box<dyn Service>, client: Client, templates: Templates, sends_resolved: bool) -> Self {
        Self { service, client, templates, sends_resolved }
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.service.kind()
    }

    pub(crate) fn sends_resolved(&self) -> bool {
        self.sends_resolved
    }

    pub(crate) async fn deliver(&self, delivery: Delivery<'_>) -> Result<Receipt, Failure> {
        // Each request of a service can be made twice: an attempt that broke off in between starts from the first.
        let renderer = || Renderer::new(&self.templates, delivery.message, delivery.now_ns).keyed(delivery.key()).after(delivery.handle);
        let login = self.service.login(&renderer())?;
        let admission = match login {
            Some(login) => Some(self.client.send(self.service.name(), login, delivery.now_ns).await?),
            None => None,
        };
        let requests = {
            let renderer = renderer();
            if let Some(answer) = &admission {
                self.service.learn(answer, &renderer)?;
            }
            let mut requests = self.service.requests(delivery.message, &renderer)?;
            if let Some(answer) = &admission {
                self.service.admit(answer, &mut requests)?;
            }
            requests
        };
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.ask(request, delivery.now_ns).await?);
        }
        while answers.len() <= FOLLOW_UPS_MAX {
            let next = self.service.follow_up(&answers, delivery.message, &renderer())?;
            let Some(request) = next else { break };
            answers.push(self.ask(request, delivery.now_ns).await?);
        }
        let receipt = answers.last().map_or_else(|| Receipt { answer: "not sent: there is nothing to say".to_owned(), handle: None }, Answer::receipt);
        Ok(Receipt { handle: answers.last().and_then(|answer| self.service.handle(answer)), ..receipt })
    }

    async fn ask(&self, request: Request, now_ns: i64) -> Result<Answer, Failure> {
        let answer = self.client.send(self.service.name(), request, now_ns).await?;
        self.service.judge(&answer)?;
        Ok(answer)
    }
}

/// What a service knows a group of alerts by, so that a repeated message changes what is there: the SHA-256 of its key.
pub(crate) fn group_hash(message: &Message) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, message.group_key.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An object of the texts that are not empty.
pub(crate) fn filled<const N: usize>(texts: [(&str, String); N]) -> Map<String, Value> {
    texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), Value::String(text))).collect()
}

/// A value with every text in it expanded. A text that then is JSON becomes what it says, except another text.
pub(crate) fn expand_all(renderer: &Renderer<'_>, value: &Value) -> Result<Value, Failure> {
    Ok(match value {
        Value::String(text) => {
            let text = renderer.text(text)?;
            match serde_json::from_str(&text) {
                Ok(inner @ (Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_))) => inner,
                _ => Value::String(text),
            }
        }
        Value::Array(list) => Value::Array(list.iter().map(|element| expand_all(renderer, element)).collect::<Result<_, _>>()?),
        Value::Object(map) => {
            let pairs = map.iter().map(|(name, value)| Ok((renderer.text(name)?, expand_all(renderer, value)?)));
            Value::Object(pairs.collect::<Result<_, Failure>>()?)
        }
        other => other.clone(),
    })
}

/// HMAC with SHA-256, in base64.
pub(crate) fn signature(key: &str, text: &str) -> String {
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes());
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag)
}

/// The parts of a text between commas that are not empty.
pub(crate) fn split(text: &str) -> Vec<&str> {
    text.trim().split(',').filter(|part| !part.is_empty()).collect()
}
