use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use signalbox_model::attributes::AttributeValue;

use super::{Loaded, Stages, config, expression::Expression, layout::Layout, positions, selector::Selector, template::Template};
use crate::files::source::Work;
use crate::logs::{Origin, Record};
use crate::transform::{Verdict, Zone};

const NOW_NS: i64 = 1_700_000_000_000_000_000;

fn load(text: &str) -> Result<Loaded, String> {
    config::read(text, Path::new("/nowhere"))
}

fn stages(yaml: &str) -> Stages {
    Stages::new(&serde_norway::from_str::<Vec<_>>(yaml).unwrap(), "stages", 0).unwrap()
}

fn run_with(stages: &mut Stages, line: &str) -> String {
    let mut origin = Origin::default();
    origin.set("app", "shop");
    let mut record = Record { origin: Arc::new(origin), body: Some(Cow::Borrowed(line)), ..Record::default() };
    let (verdict, tenant) = stages.run(&mut record, NOW_NS);
    if verdict == Verdict::Drop {
        return "dropped".to_owned();
    }
    let mut parts = vec![record.body.unwrap().into_owned()];
    parts.extend(record.origin.attributes.iter().filter(|(name, _)| name != "app").map(|(name, value)| format!("{name}={}", value.to_text())));
    parts.extend(record.attributes.iter().map(|(name, value)| format!("+{name}={}", value.to_text())));
    parts.extend(record.timestamp_ns.map(|ns| format!("@{ns}")));
    parts.extend(tenant.map(|tenant| format!("tenant={}", tenant.as_str())));
    parts.join(" | ")
}

fn run(yaml: &str, line: &str) -> String {
    run_with(&mut stages(yaml), line)
}

