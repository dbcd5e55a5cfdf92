//! Jira: a group of alerts is an issue, known by a label with the hash of its key; it is made, kept up to date, reopened and
//! resolved (<https://developer.atlassian.com/cloud/jira/platform/rest/v2/>, or version 3 by the URL).
//!
//! Lengths are Jira's, and Alertmanager's; 429 passes after the time in `Retry-After`
//! (<https://developer.atlassian.com/cloud/jira/platform/rate-limiting/>). An issue that is there is found before one is made, so
//! that an attempt that broke off makes no second one.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::hosted::{Service, expand_all, group_hash};
use crate::http::{Answer, Request, parse_url};
use crate::message::{Message, Status, quoted};
use crate::retry::Failure;
use crate::settings::Secret;
use crate::template::{Renderer, truncate};

/// Characters of a summary.
const SUMMARY_CHARACTERS_MAX: usize = 255;
/// Characters of a description.
const DESCRIPTION_CHARACTERS_MAX: usize = 32_767;

/// Keys of `jira_configs`; texts are templates.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) api_url: Option<Secret>,
    pub(crate) api_type: String,
    pub(crate) project: String,
    pub(crate) issue_type: String,
    summary: Field,
    description: Field,
    labels: Vec<String>,
    priority: String,
    reopen_transition: String,
    resolve_transition: String,
    wont_fix_resolution: String,
    pub(crate) reopen_duration: String,
    fields: Map<String, Value>,
}

/// A text of an issue: a template, or one with a word about updates.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Field {
    Template(String),
    Detailed(Detailed),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Detailed {
    #[serde(default)]
    template: String,
    #[serde(default)]
    enable_update: Option<bool>,
}

impl Field {
    fn template(&self) -> &str {
        match self {
            Self::Template(template) | Self::Detailed(Detailed { template, .. }) => template,
        }
    }

    /// Whether an issue that is there gets it anew.
    fn is_updated(&self) -> bool {
        match self {
            Self::Template(_) => true,
            Self::Detailed(detailed) => detailed.enable_update.unwrap_or(true),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_url: None,
            api_type: "auto".to_owned(),
            project: String::new(),
            issue_type: String::new(),
            summary: Field::Template(r#"{{ template "jira.default.summary" . }}"#.to_owned()),
            description: Field::Template(r#"{{ template "jira.default.description" . }}"#.to_owned()),
            labels: Vec::new(),
            priority: r#"{{ template "jira.default.priority" . }}"#.to_owned(),
            reopen_transition: String::new(),
            resolve_transition: String::new(),
            wont_fix_resolution: String::new(),
            reopen_duration: String::new(),
            fields: Map::new(),
        }
    }
}

impl Settings {
    /// Refuses what contradicts itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.project.is_empty() {
            return Err("missing project in jira_config".to_owned());
        }
        if self.issue_type.is_empty() {
            return Err("missing issue_type in jira_config".to_owned());
        }
        if !matches!(self.api_type.as_str(), "auto" | "cloud" | "datacenter") {
            return Err("unknown api_type on jira_config, must be auto, cloud or datacenter".to_owned());
        }
        Ok(())
    }
}

/// Jira, with the place of its API.
#[derive(Debug)]
pub(crate) struct Jira {
    pub(crate) settings: Settings,
    pub(crate) url: Secret,
    /// How long after its resolution an issue is reopened, in minutes; 0 means never.
    pub(crate) reopen_minutes: u64,
}

/// An issue that was found.
struct Found {
    key: String,
    /// Whether its status is of those that mean done; none if the answer does not say so.
    is_done: Option<bool>,
}

impl Service for Jira {
    fn kind(&self) -> &'static str {
        "jira"
    }

    fn name(&self) -> &'static str {
        "Jira"
    }

    fn requests(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Vec<Request>, Failure> {
        Ok(vec![self.search(message, renderer)?])
    }

    fn follow_up(&self, answers: &[Answer], message: &Message, renderer: &Renderer<'_>) -> Result<Option<Request>, Failure> {
        let found = answers.first().and_then(found);
        let firing = message.status() == Status::Firing;
        let transition = found.as_ref().and_then(|found| self.transition(found, firing));
        match (answers.len(), &found) {
            // An issue is made for what is on; nobody needs one about what is over.
            (1, None) if !firing => Ok(None),
            (1, None) => Ok(Some(self.ask("issue", &self.issue(message, renderer, true)?))),
            (1, Some(found)) => Ok(Some(self.ask(&format!("issue/{}", found.key), &self.issue(message, renderer, false)?).method("PUT"))),
            (2, Some(found)) if transition.is_some() => {
                let request = self.ask(&format!("issue/{}/transitions", found.key), &Value::Null).method("GET");
                Ok(Some(Request { body: String::new(), ..request }))
            }
            (3, Some(found)) => {
                let name = transition.unwrap_or_default();
                let known = answers[2].json();
                let known = known["transitions"].as_array().map(Vec::as_slice).unwrap_or_default();
                let id = known.iter().find(|transition| transition["name"] == name).and_then(|transition| transition["id"].as_str());
                let id = id.ok_or_else(|| Failure::permanent(format!("Jira has no transition {name:?} for issue {}", found.key)))?;
                Ok(Some(self.ask(&format!("issue/{}/transitions", found.key), &json!({"transition": {"id": id}}))))
            }
            _ => Ok(None),
        }
    }
}

