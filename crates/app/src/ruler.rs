//! Rules that are set over HTTP, as the APIs of rulers ask for them.

use std::sync::Arc;

use async_trait::async_trait;
use signalbox_alert::Alerting;
use signalbox_alert::rule_text;
use signalbox_api::ruler::{GroupText, Implied, RuleFileText, Ruler};
use signalbox_model::Result;

/// The ruler of a server.
#[derive(Debug)]
pub(crate) struct OwnRuler(pub(crate) Arc<Alerting>);

#[async_trait]
impl Ruler for OwnRuler {
    async fn groups(&self) -> Result<Vec<GroupText>> {
        let show =
            |group: signalbox_alert::ruler::GroupText| GroupText { namespace: group.namespace, name: group.name, is_logql: group.is_logql, text: group.text };
        Ok(self.0.rule_groups().await?.into_iter().map(show).collect())
    }

    async fn files(&self) -> Result<Vec<RuleFileText>> {
        let show = |file: signalbox_alert::ruler::FileText| RuleFileText { namespace: file.namespace, is_file: file.is_file, text: file.text };
        Ok(self.0.export_rules().await?.into_iter().map(show).collect())
    }

    async fn set(&self, namespace: &str, text: &str, implied: Implied) -> Result<()> {
        let implied = match implied {
            Implied::Promql => rule_text::Implied::Promql,
            Implied::Logql => rule_text::Implied::Logql,
            Implied::Either => rule_text::Implied::Either,
        };
        self.0.set_rule_group(namespace, text, implied).await
    }

    async fn delete(&self, namespace: &str, name: Option<&str>) -> Result<()> {
        self.0.delete_rule_groups(namespace, name).await
    }
}
