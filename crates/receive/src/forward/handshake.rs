//! HELO, PING, PONG: both sides prove that they know the shared key, and the client that it is a user.
//!
//! Digests are hexadecimal SHA-512, as the protocol has it since its version 1.

use ring::digest::{SHA512, digest};
use rmp::encode;

use super::msgpack::{Fault, Item, Reader};
use super::{Secret, User};

/// Bytes that make each greeting another one.
pub const NONCE_BYTES: usize = 16;

/// What the server knows.
#[derive(Debug, Clone)]
pub struct Guard {
    shared_key: Secret,
    hostname: String,
    users: Vec<User>,
    nonce: [u8; NONCE_BYTES],
    salt: [u8; NONCE_BYTES],
}

/// What becomes of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may send; the answer.
    Welcome(Vec<u8>),
    /// It may not; the answer, and why.
    Refused(Vec<u8>, &'static str),
}

impl Guard {
    /// `nonce` and `salt` MUST be random for each connection.
    pub fn new(shared_key: &Secret, hostname: &str, users: &[User], nonce: [u8; NONCE_BYTES], salt: [u8; NONCE_BYTES]) -> Self {
        Self { shared_key: shared_key.clone(), hostname: hostname.to_owned(), users: users.to_vec(), nonce, salt }
    }

    /// What the server says first: `["HELO", {"nonce": …, "auth": …, "keepalive": true}]`. An empty `auth` asks for no user.
    pub fn greeting(&self) -> Vec<u8> {
        let auth: &[u8] = if self.users.is_empty() { &[] } else { &self.salt };
        written(|out| {
            encode::write_array_len(out, 2)?;
            encode::write_str(out, "HELO")?;
            encode::write_map_len(out, 3)?;
            encode::write_str(out, "nonce")?;
            encode::write_bin(out, &self.nonce)?;
            encode::write_str(out, "auth")?;
            encode::write_bin(out, auth)?;
            encode::write_str(out, "keepalive")?;
            encode::write_bool(out, true).map_err(encode::ValueWriteError::InvalidDataWrite)
        })
    }

    /// Judges `["PING", hostname, salt, digest, user, digest of the password]`.
    ///
    /// # Errors
    /// If the message is no PING.
    pub fn judge(&self, message: &[u8]) -> Result<Verdict, Fault> {
        const WANTED: &str = "[\"PING\", hostname, salt, digest, user, password]";
        let mut reader = Reader::new(message);
        if reader.item()? != Item::Array(6) || reader.text(WANTED)? != b"PING" {
            return Err(Fault::Unexpected(WANTED));
        }
        let (hostname, salt, told) = (reader.text(WANTED)?, reader.text(WANTED)?, reader.text(WANTED)?);
        let (name, password) = (reader.text(WANTED)?, reader.text(WANTED)?);
        if !is_equal(&hex_digest(&[salt, hostname, &self.nonce, self.shared_key.reveal().as_bytes()]), told) {
            return Ok(self.refuse("shared key mismatch"));
        }
        let knows = |user: &User| {
            let expected = hex_digest(&[&self.salt, user.name.as_bytes(), user.password.reveal().as_bytes()]);
            user.name.as_bytes() == name && is_equal(&expected, password)
        };
        if !self.users.is_empty() && !self.users.iter().any(knows) {
            return Ok(self.refuse("username/password mismatch"));
        }
        let proof = hex_digest(&[salt, self.hostname.as_bytes(), &self.nonce, self.shared_key.reveal().as_bytes()]);
        Ok(Verdict::Welcome(pong(true, "", &self.hostname, &proof)))
    }

    fn refuse(&self, why: &'static str) -> Verdict {
        Verdict::Refused(pong(false, why, &self.hostname, ""), why)
    }
}

fn pong(is_welcome: bool, why: &str, hostname: &str, proof: &str) -> Vec<u8> {
    written(|out| {
        encode::write_array_len(out, 5)?;
        encode::write_str(out, "PONG")?;
        encode::write_bool(out, is_welcome).map_err(encode::ValueWriteError::InvalidDataWrite)?;
        encode::write_str(out, why)?;
        encode::write_str(out, hostname)?;
        encode::write_str(out, proof)
    })
}

/// `{"ack": chunk}`.
pub(super) fn ack(chunk: &[u8]) -> Vec<u8> {
    written(|out| {
        encode::write_map_len(out, 1)?;
        encode::write_str(out, "ack")?;
        // Chunks are what the client made up; it is given back byte for byte.
        encode::write_str_len(out, u32::try_from(chunk.len()).unwrap_or_default())?;
        out.extend_from_slice(chunk);
        Ok(())
    })
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), encode::ValueWriteError<std::io::Error>>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out).expect("a vector takes every byte");
    out
}

fn hex_digest(parts: &[&[u8]]) -> String {
    hex::encode(digest(&SHA512, &parts.concat()))
}

/// Takes the same time wherever the difference is.
fn is_equal(left: &str, right: &[u8]) -> bool {
    left.len() == right.len() && left.bytes().zip(right).fold(0, |differences, (one, other)| differences | (one ^ other)) == 0
}
