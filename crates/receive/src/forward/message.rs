//! Messages of one connection.

use std::borrow::Cow;

use bytes::{Buf as _, Bytes, BytesMut};
use signalbox_model::attributes::AttributeValue;
use signalbox_model::{Error, ErrorKind};

use super::event::{self, Hand};
use super::handshake::{Guard, Verdict, ack};
use super::msgpack::{Fault, Item, Reader, Scan};
use super::{Mapping, Settings};
use crate::compression::{Encoding, decompress};
use crate::door::{Budget, Context, Share};
use crate::logs::{Assembler, Origins};
use crate::socket::{Conversation, Next, Turn};

/// Bytes of decompressed events after which a write is due.
const TURN_BYTES: usize = 16 << 20;
/// Longest name of a chunk; clients make names of 24 bytes.
const CHUNK_BYTES_MAX: usize = 1024;
/// Value of the option `fluent_signal` for log records.
const SIGNAL_LOGS: i64 = 0;

/// What a connection says.
#[derive(Debug)]
pub struct Messages {
    bytes_max: usize,
    mapping: Mapping,
    budget: Budget,
    origins: Origins,
    scan: Scan,
    gate: Gate,
}

#[derive(Debug)]
enum Gate {
    Open,
    /// The first message must be a PING.
    Guarded(Guard),
    /// Nobody is believed.
    Closed,
}

/// What becomes of one message.
enum Taken {
    /// It is done with.
    Done,
    /// Memory is used up; it is to be taken again.
    Starved,
}

/// What one turn gathers.
struct Gathered<'c> {
    assembler: Assembler<'c>,
    reply: Vec<u8>,
    share: Option<Share>,
    bytes: usize,
    acknowledged: u64,
    unacknowledged: u64,
}

impl Messages {
    /// Everybody may send. The budget is for what is decompressed.
    pub fn new(settings: &Settings, budget: Budget) -> Self {
        let Settings { message_bytes_max, mapping, .. } = settings;
        Self { bytes_max: *message_bytes_max, mapping: mapping.clone(), budget, origins: Origins::default(), scan: Scan::default(), gate: Gate::Open }
    }

    /// Only who passes.
    #[must_use]
    pub fn guarded(self, guard: Guard) -> Self {
        Self { gate: Gate::Guarded(guard), ..self }
    }

    /// Nobody.
    #[must_use]
    pub(super) fn closed(self) -> Self {
        Self { gate: Gate::Closed, ..self }
    }

    /// Takes complete messages while one write is not full.
    fn messages(&mut self, input: &mut BytesMut, context: &Context<'_>, gathered: &mut Gathered<'_>) -> Result<Next, Error> {
        loop {
            if gathered.bytes >= TURN_BYTES {
                return Ok(Next::Turn);
            }
            let end = match self.scan.advance(input).map_err(|fault| invalid(&fault))? {
                Some(end) if end <= self.bytes_max => end,
                None if input.len() <= self.bytes_max => return Ok(Next::Bytes),
                _ => return Err(Error::new(ErrorKind::TooLarge, format!("a message is larger than the limit of {} bytes", self.bytes_max))),
            };
            self.scan = Scan::default();
            let message = input.get(..end).unwrap_or_default();
            match &self.gate {
                Gate::Closed => return Err(Error::new(ErrorKind::Denied, "clients cannot be greeted")),
                Gate::Guarded(guard) => match guard.judge(message).map_err(|fault| invalid(&fault))? {
                    Verdict::Welcome(reply) => {
                        gathered.reply.extend(reply);
                        self.gate = Gate::Open;
                    }
                    Verdict::Refused(reply, why) => {
                        gathered.reply.extend(reply);
                        return Err(Error::new(ErrorKind::Denied, why));
                    }
                },
                Gate::Open => {
                    // Whatever speaks another protocol here begins with something else.
                    if !matches!(Reader::new(message).item(), Ok(Item::Array(_) | Item::Nil)) {
                        return Err(invalid(&Fault::Unexpected("an array")));
                    }
                    match message_of(message, self.bytes_max, &self.mapping, &mut self.origins, &self.budget, context, gathered) {
                        Ok(Taken::Done) => {}
                        Ok(Taken::Starved) => return Ok(Next::Memory),
                        Err(fault) => gathered.assembler.reject(1, "invalid", || invalid(&fault).to_string()),
                    }
                    gathered.bytes += end;
                }
            }
            input.advance(end);
        }
    }
}

