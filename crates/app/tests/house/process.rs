//! The real binary: what it prints, how it stops, what is there afterwards.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use signalbox_tests::TestServer;

use crate::world::{client, logs, metrics, now_ns};

const BINARY: &str = env!("CARGO_BIN_EXE_signalbox");

fn run(arguments: &[&str]) -> Output {
    std::process::Command::new(BINARY).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn get(server: &TestServer, path: &str) -> Value {
    client().get(server.url(path)).send().await.unwrap().json().await.unwrap()
}

async fn post(server: &TestServer, path: &str, body: &Value) -> u16 {
    let request = client().post(server.url(path)).header("content-type", "application/json").body(body.to_string());
    request.send().await.unwrap().status().as_u16()
}

async fn found_lines(server: &TestServer) -> usize {
    let found = get(server, "/loki/api/v1/query_range?query=%7Bservice_name%3D%22cart%22%7D").await;
    found["data"]["result"].as_array().map_or(0, |streams| streams.iter().map(|stream| stream["values"].as_array().map_or(0, Vec::len)).sum())
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_sigterm_and_after_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let binary = Path::new(BINARY);
    let server = TestServer::start(binary, dir.path(), &[]).await.unwrap();
    assert_eq!(post(&server, "/v1/logs", &logs(now_ns())).await, 200);
    assert_eq!(server.terminate().await.unwrap(), 0);

    let server = TestServer::start(binary, dir.path(), &[]).await.unwrap();
    assert_eq!(found_lines(&server).await, 1);
    assert_eq!(post(&server, "/v1/logs", &logs(now_ns())).await, 200);
    server.kill().await.unwrap();

    let server = TestServer::start(binary, dir.path(), &[]).await.unwrap();
    assert_eq!(found_lines(&server).await, 2);
    assert_eq!(server.terminate().await.unwrap(), 0);
}

#[tokio::test]
async fn a_second_server_over_the_same_folder_says_why_it_cannot_start() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(Path::new(BINARY), dir.path(), &[]).await.unwrap();
    let folder = dir.path().to_str().unwrap();
    let doors = ["http", "otlp-grpc", "otlp-http", "syslog", "gelf", "forward", "zipkin", "jaeger"].map(|door| format!("--{door}-listen"));
    let free = doors.each_ref().map(|flag| [flag.as_str(), "127.0.0.1:0"]);
    let second = run(&[&["serve", "--data-dir", folder], free.as_flattened()].concat());
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("another process uses it"), "{}", text(&second.stderr));

    let http = server.http.to_string();
    let third = run(&["serve", "--data-dir", folder, "--http-listen", &http]);
    assert_eq!(third.status.code(), Some(1));
    let said = text(&third.stderr);
    assert!(said.contains(&format!("cannot listen on {http}: another process does")) && said.contains("--http-listen"), "{said}");
    assert_eq!(server.terminate().await.unwrap(), 0);
}

#[tokio::test]
async fn it_observes_itself() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(Path::new(BINARY), dir.path(), &[]).await.unwrap();
    assert_eq!(post(&server, "/v1/metrics", &metrics(now_ns())).await, 200);
    // Own telemetry is written every second; a minute without any is a failure.
    let mut missing = Vec::new();
    for _ in 0..240 {
        let sql = |query: &str| serde_json::json!({"query": query});
        let count = async |query: &str| -> i64 {
            let answer = client().post(server.url("/api/v1/sql")).header("content-type", "application/json").body(sql(query).to_string()).send().await.unwrap();
            let answer: Value = answer.json().await.unwrap();
            answer["rows"][0][0].as_i64().unwrap_or_else(|| panic!("no count: {answer}"))
        };
        missing.clear();
        for (signal, query) in [
            ("logs", "select count(*) as n from logs where service = 'signalbox'"),
            ("spans", "select count(*) as n from spans where service = 'signalbox'"),
            ("metrics", "select count(*) as n from metrics where name = 'process_resident_memory_bytes'"),
        ] {
            if count(query).await == 0 {
                missing.push(signal);
            }
        }
        if missing.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    assert!(missing.is_empty(), "no own telemetry: {missing:?}");
    assert_eq!(server.terminate().await.unwrap(), 0);
}

