//! Which addresses a request may reach: those of the internet, and others only as far as the operator says so. A server that
//! posts to addresses must not be a way into the network behind it (SSRF).
//!
//! Pure: names are resolved elsewhere, every address is judged here, and only what was judged is connected to. So a name that
//! points elsewhere a moment later (DNS rebinding) gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// When a request may go to an internal address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Internal {
    /// Never.
    Refused,
    /// If the configuration itself names an internal host: by an address, or by a name that cannot be one of the internet
    /// (a single label, `localhost`, `.local`, `.internal`, `.svc`, `.lan` and such).
    #[default]
    Named,
    /// Always.
    Allowed,
}

/// A network in the notation `10.0.0.0/8`; an address alone is a network of one.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// What channels may use that is not part of them: the policy of outgoing requests, and files of others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Whether internal addresses may be reached.
    pub internal: Internal,
    /// Networks that may be reached whatever they are.
    pub networks: Vec<Network>,
    /// The folder of AWS' shared files `credentials` and `config`.
    pub aws_folder: PathBuf,
}

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Of the internet.
    Public,
    /// Loopback, private, carrier-grade NAT, unique local.
    Internal(&'static str),
    /// Link-local (where clouds keep their secrets), metadata services, and what is no address of one host. Nobody names
    /// these by accident, so only [`Policy::networks`] allows them.
    Special(&'static str),
}

/// Suffixes of names that only an inner network can resolve (RFC 6761, RFC 6762, RFC 8375, RFC 9476, Kubernetes, custom).
const INNER_SUFFIXES: [&str; 13] =
    ["localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "svc", "cluster", "test", "alt", "home.arpa"];

impl Policy {
    /// The same for hosts that the configuration of the server does not name itself: that a name is an internal one allows nothing.
    #[must_use]
    pub fn strict(&self) -> Self {
        let internal = if self.internal == Internal::Named { Internal::Refused } else { self.internal };
        Self { internal, ..self.clone() }
    }

    /// Whether a request to a host, as its URL names it, may be sent to an address.
    ///
    /// # Errors
    /// Why not, with the setting that would allow it.
    pub(crate) fn check(&self, host: &str, address: IpAddr) -> Result<(), String> {
        let refused = |what: &str, remedy: &str| Err(format!("{what} is refused: {remedy}"));
        if self.networks.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        match classify(address) {
            Class::Public => Ok(()),
            Class::Special(what) => refused(&format!("{address}, a {what} address,"), "want it in setting notify.internal_networks"),
            Class::Internal(_) if self.internal == Internal::Allowed || self.internal == Internal::Named && is_inner(host) => Ok(()),
            Class::Internal(what) => {
                refused(&format!("{address}, a {what} address,"), "want it in setting notify.internal_networks, or notify.internal_addresses: allowed")
            }
        }
    }
}

/// Whether a host is one that only an inner network can mean.
fn is_inner(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    literal(&host).is_some() || !host.contains('.') || INNER_SUFFIXES.iter().any(|suffix| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
}

/// The address that a host of a URL is, if it is one.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => classify_v4(inner),
            None => classify_v6(address),
        },
    }
}

fn classify_v4(address: Ipv4Addr) -> Class {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (127, ..) => Class::Internal("loopback"),
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) => Class::Internal("private"),
        // Alibaba's metadata service lies in the range of carriers, Oracle's in that of protocols.
        (100, 100, 100, 200) | (192, 0, 0, 192) => Class::Special("metadata"),
        (100, 64..=127, ..) => Class::Internal("carrier-grade NAT"),
        (169, 254, ..) => Class::Special("link-local"),
        (0, ..) => Class::Special("unspecified"),
        (192, 0, 0, _) | (192, 0, 2, _) | (192, 88, 99, _) | (198, 18..=19, ..) | (198, 51, 100, _) | (203, 0, 113, _) => Class::Special("reserved"),
        (224..=239, ..) => Class::Special("multicast"),
        (240..=255, ..) => Class::Special("reserved"),
        _ => Class::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    let segments = address.segments();
    match segments[0] {
        _ if address.is_loopback() => Class::Internal("loopback"),
        _ if address.is_unspecified() => Class::Special("unspecified"),
        0xfd00 if segments[1] == 0x0ec2 => Class::Special("metadata"),
        0xfc00..=0xfdff => Class::Internal("unique local"),
        0xfe80..=0xfebf => Class::Special("link-local"),
        0xfec0..=0xfeff => Class::Internal("site-local"),
        0xff00..=0xffff => Class::Special("multicast"),
        // Global unicast but documentation (RFC 3849, RFC 9637) and benchmarks (RFC 5180).
        0x2001 if segments[1] == 0x0db8 || (segments[1] == 2 && segments[2] == 0) => Class::Special("reserved"),
        0x3fff if segments[1] < 0x1000 => Class::Special("reserved"),
        0x2000..=0x3fff => Class::Public,
        _ => Class::Special("reserved"),
    }
}

