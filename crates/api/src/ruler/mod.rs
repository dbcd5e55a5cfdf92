//! Rules that are set over HTTP, as Mimir, Cortex and Loki take them: YAML in, YAML out, one group at a time.
//!
//! | path | rules |
//! |---|---|
//! | `/prometheus/config/v1/rules`, `/config/v1/rules` | Mimir's: all but groups of LogQL |
//! | `/api/v1/rules/{namespace}`, `/prometheus/api/v1/rules/{namespace}` | the same; Cortex'. Without a namespace the path is Prometheus', so that `cortextool` wants `--use-legacy-routes` |
//! | `/api/prom/rules` | Loki's and Cortex' old path: all groups; a group without `lang` is LogQL if all of its rules are |
//! | `/loki/api/v1/rules` | Loki's: groups of LogQL |
//!
//! Below each: `GET` all, `GET`, `POST`, `DELETE` of `/{namespace}`, `GET` and `DELETE` of `/{namespace}/{group}`. A group is in no other
//! tenant than the default one. `POST` and `DELETE` are answered with 202 when what they say is on stable storage; it is in force
//! right after. Where Loki's clients ask, `labels=name:value` lists rules with that label. A namespace with the path of a rule file is that file, and 403 answers who would change it.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;
use serde_norway::Value;
use signalbox_model::{Error, ErrorKind, Result};

use crate::ApiState;
use crate::http::{Params, status};

mod desk;

pub use desk::{GroupText, Implied, NoRuler, RuleFileText, Ruler};

/// The paths of Mimir and Cortex, with full paths, to be mounted at the root.
pub(crate) fn router(state: &ApiState) -> Router {
    let mut router = routes(state.clone(), "/api/prom/rules", Dialect::Either);
    for prefix in ["", "/prometheus"] {
        router = router.merge(routes(state.clone(), &format!("{prefix}/config/v1/rules"), Dialect::Mimir));
        router = router.merge(below_namespace(state.clone(), &format!("{prefix}/api/v1/rules"), Dialect::Mimir));
    }
    router
}

/// What lies at a path and below it.
pub(crate) fn routes(state: ApiState, path: &str, dialect: Dialect) -> Router {
    let of_all = get(async move |State(state): State<ApiState>, params: Params| all(&state, dialect, &params).await);
    let all = Router::new().route(path, of_all).with_state(state.clone());
    all.merge(below_namespace(state, path, dialect))
}

fn below_namespace(state: ApiState, path: &str, dialect: Dialect) -> Router {
    let listed =
        async move |State(state): State<ApiState>, Path(namespace): Path<String>, params: Params| dialect.of_namespace(&state, &namespace, &params).await;
    let of_namespace = get(listed)
        .post(async move |State(state): State<ApiState>, Path(namespace): Path<String>, body: Bytes| dialect.set(&state, &namespace, &body).await)
        .delete(async move |State(state): State<ApiState>, Path(namespace): Path<String>| delete(&state, &namespace, None).await);
    let of_group =
        get(async move |State(state): State<ApiState>, Path((namespace, name)): Path<(String, String)>| dialect.one(&state, &namespace, &name).await)
            .delete(async move |State(state): State<ApiState>, Path((namespace, name)): Path<(String, String)>| delete(&state, &namespace, Some(&name)).await);
    Router::new().route(&format!("{path}/{{namespace}}"), of_namespace).route(&format!("{path}/{{namespace}}/{{group}}"), of_group).with_state(state)
}

/// Whose path it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Mimir's and Cortex': metrics, and what only Signalbox has.
    Mimir,
    /// Loki's: logs.
    Loki,
    /// Both.
    Either,
}

/// Groups by namespace.
type Namespaces = BTreeMap<String, Vec<Value>>;

impl Dialect {
    fn implied(self) -> Implied {
        match self {
            Self::Mimir => Implied::Promql,
            Self::Loki => Implied::Logql,
            Self::Either => Implied::Either,
        }
    }

    fn shows(self, group: &GroupText) -> bool {
        match self {
            Self::Mimir => !group.is_logql,
            Self::Loki => group.is_logql,
            Self::Either => true,
        }
    }

    async fn namespaces(self, state: &ApiState) -> Result<Namespaces> {
        let mut namespaces = Namespaces::new();
        for group in state.ruler.groups().await?.into_iter().filter(|group| self.shows(group)) {
            let value = self.value(&group)?;
            namespaces.entry(group.namespace).or_default().push(value);
        }
        Ok(namespaces)
    }

