//! The fuzz targets of configuration and discovery, briefly and on stable: good inputs, damaged.

#[path = "../fuzz/found.rs"]
mod found;

use signalbox_testkit::mutate;

const MUTANTS: usize = 1000;

#[test]
fn config() {
    let seeds = [
        "global: {scrape_interval: 15s, external_labels: {a: $B}}\nscrape_configs:\n  - &a\n    job_name: a\n    basic_auth: {username: u, password: p}\n    static_configs: [{targets: ['h:1'], labels: {x: y}}]\n    kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, label: 'a in (b)'}]}]\n    relabel_configs:\n      - {source_labels: [a], regex: 'x(.*)', target_label: b}\n  - <<: *a\n    job_name: b\n",
        "remote_write: [{url: 'http://x', queue_config: {max_shards: 3}}]\nstorage: {tsdb: {retention: {size: 1GB, time: 1d}}}\notlp: {promote_resource_attributes: [a]}\ntracing: {endpoint: e}\nalerting: {alertmanagers: [{static_configs: [{targets: [a]}]}]}\n",
    ];
    mutate::texts(&seeds, &["  - ", ": ", "\n", "*a", "&a ", "<<: ", "---\n", "'", "|", "#", "{", "}", "!!binary ", "null", "$", "1y"], MUTANTS, found::config);
}

#[test]
fn relabel() {
    let seeds = [
        "[{source_labels: [a, job], separator: ';', regex: '(.*);(?P<n>.+)', target_label: '${1}', replacement: '$n$$', action: replace}]",
        "[{action: hashmod, source_labels: [__name__], modulus: 7, target_label: x}, {action: labelmap, regex: '__meta_(.+)'}, {action: labeldrop, regex: a}, {action: uppercase, source_labels: [job], target_label: j}]",
    ];
    mutate::texts(&seeds, &["(", ")", "$1", "${", "[", "]", "\\d", "{2}", "keep", "dropequal", "*", "?"], MUTANTS, found::relabel);
}

#[test]
fn targets() {
    let seeds = ["- targets: ['a:1', b]\n  labels: {x: y, e: ''}\n- targets: []\n", "[{\"targets\": [\"a:1\"], \"labels\": {\"__address__\": \"z\"}}]"];
    mutate::texts(&seeds, &["- ", "\"", ",", "null", "{", "}", ": "], MUTANTS, found::targets);
}

#[test]
fn dns() {
    // An answer to question 7 about known.test with one SRV record, its name a pointer.
    let srv = b"\x00\x07\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00\x05known\x04test\x00\x00\x21\x00\x01\xc0\x0c\x00\x21\x00\x01\x00\x00\x00\x3c\x00\x10\x00\x00\x00\x00\x23\x8c\x03one\x04test\x00";
    let a = b"\x00\x07\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00\x05known\x04test\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01";
    mutate::bytes(&[srv, a], MUTANTS, found::dns);
}

#[test]
fn kubernetes() {
    let seeds = [
        r#"[{"metadata": {"name": "a", "namespace": "n", "labels": {"x/y": "z"}, "ownerReferences": [{"kind": "Job", "name": "j", "controller": true}]}, "spec": {"nodeName": "a", "containers": [{"name": "c", "ports": [{"containerPort": 80}]}], "ports": [{"port": 1}], "type": "LoadBalancer", "rules": [{"host": "h"}]}, "status": {"podIP": "1.2.3.4", "addresses": [{"type": "InternalIP", "address": "::1"}]}}]"#,
        r#"[{"metadata": {"name": "a", "namespace": "n"}, "addressType": "IPv4", "subsets": [{"addresses": [{"ip": "1", "targetRef": {"kind": "Pod", "name": "a", "namespace": "n"}}], "ports": [{"port": 1}]}], "endpoints": [{"addresses": ["1"], "targetRef": {"kind": "Pod", "name": "a", "namespace": "n"}}], "ports": [{"port": 80}]}]"#,
    ];
    mutate::texts(&seeds, &["\"", ",", "null", "{", "}", ": ", "[", "]", "-1", "99999999999"], MUTANTS, found::kubernetes);
}