/// The address of version 4 inside of one of version 6 that a translator or a tunnel would unwrap.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let of = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match (s0, s1, s2, s3, s4, s5) {
        // Mapped (::ffff:a.b.c.d), translated (::ffff:0:a.b.c.d), NAT64 of the well-known prefix and of local ones.
        (0, 0, 0, 0, 0, 0xffff) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, 0, 0, 0, 0) => of(s6, s7),
        (0x64, 0xff9b, 1, ..) => of(s6, s7),
        // Compatible (::a.b.c.d), which :: and ::1 are not.
        (0, 0, 0, 0, 0, 0) if s6 != 0 => of(s6, s7),
        // 6to4, and Teredo, whose client is written inverted.
        (0x2002, ..) => of(s1, s2),
        (0x2001, 0, ..) => of(!s6, !s7),
        _ => None,
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let shifted = |bits: u128, width: u8| bits.checked_shr(u32::from(width - self.bits)).unwrap_or(0);
        // A mapped address is that of version 4, whichever way the network is written.
        let plain = |address: IpAddr| if let IpAddr::V6(v6) = address { v6.to_ipv4_mapped().map_or(address, IpAddr::V4) } else { address };
        match (plain(self.address), plain(address)) {
            (IpAddr::V4(own), IpAddr::V4(other)) => shifted(own.to_bits().into(), 32) == shifted(other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => shifted(own.to_bits(), 128) == shifted(other.to_bits(), 128),
            _ => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("found {text:?}: want a network as 10.0.0.0/8 or an address");
        let (address, bits) = text.split_once('/').map_or((text.as_str(), None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let (address, mapped_bits) = match address {
            IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => (IpAddr::V4(v6.to_ipv4_mapped().ok_or_else(wrong)?), 96),
            other => (other, 0),
        };
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => bits.trim().parse::<u8>().ok().and_then(|bits| bits.checked_sub(mapped_bits)).filter(|bits| *bits <= width).ok_or_else(wrong)?,
        };
        Ok(Self { address, bits })
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Internal, Network, Policy};

    fn policy(internal: Internal, networks: &[&str]) -> Policy {
        Policy { internal, networks: networks.iter().map(|text| Network::try_from((*text).to_owned()).unwrap()).collect(), ..Policy::default() }
    }

    /// Internal ones, in every disguise that a URL or a resolver may bring.
    const INTERNAL: [&str; 34] = [
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "::1",
        "fc00::1",
        "fdff::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:192.168.1.1",
        "::127.0.0.1",
        "::10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::10.0.0.1",
        "64:ff9b:1:2:3:4:7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2002:c0a8:101::",
        "2001:0:1:2:3:4:80ff:fffe",
        "2001::f5ff:fffe",
        "::ffff:172.16.0.1",
        "::ffff:100.64.0.1",
        "fd12:3456::1",
        "fd00::1",
        "172.20.1.1",
    ];
    /// Those that only a network in the settings allows.
    const SPECIAL: [&str; 30] = [
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "192.0.0.192",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::ffff:0.0.0.0",
        "255.255.255.255",
        "240.0.0.1",
        "224.0.0.1",
        "239.255.255.255",
        "ff02::1",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "2001:db8::1",
        "3fff::1",
        "192.88.99.1",
        "::ffff:255.255.255.255",
        "100::1",
        "4000::1",
        "::ffff:100.100.100.200",
    ];
    const PUBLIC: [&str; 14] = [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "172.15.255.255",
        "172.32.0.1",
        "192.167.255.255",
        "100.63.255.255",
        "100.128.0.1",
        "169.253.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "::ffff:1.1.1.1",
        "64:ff9b::8.8.8.8",
        "2002:808:808::",
    ];

    #[test]
    fn internal_addresses_are_known_in_every_disguise() {
        let refused = policy(Internal::Refused, &[]);
        for text in INTERNAL {
            let error = refused.check(text, text.parse().unwrap()).unwrap_err();
            assert!(error.contains("notify.internal_addresses"), "{text}: {error}");
            policy(Internal::Allowed, &[]).check("hooks.example.com", text.parse().unwrap()).unwrap();
        }
        for text in SPECIAL {
            for internal in [Internal::Refused, Internal::Named, Internal::Allowed] {
                let error = policy(internal, &[]).check(text, text.parse().unwrap()).unwrap_err();
                assert!(error.contains("notify.internal_networks") && !error.contains("internal_addresses"), "{text}: {error}");
            }
            policy(Internal::Refused, &[text]).check("x", text.parse().unwrap()).unwrap();
        }
        for text in PUBLIC {
            refused.check("hooks.example.com", text.parse().unwrap()).unwrap();
        }
    }

    #[test]
    fn what_the_configuration_names_is_internal_by_its_name() {
        let named = policy(Internal::Named, &[]);
        let inner = "10.0.0.7".parse().unwrap();
        for host in
            ["10.0.0.7", "[fd00::1]", "localhost", "bridge", "bot.monitoring.svc", "bot.monitoring.svc.cluster.local", "nas.lan", "x.home.arpa.", "A.LOCAL"]
        {
            named.check(host, inner).unwrap();
        }
        for host in ["hooks.example.com", "example.com.", "local.example.com", "notlocal", "evil-localhost.com", "xlan.org", "1.2.3.4.nip.io"] {
            let is_single = !host.contains('.');
            assert_eq!(named.check(host, inner).is_ok(), is_single, "{host}");
        }
    }

    #[test]
    fn networks_are_read_and_contain_what_is_theirs() {
        let open = policy(Internal::Refused, &["10.1.0.0/16", "fd00::/8", "192.168.1.5", "::ffff:172.16.0.0/108", "0.0.0.0/0"]);
        for text in ["10.1.255.1", "fd12::1", "192.168.1.5", "::ffff:10.1.2.3", "172.16.9.9", "127.0.0.1"] {
            open.check("x", text.parse().unwrap()).unwrap();
        }
        assert!(policy(Internal::Refused, &["10.1.0.0/16"]).check("x", "10.2.0.1".parse().unwrap()).is_err());
        assert!(policy(Internal::Refused, &["::/0"]).check("x", "10.2.0.1".parse().unwrap()).is_err(), "of another version");
        for wrong in ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0/8", "::ffff:10.0.0.0/8", "10.0.0.0/8/8"] {
            assert!(Network::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        assert_eq!(Network::try_from("10.0.0.0/8".to_owned()).unwrap().to_string(), "10.0.0.0/8");
    }
}