#[test]
fn mistakes_end_with_2_and_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.yaml");
    std::fs::write(&file, "http:\n  lisen: 1\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [&["check", "config", file][..], &["serve", "--config", file]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2));
        let expected = format!("signalbox: cannot use configuration {file}: line 2: unknown key `http.lisen`: did you mean `listen`?\n");
        assert_eq!(text(&output.stderr), expected);
    }
    assert_eq!(run(&["serve", "--colour"]).status.code(), Some(2));
    let rules = dir.path().join("rules.yaml");
    let rules = rules.to_str().unwrap();
    std::fs::write(rules, "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]").unwrap();
    std::fs::write(rules, "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up ==\n").unwrap();
    std::fs::write(file, format!("alert: {{rule_files: ['{rules}']}}\n")).unwrap();
    let output = run(&["check", "config", file]);
    let expected = format!("signalbox: {rules}: 5:11: group \"g\", rule 1, \"A\": could not parse expression: 1:6: parse error: unexpected end of input\n");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), expected));
    let version = run(&["--version"]);
    assert_eq!((version.status.code(), text(&version.stdout)), (Some(0), format!("signalbox {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn rule_files_are_checked_with_their_expressions() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, expr: &str| {
        let file = dir.path().join(name);
        std::fs::write(&file, format!("groups:\n- name: g\n  rules:\n  - {{record: a:b, expr: '{expr}'}}\n")).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (good, bad) = (write("good.yaml", "sum(up)"), write("bad.yaml", "sum(up"));
    let output = run(&["check", "rules", &good]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), format!("Checking {good}\n  SUCCESS: 1 rules found\n\n")));
    let output = run(&["check", "rules", &bad, &good]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("  FAILED:\n{bad}: 4:25: group \"g\", rule 1, \"a:b\": could not parse expression: 1:7: parse error: unclosed left parenthesis\n");
    assert_eq!(text(&output.stderr), expected);
    assert!(text(&output.stdout).contains(&format!("Checking {good}\n  SUCCESS: 1 rules found\n")), "the others are checked as well");
    let output = run(&["check", "rules", "/nonexistent.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nonexistent.yaml"));
}

#[test]
fn a_prometheus_yml_is_known_and_checked_as_the_server_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("prometheus.yml");
    let file = path.to_str().unwrap();
    std::fs::write(dir.path().join("rules.yml"), "groups:\n- name: g\n  rules:\n  - {record: a:b, expr: sum(up)}\n").unwrap();
    let good = "global: {scrape_interval: 15s}\nruntime: {gogc: 50}\nrule_files: [rules.yml, missing.yml]\nscrape_configs:\n- job_name: a\n  static_configs: [{targets: ['h:1']}]\n";
    for (yaml, code, stdout, stderr) in [
        (
            good.to_owned(),
            0,
            format!(
                "{file}: runtime: without effect: there is no runtime of Go to tune\n{file}: rule_files: {} does not exist\n{file}: ok, 1 jobs, 1 rules\n",
                dir.path().join("missing.yml").display()
            ),
            String::new(),
        ),
        (
            good.replace("job_name: a", "job_nam: a"),
            2,
            String::new(),
            format!("signalbox: cannot use {file}: line 5: scrape_configs[0]: field job_nam not found: did you mean job_name?\n"),
        ),
        (
            format!("{good}remote_write: [{{url: 'http://x/'}}]\n"),
            2,
            String::new(),
            format!("signalbox: cannot use {file}: not supported by signalbox:\n  remote_write: samples are not sent on"),
        ),
        (
            format!("{good}  tls_config: {{ca_file: none.pem}}\n"),
            2,
            String::new(),
            format!("signalbox: cannot use {file}: scrape_configs[0]: cannot read {}: No such file", dir.path().join("none.pem").display()),
        ),
    ] {
        std::fs::write(&path, yaml).unwrap();
        for command in ["config", "prometheus"] {
            let output = run(&["check", command, file]);
            assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), stdout.clone()), "{}", text(&output.stderr));
            assert!(text(&output.stderr).starts_with(&stderr), "{}", text(&output.stderr));
        }
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::start(Path::new(BINARY), dir.path(), &[]).await.unwrap();
    // A request that never ends keeps the server draining.
    let mut unfinished = tokio::net::TcpStream::connect(server.http).await.unwrap();
    unfinished
        .write_all(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    unfinished.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    server.signal("TERM").await.unwrap();
    while client().get(server.url("/-/healthy")).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
    let (code, _) = server.terminate_with_log().await.unwrap();
    assert_eq!(code, 143);
}
