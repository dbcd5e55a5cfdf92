//! The client against a small server of the tests, which says what it was asked.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signalbox_testkit::ManualClock;

use super::*;
use crate::config::from_text;
use crate::serve::{Answer, Asked, Server};

fn client(yaml: &str) -> HttpClient {
    let (config, _): (HttpClientConfig, _) = from_text(yaml).unwrap();
    HttpClient::new(&config, Arc::new(ManualClock::default())).unwrap()
}

/// What a server saw of a request that a client with this configuration made.
async fn seen(yaml: &str) -> Asked {
    let server = Server::start(|_| Answer::json(json!({}))).await;
    let url = Url::parse(&server.url("/metrics?a=b")).unwrap();
    client(yaml).get(url).await.unwrap().send().await.unwrap();
    server.asked().remove(0)
}

#[tokio::test]
async fn authentication_and_headers_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, " fromfile\n").unwrap();
    let file = file.display();
    for (yaml, header, wanted) in [
        ("{basic_auth: {username: u, password: p}}".to_owned(), "authorization", "Basic dTpw"),
        (format!("{{basic_auth: {{username: u, password_file: {file}}}}}"), "authorization", "Basic dTpmcm9tZmlsZQ=="),
        ("{authorization: {type: Token, credentials: c}}".to_owned(), "authorization", "Token c"),
        (format!("{{authorization: {{type: Bearer, credentials_file: {file}}}}}"), "authorization", "Bearer fromfile"),
        (format!("{{http_headers: {{X-A: {{values: [v], secrets: [s], files: [{file}]}}}}}}"), "x-a", "v, s, fromfile"),
        ("{}".to_owned(), "user-agent", concat!("Signalbox/", env!("CARGO_PKG_VERSION"))),
    ] {
        let asked = seen(&yaml).await;
        assert_eq!((asked.path.as_str(), asked.headers[header].as_str()), ("/metrics?a=b", wanted), "{yaml}");
    }
}

#[tokio::test]
async fn secrets_in_files_can_be_exchanged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let server = Server::start(|_| Answer::json(json!({}))).await;
    let client = client(&format!("{{authorization: {{type: Bearer, credentials_file: {}}}}}", file.display()));
    let url = Url::parse(&server.url("/")).unwrap();
    let error = client.get(url.clone()).await.unwrap_err().to_string();
    assert!(error.contains("token: No such file"), "{error}");
    for token in ["one", "two"] {
        std::fs::write(&file, token).unwrap();
        client.get(url.clone()).await.unwrap().send().await.unwrap();
    }
    let tokens: Vec<String> = server.asked().into_iter().map(|asked| asked.headers["authorization"].clone()).collect();
    assert_eq!(tokens, ["Bearer one", "Bearer two"]);
}

#[tokio::test]
async fn redirects_are_followed_unless_that_is_off() {
    let server = Server::start(|asked| if asked.path == "/" { Answer::redirect("/there") } else { Answer::json(json!({})) }).await;
    let url = Url::parse(&server.url("/")).unwrap();
    for (yaml, status) in [("{}", 200), ("{follow_redirects: false}", 302)] {
        let answer = client(yaml).get(url.clone()).await.unwrap().send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
}

#[tokio::test]
async fn tokens_are_fetched_once_and_again_when_they_end() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/token" => Answer::json(json!({"access_token": "t", "token_type": "bearer", "expires_in": 60})),
        _ => Answer::json(json!({})),
    })
    .await;
    let yaml = format!("{{oauth2: {{client_id: i d, client_secret: s/s, token_url: '{}', scopes: [a, b], endpoint_params: {{x: y}}}}}}", server.url("/token"));
    let (config, _): (HttpClientConfig, _) = from_text(&yaml).unwrap();
    let clock = Arc::new(ManualClock::default());
    let client = HttpClient::new(&config, clock.clone()).unwrap();
    for advance in [0, 49, 2] {
        clock.advance(Duration::from_secs(advance));
        client.get(Url::parse(&server.url("/")).unwrap()).await.unwrap().send().await.unwrap();
    }
    let asked = server.asked();
    let paths: Vec<&str> = asked.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(paths, ["/token", "/", "/", "/token", "/"]);
    assert_eq!(asked[0].headers["authorization"], "Basic aStkOnMlMkZz", "i+d:s%2Fs");
    assert_eq!(asked[0].body, "grant_type=client_credentials&scope=a+b&x=y");
    assert_eq!(asked[1].headers["authorization"], "Bearer t");
}

#[tokio::test]
async fn a_server_of_tokens_that_wants_the_secret_in_the_body_gets_it_there() {
    let server = Server::start(|asked| match asked.path.as_str() {
        "/token" if asked.body.contains("client_secret=s") => Answer::json(json!({"access_token": "t"})),
        "/token" => Answer::status(401),
        _ => Answer::json(json!({})),
    })
    .await;
    let yaml = format!("{{oauth2: {{client_id: i, client_secret: s, token_url: '{}'}}}}", server.url("/token"));
    let client = client(&yaml);
    client.get(Url::parse(&server.url("/")).unwrap()).await.unwrap().send().await.unwrap();
    assert_eq!(server.asked().last().unwrap().headers["authorization"], "Bearer t");
}

#[tokio::test]
async fn a_proxy_is_asked_instead_except_for_hosts_without() {
    let proxy = Server::start(|_| Answer::json(json!({"proxy": true}))).await;
    let server = Server::start(|_| Answer::json(json!({"proxy": false}))).await;
    let mut answers = BTreeMap::new();
    for no_proxy in ["", "127.0.0.1"] {
        let client = client(&format!("{{proxy_url: '{}', no_proxy: '{no_proxy}'}}", proxy.url("")));
        let answer = client.get(Url::parse(&server.url("/")).unwrap()).await.unwrap().send().await.unwrap();
        answers.insert(no_proxy, answer.json::<Value>().await.unwrap()["proxy"].clone());
    }
    assert_eq!(answers, BTreeMap::from([("", json!(true)), ("127.0.0.1", json!(false))]));
}

#[test]
fn certificates_that_are_none_are_refused_without_showing_them() {
    for (yaml, wanted) in [
        ("{tls_config: {ca: nonsense}}", "ca holds no certificate"),
        ("{tls_config: {ca_file: /nowhere/ca.pem}}", "cannot read /nowhere/ca.pem"),
        ("{tls_config: {cert: hidden, key: hidden}}", "key is not PEM"),
        ("{tls_config: {server_name: 'a b'}}", "want the name of a host"),
        ("{proxy_url: 'http://u:hidden@[x'}", "cannot use proxy_url http://u:xxxxx@[x"),
    ] {
        let (config, _): (HttpClientConfig, _) = from_text(yaml).unwrap();
        let error = HttpClient::new(&config, Arc::new(ManualClock::default())).unwrap_err().to_string();
        assert!(error.contains(wanted) && !error.contains("hidden"), "{error}: want {wanted}");
    }
}
