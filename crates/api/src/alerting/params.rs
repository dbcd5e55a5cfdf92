//! Parameters of this API.

use super::answer::Refusal;
use crate::http::Params;
use crate::instant;

/// Entries of an answer where nothing is said.
const LIMIT_DEFAULT: u32 = 500;
/// Entries of an answer at most.
const LIMIT_MAX: u32 = 10_000;

/// Milliseconds since the Unix epoch: seconds with a fraction, or RFC 3339.
pub(super) fn instant_ms(params: &Params, name: &str) -> Result<Option<i64>, Refusal> {
    let read = |text| instant::instant_ms(text).map_err(|error| Refusal::bad(format!("invalid parameter {name:?}: {error}")));
    params.get(name).map(read).transpose()
}

/// `limit`, from 1 to 10 000.
pub(super) fn limit(params: &Params) -> Result<u32, Refusal> {
    let Some(text) = params.get("limit") else { return Ok(LIMIT_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| Refusal::bad(format!("invalid parameter \"limit\": found {text:?}: want a number from 1 to {LIMIT_MAX}")))
}

/// `fingerprint`, in hexadecimal.
pub(super) fn fingerprint(params: &Params) -> Result<Option<u64>, Refusal> {
    let Some(text) = params.get("fingerprint") else { return Ok(None) };
    let is_hex = text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u64::from_str_radix(text, 16).ok().filter(|_| is_hex);
    number.map(Some).ok_or_else(|| Refusal::bad(format!("invalid parameter \"fingerprint\": found {text:?}: want 16 hexadecimal digits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_instants_limits_and_fingerprints() {
        let params = |text: &str| Params::parse(text);
        assert_eq!(instant_ms(&params("at=1700000000.5"), "at").unwrap(), Some(1_700_000_000_500));
        assert_eq!(instant_ms(&params("at=2023-11-14T22:13:20Z"), "at").unwrap(), Some(1_700_000_000_000));
        assert_eq!(instant_ms(&params(""), "at").unwrap(), None);
        for text in ["at=now", "at=NaN", "at=1e300", "at=inf"] {
            assert!(instant_ms(&params(text), "at").is_err(), "{text}");
        }
        assert_eq!(limit(&params("")).unwrap(), 500);
        assert_eq!(limit(&params("limit=7")).unwrap(), 7);
        assert!(["limit=0", "limit=-1", "limit=10001", "limit=x"].iter().all(|text| limit(&params(text)).is_err()));
        assert_eq!(fingerprint(&params("fingerprint=00ff")).unwrap(), Some(255));
        assert!(["fingerprint=xyz", "fingerprint=%2B1", "fingerprint=11111111111111111"].iter().all(|text| fingerprint(&params(text)).is_err()));
    }
}