impl Conversation for Messages {
    fn greeting(&mut self) -> Vec<u8> {
        match &self.gate {
            Gate::Guarded(guard) => guard.greeting(),
            Gate::Open | Gate::Closed => Vec::new(),
        }
    }

    fn read(&mut self, input: &mut BytesMut, is_last: bool, context: &Context<'_>) -> Turn {
        let mut gathered = Gathered { assembler: Assembler::new(context), reply: Vec::new(), share: None, bytes: 0, acknowledged: 0, unacknowledged: 0 };
        let (next, end) = match self.messages(input, context, &mut gathered) {
            Ok(next) => (next, None),
            Err(error) => (Next::Bytes, Some(error)),
        };
        if is_last && next == Next::Bytes {
            // A message that was cut short is sent again by who cares for it.
            input.clear();
        }
        let Gathered { assembler, reply, share, acknowledged, unacknowledged, .. } = gathered;
        Turn { decoded: assembler.finish(), reply, is_resent: acknowledged > 0 && unacknowledged == 0, end, next, share }
    }
}

fn invalid(fault: &Fault) -> Error {
    Error::invalid(format!("cannot read message of Fluent forward: {fault}"))
}

/// Options of a message.
#[derive(Debug, Default)]
struct Options<'a> {
    chunk: Option<&'a [u8]>,
    encoding: Option<&'a [u8]>,
    signal: Option<i64>,
}

/// A message before its events are read.
struct Head<'a> {
    tag: Cow<'a, str>,
    /// Behind the tag.
    body: Reader<'a>,
    form: Form<'a>,
    options: Options<'a>,
}

/// How events are written.
enum Form<'a> {
    /// A time and a record.
    Single,
    /// So many entries.
    Entries(u32),
    /// Entries in one text.
    Packed(&'a [u8]),
}

/// Reads all but the events; `None` for a heartbeat.
fn head(message: &[u8]) -> Result<Option<Head<'_>>, Fault> {
    const WANTED: &str = "[tag, events] or [tag, time, record]";
    let mut body = Reader::new(message);
    let count = match body.item()? {
        Item::Nil => return Ok(None),
        Item::Array(count) => count,
        _ => return Err(Fault::Unexpected(WANTED)),
    };
    let tag = String::from_utf8_lossy(body.text(WANTED)?);
    let (mut behind, mut ahead) = (body, body);
    let (form, parts) = match ahead.item()? {
        Item::Array(entries) => (Form::Entries(entries), 2),
        Item::Str(packed) | Item::Bin(packed) => (Form::Packed(packed), 2),
        Item::Int(_) | Item::Float(_) | Item::Ext(..) | Item::Large(_) | Item::Nil => (Form::Single, 3),
        Item::Bool(_) | Item::Map(_) => return Err(Fault::Unexpected(WANTED)),
    };
    if count != parts && count != parts + 1 {
        return Err(Fault::Unexpected(WANTED));
    }
    for _ in 1..parts {
        behind.skip()?;
    }
    let options = if count > parts { options(&mut behind)? } else { Options::default() };
    Ok(Some(Head { tag, body, form, options }))
}