    async fn of_namespace(self, state: &ApiState, namespace: &str, params: &Params) -> Result<Response, Refusal> {
        let mut namespaces = self.namespaces(state).await?;
        match namespaces.remove_entry(namespace) {
            Some(found) => Ok(yaml(&self.with_labels(Namespaces::from([found]), params))?),
            None => Err(Error::new(ErrorKind::NotFound, "no rule groups found").into()),
        }
    }

    /// As Loki filters: rules that have any of the labels in `labels=name:value,…`, and groups that have such rules.
    fn with_labels(self, mut namespaces: Namespaces, params: &Params) -> Namespaces {
        let Some(wanted) = params.get("labels").filter(|_| self != Self::Mimir) else { return namespaces };
        let wanted: Vec<(&str, &str)> = wanted.split(',').filter_map(|pair| pair.split_once(':')).collect();
        let has_any =
            |rule: &Value| wanted.iter().any(|(name, value)| rule.get("labels").and_then(|labels| labels.get(*name)).and_then(Value::as_str) == Some(*value));
        for groups in namespaces.values_mut() {
            for group in &mut *groups {
                if let Some(rules) = group.get_mut("rules").and_then(Value::as_sequence_mut) {
                    rules.retain(has_any);
                }
            }
            groups.retain(|group| group.get("rules").and_then(Value::as_sequence).is_some_and(|rules| !rules.is_empty()));
        }
        namespaces.retain(|_, groups| !groups.is_empty());
        namespaces
    }

    async fn one(self, state: &ApiState, namespace: &str, name: &str) -> Result<Response, Refusal> {
        let groups = state.ruler.groups().await?;
        let found = groups.iter().find(|group| group.namespace == namespace && group.name == name && self.shows(group));
        Ok(yaml(&self.value(found.ok_or_else(|| Error::new(ErrorKind::NotFound, "group does not exist"))?)?)?)
    }

    /// The group as clients of the dialect know groups: those of Loki have no key for the language that all rules have there.
    fn value(self, group: &GroupText) -> Result<Value> {
        let damaged = |error| Error::corrupt("cannot read a rule group").with_source(error);
        let mut value: Value = serde_norway::from_str(&group.text).map_err(damaged)?;
        if self == Self::Loki
            && let Value::Mapping(group) = &mut value
        {
            group.remove("lang");
            for rule in group.get_mut("rules").and_then(Value::as_sequence_mut).into_iter().flatten() {
                if let Value::Mapping(rule) = rule {
                    rule.remove("lang");
                }
            }
        }
        Ok(value)
    }

    async fn set(self, state: &ApiState, namespace: &str, body: &Bytes) -> Result<Response, Refusal> {
        let text = std::str::from_utf8(body).map_err(|error| Error::invalid(format!("cannot read the rule group: {error}")))?;
        state.ruler.set(namespace, text, self.implied()).await?;
        Ok(accepted())
    }
}

/// All groups by namespace. None are an empty list to Mimir's clients, and 404 to Loki's.
async fn all(state: &ApiState, dialect: Dialect, params: &Params) -> Result<Response, Refusal> {
    let namespaces = dialect.namespaces(state).await?;
    if namespaces.is_empty() && dialect != Dialect::Mimir {
        return Err(Error::new(ErrorKind::NotFound, "no rule groups found").into());
    }
    Ok(yaml(&dialect.with_labels(namespaces, params))?)
}

async fn delete(state: &ApiState, namespace: &str, name: Option<&str>) -> Result<Response, Refusal> {
    state.ruler.delete(namespace, name).await?;
    Ok(accepted())
}

fn yaml(value: &impl serde::Serialize) -> Result<Response> {
    let text = serde_norway::to_string(value).map_err(|error| Error::internal("cannot write rules as YAML").with_source(error))?;
    Ok(([(CONTENT_TYPE, "application/yaml")], text).into_response())
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, axum::Json(json!({ "status": "success", "data": null, "errorType": "", "error": "" }))).into_response()
}

/// A refusal in plain text, as rulers write it.
#[derive(Debug)]
pub(crate) struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if matches!(self.0.kind(), ErrorKind::Internal | ErrorKind::Corrupt) {
            tracing::error!(error = ?self.0, "cannot answer about rules: {}", self.0);
        }
        (status(&self.0), format!("{}\n", self.0.message())).into_response()
    }
}
