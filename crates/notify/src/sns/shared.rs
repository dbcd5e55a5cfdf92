//! AWS' shared files `credentials` and `config`: whose keys sign, in which region, at which endpoints
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).
//!
//! Of the ways to come by keys those are understood that lie in the files themselves: keys, and a role that other keys of them take
//! on. What would run a program or ask another service is refused by name.

use std::collections::BTreeMap;
use std::path::Path;

use crate::settings::Secret;

/// The profile that is meant where none is named.
pub(super) const DEFAULT: &str = "default";
/// Settings of a profile by which others come by their keys.
const UNSUPPORTED: [&str; 7] =
    ["credential_process", "credential_source", "web_identity_token_file", "sso_session", "sso_start_url", "sso_account_id", "login_session"];
/// How long a role is taken on, unless the profile says so.
pub(super) const ROLE_SECONDS: u32 = 900;

/// What signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) access_key: String,
    pub(super) secret_key: Secret,
    /// Of keys that were given for a while.
    pub(super) session_token: Option<Secret>,
}

/// A role to take on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: String,
    /// What the trail of AWS calls us.
    pub(super) session: String,
    pub(super) seconds: u32,
}

/// Both files as they are now.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Settings of sections by their names; an endpoint of a service has `sns.endpoint_url` as its name.
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

/// What a profile says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile<'a> {
    name: &'a str,
    settings: Option<&'a BTreeMap<String, String>>,
    shared: &'a Shared,
}

impl Shared {
    /// The files of a folder; one that is not there says nothing.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let mut shared = Self::default();
        if folder.as_os_str().is_empty() {
            return Ok(shared);
        }
        for (file, is_config) in [("config", true), ("credentials", false)] {
            let path = folder.join(file);
            match std::fs::read_to_string(&path) {
                Ok(text) => shared.add(&text, is_config),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
            }
        }
        Ok(shared)
    }

    /// What stands in the file of credentials wins over that of the other.
    fn add(&mut self, text: &str, is_config: bool) {
        let (mut section, mut service) = (None, String::new());
        for line in text.lines() {
            let is_nested = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name.trim()) {
                section = section_name(name, is_config);
                service.clear();
                continue;
            }
            let (Some(section), Some((key, value))) = (&section, line.split_once('=')) else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            // A comment may follow after a blank.
            let value = [" #", " ;"].iter().fold(value, |value, mark| value.split_once(mark).map_or(value, |(before, _)| before.trim_end()));
            let settings = self.sections.entry(section.clone()).or_default();
            if !is_nested {
                service.clone_from(&key);
                settings.insert(key, value.to_owned());
            } else if key == "endpoint_url" {
                settings.insert(format!("{service}.{key}"), value.to_owned());
            }
        }
    }

    pub(super) fn profile<'a>(&'a self, name: &'a str) -> Profile<'a> {
        Profile { name, settings: self.sections.get(&format!("profile {name}")), shared: self }
    }
}

/// Profiles have the word before their names in one file, and not in the other.
fn section_name(name: &str, is_config: bool) -> Option<String> {
    let (kind, own) = name.split_once(char::is_whitespace).map_or(("", name), |(kind, own)| (kind, own.trim()));
    match kind {
        "" if !is_config || own == DEFAULT => Some(format!("profile {own}")),
        "profile" | "services" if is_config => Some(format!("{kind} {own}")),
        _ => None,
    }
}

impl<'a> Profile<'a> {
    /// Whether the files have it.
    pub(super) fn is_known(self) -> bool {
        self.settings.is_some()
    }

