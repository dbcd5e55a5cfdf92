//! What the targets about configuration and discovery do with one input: plain functions, so that the tests run them too.

use signalbox_model::{ErrorKind, Labels};
use signalbox_scrape::config::{NameScheme, PrometheusConfig};
use signalbox_scrape::discovery::{AttachMetadata, DnsRecord, Role, foreign};
use signalbox_scrape::relabel;

/// A configuration is refused as wrong, or shows itself as one that reads the same.
pub(crate) fn config(text: &str) {
    let parse = |text: &str| PrometheusConfig::parse(text, |_| None);
    let config = match parse(text) {
        Ok(config) => config,
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Invalid),
    };
    let _unsupported = config.unsupported();
    let shown = config.to_yaml();
    // Secrets show as a word, options of others as nothing: only the jobs must be the same again.
    if let Ok(again) = parse(&shown) {
        assert_eq!(again.scrape_configs.len(), config.scrape_configs.len(), "{shown}");
    }
}

/// Rules are refused, or give or drop a set of labels, whatever the labels are.
pub(crate) fn relabel(text: &str) {
    for names in [NameScheme::Utf8, NameScheme::Legacy] {
        let Ok(rules) = relabel::parse(text, names) else { continue };
        for labels in [Labels::empty(), Labels::from_pairs([("__name__", "up"), ("a", "b"), ("__meta_x", text), ("job", "é;1")])] {
            let once = relabel::apply(&rules, &labels);
            assert_eq!(once, relabel::apply(&rules, &labels), "the same rules do the same");
            assert!(once.is_none_or(|labels| labels.iter().all(|(name, value)| !name.is_empty() && !value.is_empty())));
        }
    }
}

/// Groups in YAML or JSON are refused, or have a target for each address.
pub(crate) fn targets(text: &str) {
    for groups in [foreign::yaml(text), foreign::json(text.as_bytes())].into_iter().flatten() {
        assert!(groups.iter().all(|group| group.targets.iter().all(|target| target.len() <= 1)));
    }
}

/// An answer is refused, or every target has an address.
pub(crate) fn dns(bytes: &[u8]) {
    for record in [DnsRecord::Srv, DnsRecord::A, DnsRecord::Aaaa, DnsRecord::Mx, DnsRecord::Ns] {
        let targets = foreign::dns(bytes, 7, record).unwrap_or_default();
        assert!(targets.iter().all(|target| target.get("__address__").is_some()));
    }
}

/// Objects are refused, or make groups that name them.
pub(crate) fn kubernetes(text: &str) {
    let attach = AttachMetadata { node: true, namespace: true, deployment: true, job: true, cronjob: true };
    for role in Role::ALL {
        for groups in [foreign::kubernetes(role, attach, text), foreign::kubernetes(role, AttachMetadata::default(), text)].into_iter().flatten() {
            assert!(groups.iter().all(|group| group.source.contains('/')));
        }
    }
}
