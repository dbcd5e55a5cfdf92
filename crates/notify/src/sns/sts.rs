//! AWS' Security Token Service: keys for a while, in a role
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).

use super::shared::{Keys, Role};
use crate::http::Answer;
use crate::retry::Failure;
use crate::settings::Secret;

/// Keys are not used in the last moments of their life: they would die on the way.
const EARLY_NS: i64 = 60_000_000_000;

/// Keys that were given for a while, and for which role and by whose leave.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) keys: Keys,
    pub(super) role: Role,
    pub(super) by: String,
    expires_at_ns: i64,
}

impl Session {
    /// Whether its keys are good for this.
    pub(super) fn is_good(&self, role: &Role, by: &str, now_ns: i64) -> bool {
        self.role == *role && self.by == by && now_ns < self.expires_at_ns.saturating_sub(EARLY_NS)
    }

    /// From the answer of the service.
    pub(super) fn from_answer(answer: &Answer, role: Role, by: String) -> Result<Self, Failure> {
        // An operator can mend what is refused, without the message changing.
        let wrong = |why: String| Failure { retry_after: answer.retry_after, ..Failure::transient(format!("cannot assume role {}: {why}", role.arn)) };
        if !(200..300).contains(&answer.status) {
            let said = ["Code", "Message"].iter().filter_map(|name| element(&answer.body, name)).collect::<Vec<_>>().join(": ");
            return Err(wrong(format!("found status {} {said}", answer.status)));
        }
        // The answer holds secrets: of what is wrong with it only the name is shown.
        let needed = |name: &str| element(&answer.body, name).filter(|text| !text.is_empty()).ok_or_else(|| wrong(format!("found no {name} in the answer")));
        let expires_at: jiff::Timestamp = needed("Expiration")?.parse().map_err(|_| wrong("cannot read Expiration in the answer".to_owned()))?;
        let keys = Keys {
            access_key: needed("AccessKeyId")?.to_owned(),
            secret_key: Secret::new(needed("SecretAccessKey")?),
            session_token: Some(Secret::new(needed("SessionToken")?)),
        };
        Ok(Self { keys, by, expires_at_ns: i64::try_from(expires_at.as_nanosecond()).unwrap_or(i64::MAX), role })
    }
}

/// The form that asks for keys in a role.
pub(super) fn parameters(role: &Role) -> Vec<(String, String)> {
    let given = [
        ("Action", "AssumeRole".to_owned()),
        ("Version", "2011-06-15".to_owned()),
        ("RoleArn", role.arn.clone()),
        ("RoleSessionName", role.session.clone()),
        ("DurationSeconds", role.seconds.to_string()),
        ("ExternalId", role.external_id.clone()),
    ];
    given.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The text of the first element of a name. What is looked for has neither attributes nor entities.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    after.split_once("</").map(|(text, _)| text.trim())
}