fn found(answer: &Answer) -> Option<Found> {
    let json = answer.json();
    let issue = json["issues"].as_array()?.first()?;
    // It becomes part of a path.
    let key = issue["key"].as_str().filter(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')))?;
    let category = issue["fields"]["status"]["statusCategory"]["key"].as_str();
    Some(Found { key: key.to_owned(), is_done: category.map(|category| category == "done") })
}

impl Jira {
    fn ask(&self, path: &str, body: &Value) -> Request {
        let url = format!("{}/{path}", self.url.reveal().trim_end_matches('/'));
        // Names of transitions depend on the language.
        Request::json(Secret::new(url), body).header("Accept-Language", "en")
    }

    fn search(&self, message: &Message, renderer: &Renderer<'_>) -> Result<Request, Failure> {
        let settings = &self.settings;
        let mut jql = String::new();
        if !settings.wont_fix_resolution.is_empty() {
            // `!=` alone would leave out what has no resolution yet.
            jql.push_str(&format!("(resolution is EMPTY or resolution != {}) and ", quoted(&settings.wont_fix_resolution)));
        }
        if message.status() == Status::Firing && !settings.reopen_transition.is_empty() && self.reopen_minutes > 0 {
            jql.push_str(&format!("(resolutiondate is EMPTY OR resolutiondate >= -{}m) and ", self.reopen_minutes));
        } else {
            jql.push_str("statusCategory != Done and ");
        }
        let (project, label) = (renderer.text(&settings.project)?, label(message));
        jql.push_str(&format!("project={} and labels={} order by status ASC,resolutiondate DESC", quoted(&project), quoted(&label)));
        let body = json!({"jql": jql, "maxResults": 2, "fields": ["status"]});
        let is_cloud = match settings.api_type.as_str() {
            "auto" => parse_url(self.url.reveal()).is_ok_and(|url| url.host_str().is_some_and(|host| host.ends_with("atlassian.net"))),
            kind => kind == "cloud",
        };
        if !is_cloud {
            return Ok(self.ask("search", &body));
        }
        // Jira in the cloud has another search, which is of version 3 alone.
        let request = self.ask("search/jql", &body);
        let url = request.url.reveal().replacen("/rest/api/2/", "/rest/api/3/", 1);
        Ok(Request { url: Secret::new(url), ..request })
    }

    fn transition(&self, found: &Found, firing: bool) -> Option<&str> {
        let name = match (firing, found.is_done?) {
            (true, true) => &self.settings.reopen_transition,
            (false, false) => &self.settings.resolve_transition,
            _ => return None,
        };
        (!name.is_empty()).then_some(name)
    }

    fn issue(&self, message: &Message, renderer: &Renderer<'_>, is_new: bool) -> Result<Value, Failure> {
        let settings = &self.settings;
        let mut fields = Map::new();
        fields.insert("project".to_owned(), json!({"key": renderer.text(&settings.project)?}));
        fields.insert("issuetype".to_owned(), json!({"name": renderer.text(&settings.issue_type)?}));
        if is_new || settings.summary.is_updated() {
            // A line end in a summary is refused.
            let summary = renderer.text(settings.summary.template())?.trim().replace(['\n', '\r'], " ");
            fields.insert("summary".to_owned(), truncate(&summary, SUMMARY_CHARACTERS_MAX).into());
        }
        if is_new || settings.description.is_updated() {
            let description = truncate(&renderer.text(settings.description.template())?, DESCRIPTION_CHARACTERS_MAX);
            if !description.trim().is_empty() {
                fields.insert("description".to_owned(), self.description(&description));
            }
        }
        let mut labels = settings.labels.iter().map(|label| renderer.text(label)).collect::<Result<Vec<_>, _>>()?;
        labels.push(label(message));
        labels.sort();
        fields.insert("labels".to_owned(), labels.into());
        let priority = renderer.text(&settings.priority)?;
        if !priority.trim().is_empty() {
            fields.insert("priority".to_owned(), json!({"name": priority.trim()}));
        }
        for (name, value) in &settings.fields {
            fields.insert(name.clone(), expand_all(renderer, value)?);
        }
        Ok(json!({"fields": fields}))
    }

    /// Version 3 wants a document: one that the template made, or one around its text.
    fn description(&self, text: &str) -> Value {
        if !self.url.reveal().trim_end_matches('/').ends_with("/3") {
            return text.into();
        }
        match serde_json::from_str(text.trim()) {
            Ok(document @ Value::Object(_)) => document,
            _ => json!({"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": text.trim()}]}]}),
        }
    }
}

/// The label that issues about a group have.
fn label(message: &Message) -> String {
    format!("ALERT{{{}}}", group_hash(message))
}