    fn get(self, key: &str) -> Option<&'a str> {
        self.settings?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn region(self) -> Option<&'a str> {
        self.get("region")
    }

    /// Where a service is asked, if not where AWS has it.
    pub(super) fn endpoint(self, service: &str) -> Option<&'a str> {
        let of_service = self.get("services").and_then(|name| self.shared.sections.get(&format!("services {name}")));
        of_service.and_then(|settings| settings.get(&format!("{service}.endpoint_url"))).map(String::as_str).or_else(|| self.get("endpoint_url"))
    }

    /// The role that it takes on.
    pub(super) fn role(self) -> Result<Option<Role>, String> {
        let Some(arn) = self.get("role_arn") else { return Ok(None) };
        if self.get("mfa_serial").is_some() {
            return Err(self.unsupported("mfa_serial"));
        }
        let seconds = self.get("duration_seconds").map_or(Ok(ROLE_SECONDS), str::parse);
        Ok(Some(Role {
            arn: arn.to_owned(),
            external_id: self.get("external_id").unwrap_or_default().to_owned(),
            session: self.get("role_session_name").unwrap_or(super::SESSION).to_owned(),
            seconds: seconds.map_err(|_| format!("profile {:?}: duration_seconds: want a number", self.name))?,
        }))
    }

    /// The keys that sign for it: its own, or those of the profile whose keys take on its role.
    pub(super) fn keys(self) -> Result<Keys, String> {
        if let Some(unsupported) = UNSUPPORTED.into_iter().find(|key| self.get(key).is_some()) {
            return Err(self.unsupported(unsupported));
        }
        if self.get("role_arn").is_some() {
            let source = self.get("source_profile").ok_or_else(|| format!("profile {:?} has role_arn and no source_profile", self.name))?;
            if source != self.name {
                let source = self.shared.profile(source);
                let is_chain = source.get("role_arn").is_some();
                return if is_chain { Err(source.unsupported("role_arn in a source_profile")) } else { source.keys() };
            }
        }
        if !self.is_known() {
            return Err(format!("found no profile {:?} in AWS' shared files", self.name));
        }
        let needed = |key: &str| self.get(key).ok_or_else(|| format!("profile {:?} has no {key}", self.name));
        Ok(Keys {
            access_key: needed("aws_access_key_id")?.to_owned(),
            secret_key: Secret::new(needed("aws_secret_access_key")?),
            session_token: self.get("aws_session_token").map(Secret::new),
        })
    }

    fn unsupported(self, key: &str) -> String {
        format!("{key} of profile {:?} is not supported: want aws_access_key_id and aws_secret_access_key", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
[default]
region = eu-west-1
aws_access_key_id = not this
# a comment
[profile ops]
role_arn = arn:aws:iam::1:role/r
source_profile = base ; a comment
external_id = x
duration_seconds = 1200
services = local
s3 =
  max_concurrent_requests = 7
[services local]
sts =
  endpoint_url = http://127.0.0.1:1
sns =
  endpoint_url = http://127.0.0.1:2
[profile program]
credential_process = /bin/true
[profile chain]
role_arn = arn:aws:iam::1:role/s
source_profile = ops
[sso-session x]
region = no
";
    const CREDENTIALS: &str = "
[default]
aws_access_key_id=AKID
aws_secret_access_key=a=b/c+d
[base]
aws_access_key_id = BASE
aws_secret_access_key = s
aws_session_token = t
";

    #[test]
    fn profiles_have_keys_roles_and_endpoints() {
        let mut shared = Shared::default();
        shared.add(CONFIG, true);
        shared.add(CREDENTIALS, false);
        let keys = |access_key: &str, secret_key: &str, token: Option<&str>| Keys {
            access_key: access_key.to_owned(),
            secret_key: Secret::new(secret_key),
            session_token: token.map(Secret::new),
        };
        let default = shared.profile(DEFAULT);
        assert_eq!(
            (default.region(), default.endpoint("sts"), default.role(), default.keys()),
            (Some("eu-west-1"), None, Ok(None), Ok(keys("AKID", "a=b/c+d", None)))
        );
        let ops = shared.profile("ops");
        let role = Role { arn: "arn:aws:iam::1:role/r".to_owned(), external_id: "x".to_owned(), session: super::super::SESSION.to_owned(), seconds: 1_200 };
        assert_eq!((ops.role(), ops.keys()), (Ok(Some(role)), Ok(keys("BASE", "s", Some("t")))));
        assert_eq!(["sts", "sns", "sqs"].map(|service| ops.endpoint(service)), [Some("http://127.0.0.1:1"), Some("http://127.0.0.1:2"), None]);
        for (name, why) in [
            ("nobody", "found no profile \"nobody\" in AWS' shared files"),
            ("program", "credential_process of profile \"program\" is not supported"),
            ("chain", "role_arn in a source_profile of profile \"ops\" is not supported"),
        ] {
            let error = shared.profile(name).keys().unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
