//! AWS' Signature Version 4, as much as a POST of a form needs
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use ring::{digest, hmac};

use crate::settings::Secret;

/// Who signs, and for what.
#[derive(Debug, Clone)]
pub(crate) struct Signer<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a Secret,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// What is signed of a request; names of headers in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// As it stands in the URL, at least `/`.
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: &'a str,
}

impl Signer<'_> {
    /// The value of `Authorization` for a request with `x-amz-date` among its headers.
    pub(crate) fn authorization(&self, signed: &Signed<'_>, date: &str) -> String {
        let mut headers = signed.headers.clone();
        headers.sort();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.split_whitespace().collect::<Vec<_>>().join(" "))).collect();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let canonical =
            format!("{}\n{}\n\n{lines}\n{names}\n{}", signed.method, path(signed.path), hex(digest::digest(&digest::SHA256, signed.body.as_bytes()).as_ref()));
        let day = date.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()));
        let first = hmac::sign(&key(format!("AWS4{}", self.secret_key.reveal()).as_bytes()), day.as_bytes());
        let last = [self.region, self.service, "aws4_request"].iter().fold(first, |tag, part| hmac::sign(&key(tag.as_ref()), part.as_bytes()));
        let signature = hex(hmac::sign(&key(last.as_ref()), text.as_bytes()).as_ref());
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.access_key)
    }
}

/// The instant as such headers have it: `20150830T123600Z`.
pub(crate) fn amz_date(now_ns: i64) -> String {
    let instant = jiff::Timestamp::from_nanosecond(i128::from(now_ns)).unwrap_or_default();
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn key(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path once more encoded, as all services but S3 want it.
fn path(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Signed, Signer, amz_date};
    use crate::settings::Secret;

    #[test]
    fn signs_as_the_test_suite_of_aws_does() {
        let secret_key = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let signer = Signer { access_key: "AKIDEXAMPLE", secret_key: &secret_key, region: "us-east-1", service: "service" };
        let date = amz_date(1_440_938_160_000_000_000);
        assert_eq!(date, "20150830T123600Z");
        let common = vec![("x-amz-date", date.clone()), ("host", "example.amazonaws.com".to_owned())];
        let vanilla = Signed { method: "GET", path: "/", headers: common.clone(), body: "" };
        assert_eq!(
            signer.authorization(&vanilla, &date),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        let form = common.into_iter().chain([("content-type", "application/x-www-form-urlencoded".to_owned())]).collect();
        let posted = Signed { method: "POST", path: "/", headers: form, body: "Param1=value1" };
        assert!(signer.authorization(&posted, &date).ends_with("Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"));
    }
}
