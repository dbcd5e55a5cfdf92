//! Addresses in texts: `ip("10.0.0.0/8")`.

use std::net::IpAddr;

use signalbox_model::{Error, Result};

/// Addresses that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IpSet {
    first: IpAddr,
    last: IpAddr,
}

impl IpSet {
    /// Reads an address, a range `a-b` or a network in CIDR notation.
    pub(super) fn parse(pattern: &str) -> Result<Self> {
        let invalid = || {
            Error::invalid(format!("ip: invalid pattern: {pattern:?}: want an IP address, a range such as 10.0.0.1-10.0.0.9 or a network such as 10.0.0.0/8"))
        };
        if let Ok(address) = pattern.parse() {
            return Ok(Self { first: address, last: address });
        }
        if let Some((address, bits)) = pattern.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| invalid())?;
            let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
            let bits: u32 = bits.parse().ok().filter(|_| is_number).ok_or_else(invalid)?;
            return Self::network(address, bits).ok_or_else(invalid);
        }
        let (first, last) = pattern.split_once('-').ok_or_else(invalid)?;
        let (first, last): (IpAddr, IpAddr) = (first.trim().parse().map_err(|_| invalid())?, last.trim().parse().map_err(|_| invalid())?);
        if first.is_ipv4() == last.is_ipv4() && first <= last { Ok(Self { first, last }) } else { Err(invalid()) }
    }

    fn network(address: IpAddr, bits: u32) -> Option<Self> {
        match address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(bits).unwrap_or(0);
                let network = u32::from(address) & !host;
                (bits <= 32).then(|| Self { first: IpAddr::V4(network.into()), last: IpAddr::V4((network | host).into()) })
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                let network = u128::from(address) & !host;
                (bits <= 128).then(|| Self { first: IpAddr::V6(network.into()), last: IpAddr::V6((network | host).into()) })
            }
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && (self.first..=self.last).contains(&address)
    }

    /// Whether one of the addresses that stand in a text fits.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let is_v4 = starts_v4(rest);
            if !is_v4 && !starts_v6(rest) {
                at += 1;
                continue;
            }
            let belongs = |byte: &u8| if is_v4 { byte.is_ascii_digit() || *byte == b'.' } else { byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.') };
            let length = rest.iter().take_while(|byte| belongs(byte)).count();
            if text[at..at + length].parse().is_ok_and(|address| self.contains(address)) {
                return true;
            }
            at += length + 1;
        }
        false
    }
}

fn starts_v4(text: &[u8]) -> bool {
    text.len() > 3 && text[0].is_ascii_digit() && text[1..4].contains(&b'.')
}

/// Up to four hexadecimal digits and a colon, or two colons and a digit.
fn starts_v6(text: &[u8]) -> bool {
    let digits = text.iter().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
    match digits {
        0 => text.starts_with(b"::") && text.get(2).is_some_and(u8::is_ascii_hexdigit),
        1..=4 => text.get(digits) == Some(&b':'),
        _ => false,
    }
}
