//! Datagrams that are pieces of one message.
//!
//! A piece is `1e 0f`, eight bytes that name the message, its number, and how many there are; the rest is payload. What is
//! not complete five seconds after its first piece is forgotten, as the specification asks; so is the oldest when there is
//! no more room.

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;

/// What a piece begins with.
const MAGIC: [u8; 2] = [0x1e, 0x0f];
const HEAD_BYTES: usize = 12;
/// Pieces of one message, says the specification.
const PIECES_MAX: u8 = 128;
/// How long the pieces of a message may take to arrive, in nanoseconds.
const AGE_NS_MAX: i64 = 5_000_000_000;
/// Messages that may be incomplete at one time, and bytes of their pieces.
const INCOMPLETE_MAX: usize = 1024;
const INCOMPLETE_BYTES_MAX: usize = 64 << 20;
/// Names in the order of their first piece: those that are complete are swept out when they are many.
const ORDER_MAX: usize = 4 * INCOMPLETE_MAX;

/// Who sent a message, and its name: names are made up by the senders.
type Key = (IpAddr, [u8; 8]);

/// Messages of which pieces are missing.
#[derive(Debug, Default)]
pub struct Chunks {
    incomplete: HashMap<Key, Incomplete>,
    /// The oldest first; names that are complete by now are passed over.
    order: VecDeque<(i64, Key)>,
    bytes: usize,
}

#[derive(Debug)]
struct Incomplete {
    first_ns: i64,
    pieces: Vec<Option<Box<[u8]>>>,
    missing: usize,
    bytes: usize,
}

/// What a datagram is.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// No piece, but a message.
    Whole,
    /// A piece of a message that lacks others, or one that came before.
    Kept,
    /// The last one that was missing: the message.
    Last(Vec<u8>),
    /// A piece that cannot be one.
    Bad(&'static str),
}

impl Chunks {
    /// Takes a datagram.
    pub fn take(&mut self, datagram: &[u8], peer: IpAddr, now_ns: i64) -> Piece {
        if !datagram.starts_with(&MAGIC) {
            return Piece::Whole;
        }
        let Some((head, payload)) = datagram.split_first_chunk::<HEAD_BYTES>() else { return Piece::Bad("a chunk is cut short") };
        let [_, _, name @ .., number, count] = *head;
        if count == 0 || count > PIECES_MAX {
            return Piece::Bad("a message has no chunk, or more than 128");
        }
        if number >= count {
            return Piece::Bad("the number of a chunk is not below their count");
        }
        let key = (peer, name);
        let incomplete = self.incomplete.entry(key).or_insert_with(|| {
            self.order.push_back((now_ns, key));
            Incomplete { first_ns: now_ns, pieces: vec![None; count.into()], missing: count.into(), bytes: 0 }
        });
        if incomplete.pieces.len() != usize::from(count) {
            return Piece::Bad("chunks of one message disagree about their count");
        }
        let Some(place) = incomplete.pieces.get_mut(usize::from(number)).filter(|place| place.is_none()) else { return Piece::Kept };
        *place = Some(payload.into());
        incomplete.missing -= 1;
        incomplete.bytes += payload.len();
        self.bytes += payload.len();
        if incomplete.missing > 0 {
            return Piece::Kept;
        }
        let Some(complete) = self.remove(&key) else { return Piece::Kept };
        Piece::Last(complete.pieces.into_iter().flatten().collect::<Vec<_>>().concat())
    }

    /// Forgets what is too old or too much; how many messages that were.
    pub fn forget(&mut self, now_ns: i64) -> u64 {
        let mut forgotten = 0;
        while let Some((first_ns, key)) = self.order.front().copied() {
            let is_gone = self.incomplete.get(&key).is_none_or(|incomplete| incomplete.first_ns != first_ns);
            let is_old = now_ns.saturating_sub(first_ns) > AGE_NS_MAX;
            let is_too_much = self.incomplete.len() > INCOMPLETE_MAX || self.bytes > INCOMPLETE_BYTES_MAX;
            if !is_gone && !is_old && !is_too_much {
                break;
            }
            self.order.pop_front();
            if !is_gone && self.remove(&key).is_some() {
                forgotten += 1;
            }
        }
        if self.order.len() > ORDER_MAX {
            self.order.retain(|(first_ns, key)| self.incomplete.get(key).is_some_and(|incomplete| incomplete.first_ns == *first_ns));
        }
        forgotten
    }

    fn remove(&mut self, key: &Key) -> Option<Incomplete> {
        let removed = self.incomplete.remove(key)?;
        self.bytes -= removed.bytes;
        Some(removed)
    }
}