/// Takes one message.
fn message_of(
    message: &[u8],
    bytes_max: usize,
    mapping: &Mapping,
    origins: &mut Origins,
    budget: &Budget,
    context: &Context<'_>,
    gathered: &mut Gathered<'_>,
) -> Result<Taken, Fault> {
    let Some(Head { tag, body, form, options }) = head(message)? else { return Ok(Taken::Done) };
    let before = gathered.assembler.len();
    let mut hand = Hand { mapping, origins, context, assembler: &mut gathered.assembler };
    let encoding = match options.encoding {
        None | Some(b"" | b"text") => Some(Encoding::Identity),
        Some(name) => std::str::from_utf8(name).ok().and_then(Encoding::from_name).filter(|encoding| matches!(encoding, Encoding::Gzip | Encoding::Zstd)),
    };
    let is_logs = options.signal.is_none_or(|signal| signal == SIGNAL_LOGS);
    let is_whole = match (form, encoding) {
        _ if !is_logs => {
            hand.assembler.reject(1, "unsupported", || "a message of Fluent Bit holds metrics or traces: send them as OTLP".to_owned());
            // It is the same when it is sent again.
            true
        }
        (Form::Single, _) => single(body, &tag, &mut hand),
        (Form::Entries(count), _) => entries(body, count, &tag, &mut hand),
        (Form::Packed(packed), Some(Encoding::Identity)) => packed_entries(packed, &tag, &mut hand),
        (Form::Packed(packed), Some(encoding)) => {
            let share = gathered.share.get_or_insert_with(|| budget.share());
            match decompress(encoding, Bytes::copy_from_slice(packed), bytes_max, share) {
                Ok(plain) => {
                    gathered.bytes += plain.len();
                    packed_entries(&plain, &tag, &mut hand)
                }
                Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Limit) => return Ok(Taken::Starved),
                Err(error) => {
                    hand.assembler.reject(1, "invalid", || error.to_string());
                    false
                }
            }
        }
        (Form::Packed(_), None) => {
            hand.assembler.reject(1, "unsupported", || "events are compressed otherwise than with gzip or zstd".to_owned());
            false
        }
    };
    let is_kept = gathered.assembler.len() > before;
    match options.chunk {
        // What is kept in part is acknowledged: sent again, it would be kept twice and not be read better.
        Some(chunk) if is_whole || is_kept => {
            gathered.reply.extend(ack(chunk));
            gathered.acknowledged += 1;
        }
        Some(_) => {}
        None => gathered.unacknowledged += 1,
    }
    Ok(Taken::Done)
}

/// A time and a record; whether they could be read.
fn single(mut body: Reader<'_>, tag: &str, hand: &mut Hand<'_, '_, '_>) -> bool {
    let read = event::time(&mut body).and_then(|time| event::event(&mut body, time, AttributeValue::Empty, tag, hand));
    read.map_err(|fault| hand.assembler.reject(1, "invalid", || format!("cannot read event: {fault}"))).is_ok()
}

/// An array of entries; whether all could be read.
fn entries(mut body: Reader<'_>, count: u32, tag: &str, hand: &mut Hand<'_, '_, '_>) -> bool {
    let read = body.item().and_then(|_| (0..count).try_for_each(|_| event::entry(&mut body, tag, hand)));
    read.map_err(|fault| hand.assembler.reject(1, "invalid", || format!("cannot read events: {fault}"))).is_ok()
}

/// Events one behind the other; whether all could be read.
fn packed_entries(packed: &[u8], tag: &str, hand: &mut Hand<'_, '_, '_>) -> bool {
    let mut reader = Reader::new(packed);
    while !reader.is_at_end() {
        if let Err(fault) = event::entry(&mut reader, tag, hand) {
            hand.assembler.reject(1, "invalid", || format!("cannot read packed events: {fault}"));
            return false;
        }
    }
    true
}

/// The map of options; nil and unknown ones have no effect.
fn options<'a>(reader: &mut Reader<'a>) -> Result<Options<'a>, Fault> {
    let mut options = Options::default();
    let count = match reader.item()? {
        Item::Map(count) => count,
        Item::Nil => return Ok(options),
        _ => return Err(Fault::Unexpected("a map of options")),
    };
    for _ in 0..count {
        let name = reader.text("the name of an option")?;
        let mut value = Reader::new(reader.skip()?);
        match (name, value.item()?) {
            (b"chunk", Item::Str(chunk) | Item::Bin(chunk)) if chunk.len() <= CHUNK_BYTES_MAX => options.chunk = Some(chunk),
            (b"compressed", Item::Str(name) | Item::Bin(name)) => options.encoding = Some(name),
            (b"fluent_signal", Item::Int(signal)) => options.signal = Some(signal),
            _ => {}
        }
    }
    Ok(options)
}