#[test]
fn stages_do_what_promtail_documents() {
    for (yaml, line, want) in [
        (
            "- json: {expressions: {level: , user: , host: extra.host, first: 'a[0]', msg: log}}\n- labels: {level: , first: }\n- structured_metadata: {u: user}\n- output: {source: msg}",
            r#"{"log":"hello","level":"warn","user":{"id":1},"a":["x"],"extra":{"host":"h"}}"#,
            r#"hello | first=x | level=warn | +u={"id":1}"#,
        ),
        ("- json: {expressions: {a: }, drop_malformed: true}", "no json", "dropped"),
        (
            "- logfmt: {mapping: {level: , who: user}}\n- labels: {level: , who: }",
            r#"level=info user="a b" x=1"#,
            r#"level=info user="a b" x=1 | level=info | who=a b"#,
        ),
        ("- regex: {expression: '^(?P<verb>\\w+) (?P<path>\\S+)'}\n- labels: {verb: , p: path}", "GET /a x", "GET /a x | p=/a | verb=GET"),
        ("- regex: {expression: '^(?P<verb>\\w+)', labels_from_groups: true}", "GET /a", "GET /a | verb=GET"),
        ("- replace: {expression: 'password=(\\S+)', replace: '****'}", "password=a x password=b", "password=**** x password=****"),
        (
            "- replace: {expression: '(?P<ip>\\d+\\.\\d+\\.\\d+\\.\\d+)', replace: '{{ .Value | ToUpper }}-{{ Sha2Hash \"s\" .Value | TrimPrefix \"x\" }}'}\n",
            "no",
            "no",
        ),
        ("- replace: {expression: 'b+', replace: '{{ .Value | ToUpper }}'}", "abbc", "aBBc"),
        (
            "- regex: {expression: 'l=(?P<level>\\w+)'}\n- template: {source: level, template: '{{ if eq .Value \"WARN\" }}warning{{ else }}{{ ToLower .Value }}{{ end }}'}\n- labels: {level: }",
            "l=WARN",
            "l=WARN | level=warning",
        ),
        ("- template: {source: x, template: '{{ .app }}-{{ Replace .Entry \" \" \"_\" -1 }}'}\n- output: {source: x}", "a b", "shop-a_b"),
        ("- match: {selector: '{app=\"shop\"} |= \"err\"', stages: [{static_labels: {bad: 'yes'}}]}", "an err", "an err | bad=yes"),
        ("- match: {selector: '{app=\"shop\"} |= \"err\"', stages: [{static_labels: {bad: 'yes'}}]}", "fine", "fine"),
        ("- match: {selector: '{app=~\"sh.*\"} != \"keep\"', action: drop}", "x", "dropped"),
        (
            "- regex: {expression: '^(?P<ts>\\S+)'}\n- timestamp: {source: ts, format: RFC3339Nano}",
            "2023-11-14T22:13:20.5Z x",
            "2023-11-14T22:13:20.5Z x | @1700000000500000000",
        ),
        (
            "- regex: {expression: '^(?P<ts>\\S+)'}\n- timestamp: {source: ts, format: Nope2006, fallback_formats: [UnixMs]}",
            "1700000000500 x",
            "1700000000500 x | @1700000000500000000",
        ),
        ("- drop: {expression: 'health'}", "GET /health", "dropped"),
        ("- drop: {source: app, value: shop}", "x", "dropped"),
        ("- drop: {source: [app, app], separator: '-', expression: '^shop-shop$'}", "x", "dropped"),
        ("- drop: {longer_than: 3b}", "abcd", "dropped"),
        ("- drop: {longer_than: 1kb}", "abcd", "abcd"),
        ("- regex: {expression: '(?P<t>\\d+)'}\n- timestamp: {source: t, format: Unix}\n- drop: {older_than: 24h}", "1600000000", "dropped"),
        ("- pack: {labels: [app], ingest_timestamp: false}", "x", r#"{"app":"shop","_entry":"x"}"#),
        ("- tenant: {value: other}", "x", "x | tenant=other"),
        ("- tenant: {label: app}", "x", "x | tenant=shop"),
        ("- tenant: {source: nope}", "x", "x"),
        (
            "- json: {expressions: {t: t}}\n- tenant: {source: t}",
            r#"{"t":"no tenant"}"#,
            r#"{"t":"no tenant"} | +signalbox.transform_error=tenant: cannot use "no tenant" as tenant: want 1 to 64 of A-Z a-z 0-9 _ -"#,
        ),
        // What is missing or null leaves a label as it is; the empty text takes it away.
        (
            "- static_labels: {a: '1', b: '2', c: '3', d: }\n- json: {expressions: {a: , b: , c: , n: , f: , t: }}\n- labels: {a: , b: , c: '', x: nope, n: , f: , t: }",
            r#"{"b":null,"c":"","n":12345678901234567,"f":1.0,"t":true}"#,
            r#"{"b":null,"c":"","n":12345678901234567,"f":1.0,"t":true} | a=1 | b=2 | f=1 | n=12345678901234567 | t=true"#,
        ),
        ("- json: {expressions: {a: }}\n- output: {source: a}", r#"{"a":null}"#, r#"{"a":null}"#),
        ("- json: {expressions: {a: }, source: nope, drop_malformed: true}", "x", "x"),
        ("- decolorize:", "\u{1b}[31mred\u{1b}[0m", "red"),
        ("- static_labels: {a: b, c: d}\n- labeldrop: [a]", "x", "x | c=d"),
        ("- static_labels: {a: b, c: d}\n- labelallow: [a]", "x", "x | a=b"),
        ("- match: {selector: '{app=\"x\"}', stages: []}\n- cri:", "2023-11-14T22:13:20Z stderr F hi", "hi | stream=stderr | @1700000000000000000"),
    ] {
        assert_eq!(run(yaml, line), want, "{yaml}");
    }
}

#[test]
fn a_limit_lets_a_burst_through() {
    let mut limited = stages("- limit: {rate: 1, burst: 2, drop: true}");
    assert_eq!([0; 4].map(|_| run_with(&mut limited, "x")), ["x", "x", "dropped", "dropped"]);
}

#[test]
fn layouts_of_go_are_read() {
    for (layout, text, want) in [
        ("RFC3339", "2023-11-14T22:13:20Z", Some(NOW_NS)),
        ("2006-01-02T15:04:05.000Z07:00", "2023-11-14T23:13:20.250+01:00", Some(NOW_NS + 250_000_000)),
        ("2006-01-02T15:04:05.999999999Z07:00", "2023-11-14T22:13:20.25Z", Some(NOW_NS + 250_000_000)),
        ("2006-01-02 15:04:05,000", "2023-11-14 22:13:20,250", Some(NOW_NS + 250_000_000)),
        ("02/Jan/2006:15:04:05 -0700", "14/Nov/2023:23:13:20 +0100", Some(NOW_NS)),
        ("Jan _2 15:04:05", "Nov 14 22:13:20", Some(NOW_NS)),
        ("UnixDate", "Tue Nov 14 22:13:20 UTC 2023", Some(NOW_NS)),
        ("RFC1123", "Tue, 14 Nov 2023 22:13:20 GMT", Some(NOW_NS)),
        ("ANSIC", "Tue Nov 14 22:13:20 2023", Some(NOW_NS)),
        ("2006/01/02 03:04:05 PM", "2023/11/14 10:13:20 PM", Some(NOW_NS)),
        ("UnixNs", "1700000000000000000", Some(NOW_NS)),
        ("2006-01-02", "14.11.2023", None),
    ] {
        let zone = Zone::new("", "x").unwrap();
        assert_eq!(Layout::new(layout, "x").unwrap().read(text, &zone, NOW_NS), want, "{layout} {text}");
    }
    let zone = Zone::new("Europe/Zurich", "x").unwrap();
    assert_eq!(Layout::new("2006-01-02 15:04:05", "x").unwrap().read("2023-11-14 23:13:20", &zone, NOW_NS), Some(NOW_NS));
    assert!(Layout::new("yyyy", "x").is_err());
}

#[test]
fn templates_print_fields_through_functions() {
    let field = |name: &str| match name {
        "Value" => Some("  Hello World  ".to_owned()),
        "a" => Some("x".to_owned()),
        _ => None,
    };
    for (template, want) in [
        ("plain", "plain"),
        ("{{ .a }}{{.b}}", "x"),
        ("{{ TrimSpace .Value | ToUpper }}", "HELLO WORLD"),
        ("{{ Replace .Value \" \" \"\" -1 }}", "HelloWorld"),
        ("{{ regexReplaceAll \"(l+)o\" .Value \"<$1>\" }}", "  He<ll> World  "),
        ("{{ regexReplaceAllLiteral \"l+\" .Value `$1` }}", "  He$1o Wor$1d  "),
        ("{{ if .b }}yes{{ else if eq .a \"x\" }}x{{ else }}no{{ end }}", "x"),
        ("{{ if and .a (not .b) }}both{{ end }}", "both"),
        ("{{ .b | default \"none\" }}{{ default \"none\" .a }}", "nonex"),
        ("a {{- .a -}} b", "axb"),
        ("{{ if hasPrefix \"x\" .a }}p{{ end }}{{ if contains \"W\" .Value }}c{{ end }}", "pc"),
        ("{{ Sha2Hash \"salt\" .a }}", "c9ef43a03d58f2cb9b0c4b069c179595739f5181a5565c8db5dbb124564ea819"),
    ] {
        assert_eq!(Template::new(template, "x").unwrap().render(&field), want, "{template}");
    }
    for (template, want) in [
        ("{{ .a", "no `}}`"),
        ("{{ if .a }}", "`if` without `end`"),
        ("{{ end }}", "`end` without `if`"),
        ("{{ range .a }}{{ end }}", "`range` is not supported"),
        ("{{ printf \"%s\" .a }}", "the function \"printf\" is not supported"),
        ("{{ ToLower }}", "takes 1 arguments"),
        ("{{ \"x }}", "no `}}`"),
        ("{{ (.a }}", "no `)`"),
        ("{{ }}", "want one value"),
        ("{{ regexReplaceAll .a .a .a }}", "wants an expression that is a text"),
    ] {
        let error = Template::new(template, "x").unwrap_err();
        assert!(error.contains(want), "{template}: {error}");
    }
}

#[test]
fn expressions_and_selectors_are_read_or_refused() {
    let value = serde_json::json!({"a": {"b c": [1, {"d": "x"}]}});
    assert_eq!(Expression::new("a.\"b c\"[1].d").unwrap().find(&value), Some(&serde_json::json!("x")));
    assert_eq!(Expression::new("a.\"b c\"[-2]").unwrap().find(&value), Some(&serde_json::json!(1)));
    assert_eq!(Expression::new("a.x[9]").unwrap().find(&value), None);
    for text in ["", "a.", "a b", "a[?x]", "a[*]", "a || b", "length(a)", "\"a", "a[0"] {
        assert!(Expression::new(text).is_err(), "{text}");
    }
    let labels = [("a".to_owned(), "x".to_owned())];
    for (text, want) in [("{a=\"x\"}", true), ("{a!=\"x\"}", false), ("{a=~\"[xy]\", b=\"\"} |~ `l.n`", true), ("{} !~ \"line\"", false), ("{a=\"x\",}", true)]
    {
        assert_eq!(Selector::new(text, "p").unwrap().holds(&labels, "a line"), want, "{text}");
    }
    for text in ["", "a", "{", "{a}", "{a=x}", "{a=\"x\"", "{a=\"x\"} | json", "{a=~\"(\"}", "{a=\"x}"] {
        assert!(Selector::new(text, "p").is_err(), "{text}");
    }
}

const WHOLE: &str = r#"
server: {http_listen_port: 9080}
positions: {filename: /tmp/positions.yaml}
clients: [{url: http://loki:3100/loki/api/v1/push}]
scrape_configs:
  - job_name: system
    static_configs:
      - targets: [localhost]
        labels: {job: varlogs, env: Prod, __path__: '/var/log/{a,b}/*.log', __path_exclude__: /var/log/a/x.log}
      - labels: {job: dropme, __path__: /x}
    relabel_configs:
      - {source_labels: [job], regex: drop.*, action: drop}
      - {source_labels: [env], target_label: env, action: lowercase}
      - {source_labels: [job, env], separator: '/', target_label: both}
      - {regex: en(.), replacement: 'x$1', action: labelmap}
      - {regex: env, action: labeldrop}
    pipeline_stages:
      - cri: {}
      - multiline: {firstline: '^\S', max_wait_time: 1s}
      - json: {expressions: {level: }}
      - labels: {level: }
"#;

#[test]
fn a_whole_file_is_read() {
    let loaded = load(WHOLE).unwrap();
    assert_eq!(loaded.positions, Some(("/tmp/positions.yaml".into(), false)));
    assert_eq!(loaded.notes.len(), 2);
    let [source] = loaded.sources.as_slice() else { panic!("{} sources", loaded.sources.len()) };
    assert_eq!(source.patterns, ["/var/log/a/*.log", "/var/log/b/*.log"]);
    let labels: Vec<String> = source.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["job=varlogs", "both=varlogs/prod", "xv=prod"]);
    assert!(source.multiline.is_some() && source.format == crate::files::LineFormat::Cri);
    assert!(matches!(source.work, Work::Stages(_)));
}

#[test]
fn streams_of_containers_become_labels_and_the_path_the_file_name() {
    let mut stages = stages("[]");
    let mut record = Record { body: Some("x".into()), ..Record::default() };
    record.attributes.push(("log.file.path".into(), AttributeValue::String("/a".into())));
    record.attributes.push(("log.iostream".into(), AttributeValue::String("stdout".into())));
    stages.run(&mut record, NOW_NS);
    assert_eq!((record.origin.text("filename"), record.origin.text("stream"), record.attributes.len()), (Some("/a"), Some("stdout"), 0));
}

#[test]
fn what_is_unknown_or_not_supported_is_refused_by_name() {
    let scrape = |rest: &str| format!("scrape_configs: [{{static_configs: [{{labels: {{__path__: /x}}}}], {rest}}}]");
    for (text, want) in [
        ("scrap_configs: []".to_owned(), "unknown field `scrap_configs`"),
        (scrape("kubernetes_sd_configs: [{role: pod}]"), "scrape_configs[0].kubernetes_sd_configs: not supported: give static_configs"),
        (scrape("journal: {}"), "scrape_configs[0].journal: not supported"),
        (scrape("nope: 1"), "unknown field `nope`"),
        (scrape("encoding: utf-16"), "scrape_configs[0].encoding"),
        (scrape("relabel_configs: [{action: hashmod}]"), "relabel_configs[0].action: \"hashmod\" is not supported"),
        (scrape("relabel_configs: [{regex: '('}]"), "relabel_configs[0].regex"),
        (scrape("relabel_configs: [{source_labels: [a]}]"), "replace wants target_label"),
        (scrape("pipeline_stages: [{metrics: {}}]"), "scrape_configs[0].pipeline_stages[0].metrics: not supported"),
        (scrape("pipeline_stages: [{docker: {}}, {geoip: {}}]"), "pipeline_stages[1].geoip: not supported"),
        (scrape("pipeline_stages: [{jsn: {}}]"), "pipeline_stages[0]: no stage \"jsn\""),
        (scrape("pipeline_stages: [{json: {}}]"), "pipeline_stages[0].json: missing field `expressions`"),
        (scrape("pipeline_stages: [{json: {expressions: {a: 'b[*]'}}}]"), "json.expressions.a: the expression \"b[*]\" is not supported"),
        (scrape("pipeline_stages: [{labels: {a: }}, {multiline: {firstline: x}}]"), "pipeline_stages[1].multiline: want it first"),
        (scrape("pipeline_stages: [{regex: {expression: x}}]"), "regex.expression: no named group"),
        (scrape("pipeline_stages: [{match: {selector: '{a=1}', stages: []}}]"), "match.selector: cannot read selector"),
        (scrape("pipeline_stages: [{match: {selector: '{}', stages: [{metrics: {}}]}}]"), "match.stages[0].metrics: not supported"),
        (scrape("pipeline_stages: [{limit: {rate: 1, burst: 1}}]"), "limit.drop: want true"),
        (scrape("pipeline_stages: [{drop: {}}]"), "drop: want source"),
        (scrape("pipeline_stages: [{tenant: {}}]"), "tenant: want one of"),
        (scrape("pipeline_stages: [{timestamp: {source: a, format: x}}]"), "timestamp.format"),
        (scrape("pipeline_stages: [{labels: {a-b: }}]"), "pipeline_stages[0].labels: \"a-b\" is no name of a label"),
        (scrape("pipeline_stages: [{labels: {}}]"), "pipeline_stages[0].labels: want at least one"),
        (scrape("pipeline_stages: [{tenant: {value: 'a b'}}]"), "pipeline_stages[0].tenant.value: cannot use \"a b\" as tenant"),
        (scrape("decompression: {enabled: true, format: bz2}"), "scrape_configs[0].decompression.format: \"bz2\" is not supported: want gz"),
        (scrape("pipeline_stages: [7]"), "pipeline_stages[0]: want one stage"),
        ("scrape_configs: [{static_configs: [{labels: {a: b}}]}]".to_owned(), "without the label `__path__`"),
        ("scrape_configs: [{file_sd_configs: [{files: ['[']}]}]".to_owned(), "cannot read pattern"),
    ] {
        let error = load(&text).unwrap_err();
        assert!(error.contains(want), "{text}: {error}");
    }
}

#[test]
fn the_example_is_read() {
    let loaded = load(include_str!("../../../../../config/agents/promtail.yaml")).unwrap();
    assert_eq!((loaded.sources.len(), loaded.notes.len()), (3, 1));
}

#[test]
fn positions_of_promtail_are_read_and_refused() {
    let read = |text: &str| {
        let mut found: Vec<_> = positions::parse(text)?.into_iter().map(|(path, offset)| format!("{}={offset}", path.display())).collect();
        found.sort();
        Ok::<_, String>(found.join(" "))
    };
    for (text, want) in [
        ("positions:\n  /var/log/a.log: \"123\"\n  /var/log/b c.log: 7\n  cursor-x: s=1;i=2\n  journal-y: z\n", "/var/log/a.log=123 /var/log/b c.log=7"),
        ("positions: {}\n", ""),
        ("positions:\n", ""),
        ("", ""),
    ] {
        assert_eq!(read(text).unwrap(), want, "{text}");
    }
    for text in ["positions: {/a: x}", "positions: {/a: -1}", "positions: [1]", "positions: {", "7"] {
        assert!(read(text).is_err(), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (config, positions) = (folder.path().join("promtail.yaml"), folder.path().join("positions.yaml"));
    std::fs::write(&config, "positions: {filename: positions.yaml}").unwrap();
    assert_eq!(super::load(&config).unwrap().takeover.unwrap().offsets.len(), 0);
    std::fs::write(&positions, "positions: {/a: '5'}").unwrap();
    let takeover = super::load(&config).unwrap().takeover.unwrap();
    assert_eq!((takeover.file.as_path(), takeover.offsets[Path::new("/a")]), (positions.as_path(), 5));
    std::fs::write(&positions, "{").unwrap();
    assert!(super::load(&config).unwrap_err().to_string().contains("cannot read positions"));
    std::fs::write(&config, "positions: {filename: positions.yaml, ignore_invalid_yaml: true}").unwrap();
    let loaded = super::load(&config).unwrap();
    assert!(loaded.takeover.is_none() && loaded.notes[0].contains("cannot read positions"));
}

#[test]
fn file_sd_configs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), r#"[{"targets": ["x"], "labels": {"__path__": "/a", "job": "a"}}]"#).unwrap();
    std::fs::write(folder.path().join("b.yml"), "- labels: {__path__: /b}\n").unwrap();
    let loaded = config::read("scrape_configs: [{file_sd_configs: [{files: ['*.json', '*.yml']}]}]", folder.path()).unwrap();
    let found: Vec<_> = loaded.sources.iter().map(|source| source.patterns[0].as_str()).collect();
    assert_eq!(found, ["/a", "/b"]);
}

#[test]
fn no_mutant_of_a_file_makes_it_panic() {
    let pieces = ["{{ if .a }}", "}}", "{{", "'", "\"", "regex: ", "(", "[", "- template: ", "\u{1b}"];
    signalbox_testkit::mutate::texts(
        &[
            WHOLE,
            "scrape_configs: [{static_configs: [{labels: {__path__: /x}}], pipeline_stages: [{template: {source: a, template: '{{ if eq .a \"b\" }}c{{ end }}'}}, {match: {selector: '{a=~\"b\"} |= \"c\"', action: drop}}]}]",
        ],
        &pieces,
        400,
        |text| {
            // Understood or refused.
            let _loaded = load(text);
        },
    );
}
