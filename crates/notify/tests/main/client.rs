//! How channels reach servers: which addresses, through what, as whom.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use signalbox_notify::retry::Failure;
use signalbox_notify::{Channel, Delivery, Internal, Network, Policy, alertmanager};

use crate::http_peer::HttpPeer;
use crate::{START_NS, message, testdata};

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
const SECOND_NS: i64 = 1_000_000_000;

/// A webhook with these further keys.
fn hook_under(policy: &Policy, url: &str, more: &str) -> Result<Channel, String> {
    let text = format!("{{name: ops, webhook_configs: [{{url: '{url}'{more}}}]}}");
    let receiver = serde_norway::from_str(&text).unwrap();
    let read = alertmanager::receivers(&serde_norway::Value::Null, &[receiver], Path::new("/"), &[], policy).map_err(|error| error.message().to_owned())?;
    Ok(read.into_iter().flat_map(|receiver| receiver.channels).next().unwrap().1)
}

fn hook(url: &str, more: &str) -> Channel {
    hook_under(&Policy::default(), url, more).unwrap()
}

async fn deliver_at(channel: &Channel, now_ns: i64) -> Result<(), Failure> {
    channel.deliver(Delivery { message: &message(), id: 7, enqueued_at_ns: START_NS, now_ns, handle: None }).await.map(|_| ())
}

async fn deliver(channel: &Channel) -> Result<(), Failure> {
    deliver_at(channel, START_NS).await
}

fn refusing() -> Policy {
    Policy { internal: Internal::Refused, networks: Vec::new(), ..Policy::default() }
}

#[tokio::test]
async fn internal_addresses_are_not_connected_to_however_they_are_written() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let both = TcpListener::bind("[::1]:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    both.set_nonblocking(true).unwrap();
    let (four, six) = (listener.local_addr().unwrap().port(), both.local_addr().unwrap().port());
    let mut forms: Vec<String> = Vec::new();
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.1", "localhost", "LOCALHOST", "①②⑦.⓪.⓪.①"]
    {
        for scheme in ["http", "https"] {
            forms.push(format!("{scheme}://{host}:{four}/"));
            forms.push(format!("{scheme}://user:pass@{host}:{four}/x?y#z"));
            forms.push(format!("{scheme}://hooks.example.com@{host}:{four}/"));
        }
    }
    for host in ["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]"] {
        forms.push(format!("http://{host}:{six}/"));
    }
    for host in ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:ffff:7f00:0001]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0.0.0.0", "0"]
    {
        forms.push(format!("http://{host}:{four}/"));
    }
    for url in &forms {
        let failure = deliver(&hook_under(&refusing(), url, "").unwrap()).await.unwrap_err();
        assert!(failure.is_transient && failure.error.contains("is refused: want it in setting notify.internal_networks"), "{url}: {failure:?}");
    }
    assert!(listener.accept().is_err() && both.accept().is_err(), "nobody connected");
    assert!(forms.len() > 70);
}

#[tokio::test]
async fn metadata_services_are_out_of_reach_unless_their_network_is_named() {
    for url in ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://2852039166/"] {
        for internal in [Internal::Named, Internal::Allowed] {
            let failure = deliver(&hook_under(&Policy { internal, networks: Vec::new(), ..Policy::default() }, url, "").unwrap()).await.unwrap_err();
            assert!(failure.error.contains("is refused: want it in setting notify.internal_networks"), "{url}: {failure:?}");
        }
    }
}

#[tokio::test]
async fn what_is_allowed_is_reached() {
    let network = |text: &str| Network::try_from(text.to_owned()).unwrap();
    for (internal, networks) in [(Internal::Refused, vec![network("127.0.0.0/8")]), (Internal::Named, Vec::new()), (Internal::Allowed, Vec::new())] {
        let peer = HttpPeer::start(&[OK, OK]);
        let policy = Policy { internal, networks, ..Policy::default() };
        deliver(&hook_under(&policy, &peer.url(), "").unwrap()).await.unwrap();
        deliver(&hook_under(&policy, &format!("http://localhost:{}/", peer.port), "").unwrap()).await.unwrap();
        assert_eq!(peer.requests.try_iter().count(), 2);
    }
}

#[tokio::test]
async fn a_certificate_is_shown_and_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert"), folder.path().join("key"));
    // Not the one that the server wants, at first.
    std::fs::copy(testdata("tls/server.pem"), &cert).unwrap();
    std::fs::copy(testdata("tls/server.key"), &key).unwrap();
    let peer = HttpPeer::start_mutual(&[OK, OK]);
    let url = format!("https://localhost:{}/", peer.port);
    let tls = format!("ca_file: {}", testdata("tls/ca.pem").display());
    let channel = hook(&url, &format!(", http_config: {{tls_config: {{{tls}, cert_file: {}, key_file: {}}}}}", cert.display(), key.display()));
    assert!(deliver(&channel).await.unwrap_err().is_transient);
    std::fs::copy(testdata("tls/client.pem"), &cert).unwrap();
    std::fs::copy(testdata("tls/client.key"), &key).unwrap();
    deliver(&channel).await.unwrap();
    let text = |name: &str| serde_json::to_string(&std::fs::read_to_string(testdata(name)).unwrap()).unwrap();
    let inline =
        format!("ca: {}, cert: {}, key: {}, min_version: TLS13, max_version: TLS13", text("tls/ca.pem"), text("tls/client.pem"), text("tls/client.key"));
    let channel = hook(&url, &format!(", http_config: {{tls_config: {{{inline}}}}}"));
    deliver(&channel).await.unwrap();
    assert!(!format!("{channel:?}").contains("PRIVATE KEY"));
}

#[tokio::test]
async fn the_name_of_a_certificate_may_be_another_than_that_of_the_url() {
    let peer = HttpPeer::start_tls(&[OK, OK]);
    let tls = |name: &str| format!(", http_config: {{tls_config: {{ca_file: {}, server_name: {name}}}}}", testdata("tls/ca.pem").display());
    let url = format!("https://127.0.0.1:{}/", peer.port);
    assert!(deliver(&hook(&url, &tls("elsewhere.example.org"))).await.unwrap_err().error.contains("certificate"));
    deliver(&hook(&url, &tls("localhost"))).await.unwrap();
    assert_eq!(peer.requests.recv().unwrap().header("host"), Some(format!("127.0.0.1:{}", peer.port).as_str()));
    let failure = deliver(&hook_under(&refusing(), &url, &tls("localhost")).unwrap()).await.unwrap_err();
    assert!(failure.error.contains("is refused"), "another name is no way around the policy: {failure:?}");
}

const TOKEN: &str =
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 62\r\n\r\n{\"access_token\":\"t0ken\",\"token_type\":\"bearer\",\"expires_in\":60}";
const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_token_is_asked_for_kept_and_renewed() {
    let (tokens, peer) = (HttpPeer::start(&[TOKEN, TOKEN, TOKEN]), HttpPeer::start(&[OK, OK, OK, DENIED, OK]));
    let oauth2 = format!(
        ", http_config: {{oauth2: {{client_id: 'a:b', client_secret: 's&c', scopes: [x, y], token_url: 'http://127.0.0.1:{}/token', endpoint_params: {{audience: z}}}}}}",
        tokens.port
    );
    let channel = hook(&peer.url(), &oauth2);
    // Both of the first have one token, the third has a new one because that is about to expire; a fourth was withdrawn.
    for after_s in [0, 49, 51, 52] {
        deliver_at(&channel, START_NS + after_s * SECOND_NS).await.unwrap();
    }
    let asked: Vec<_> = tokens.requests.try_iter().collect();
    assert_eq!(asked.len(), 3);
    assert_eq!((asked[0].line.as_str(), asked[0].header("content-type")), ("POST /token HTTP/1.1", Some("application/x-www-form-urlencoded")));
    // a%3Ab:s%26c
    assert_eq!(
        (asked[0].header("authorization"), asked[0].body.as_str()),
        (Some("Basic YSUzQWI6cyUyNmM="), "grant_type=client_credentials&scope=x+y&audience=z")
    );
    let told: Vec<_> = peer.requests.try_iter().collect();
    assert!(told.len() == 5 && told.iter().all(|request| request.header("authorization") == Some("Bearer t0ken")));
}

#[tokio::test]
async fn a_token_server_may_want_the_secret_in_the_body() {
    let (tokens, peer) = (HttpPeer::start(&[DENIED, TOKEN]), HttpPeer::start(&[OK]));
    let oauth2 = format!(", http_config: {{oauth2: {{client_id: a, client_secret: s3cret, token_url: 'http://127.0.0.1:{}/'}}}}", tokens.port);
    deliver(&hook(&peer.url(), &oauth2)).await.unwrap();
    let asked: Vec<_> = tokens.requests.try_iter().collect();
    assert_eq!((asked[1].header("authorization"), asked[1].body.as_str()), (None, "grant_type=client_credentials&client_id=a&client_secret=s3cret"));
    let refusal = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 26\r\n\r\n{\"error\":\"invalid_client\"}";
    let tokens = HttpPeer::start(&[refusal, refusal]);
    let oauth2 = format!(", http_config: {{oauth2: {{client_id: a, client_secret: s3cret, token_url: 'http://127.0.0.1:{}/'}}}}", tokens.port);
    let failure = deliver(&hook(&peer.url(), &oauth2)).await.unwrap_err();
    assert_eq!(failure, Failure::transient("cannot get a token: found status 400 invalid_client"));
    let inner = format!(", http_config: {{oauth2: {{client_id: a, token_url: 'http://127.0.0.1:{}/'}}}}", tokens.port);
    let failure = deliver(&hook_under(&refusing(), "https://hooks.example.com/", &inner).unwrap()).await.unwrap_err();
    assert!(failure.error.contains("is refused"), "the token server is under the policy too: {failure:?}");
}

/// The header and the claims of an assertion, if it is signed with the key of the test.
fn assertion(body: &str, algorithm: &'static dyn ring::signature::VerificationAlgorithm) -> [serde_json::Value; 2] {
    use base64::Engine as _;
    let decoded = |part: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    let token = body.split('&').find_map(|pair| pair.strip_prefix("assertion=")).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let public = std::fs::read(testdata("oauth2/client.pub.der")).unwrap();
    ring::signature::UnparsedPublicKey::new(algorithm, public).verify(signed.as_bytes(), &decoded(signature)).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    [header, claims].map(|part| serde_json::from_slice(&decoded(part)).unwrap())
}

#[tokio::test]
async fn a_token_is_asked_for_with_a_signature() {
    let (tokens, peer) = (HttpPeer::start(&[TOKEN, TOKEN]), HttpPeer::start(&[OK, OK]));
    let url = format!("http://127.0.0.1:{}/token", tokens.port);
    let grant = format!(
        "grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', client_id: me, scopes: [x, y], token_url: '{url}', client_certificate_key_file: '{}'",
        testdata("oauth2/client.key").display()
    );
    deliver(&hook(&peer.url(), &format!(", http_config: {{oauth2: {{{grant}}}}}"))).await.unwrap();
    let asked = tokens.requests.recv().unwrap();
    assert_eq!(asked.header("authorization"), None, "a signature needs no secret");
    assert!(asked.body.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey") && asked.body.ends_with("&scope=x+y"));
    let [header, claims] = assertion(&asked.body, &ring::signature::RSA_PKCS1_2048_8192_SHA256);
    assert_eq!(header, serde_json::json!({"alg": "RS256", "typ": "JWT"}));
    let seconds = START_NS / SECOND_NS;
    let mut claims = claims.as_object().unwrap().clone();
    let id = claims.remove("jti").unwrap();
    let expected = serde_json::json!({"iss": "me", "sub": "me", "aud": url, "iat": seconds, "exp": seconds + 600, "scope": "x y"});
    assert_eq!(serde_json::Value::Object(claims), expected);
    assert!(id.as_str().unwrap().len() == 36 && id.as_str().unwrap().as_bytes()[14] == b'4', "{id}");
    let pem = std::fs::read_to_string(testdata("oauth2/client-pkcs1.key")).unwrap().replace('\n', "\\n");
    let more = format!(
        "grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', client_id: me, token_url: '{url}', client_certificate_key: \"{pem}\", client_certificate_key_id: k1,
         signature_algorithm: RS512, iss: other, audience: them, claims: {{team: [a], sub: someone}}, endpoint_params: {{resource: r, grant_type: own}}"
    );
    deliver(&hook(&peer.url(), &format!(", http_config: {{oauth2: {{{more}}}}}"))).await.unwrap();
    let asked = tokens.requests.recv().unwrap();
    assert!(asked.body.starts_with("assertion=ey") && asked.body.ends_with("&grant_type=own&resource=r"), "{}", asked.body);
    let [header, claims] = assertion(&asked.body, &ring::signature::RSA_PKCS1_2048_8192_SHA512);
    assert_eq!(header, serde_json::json!({"alg": "RS512", "typ": "JWT", "kid": "k1"}));
    let found = ["iss", "sub", "aud"].map(|name| claims[name].as_str().unwrap());
    assert_eq!((found, &claims["team"], claims.get("scope")), (["other", "someone", "them"], &serde_json::json!(["a"]), None));
    assert_ne!(claims["jti"], id);
    let ed = format!(
        ", http_config: {{oauth2: {{grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', client_id: me, token_url: '{url}', client_certificate_key_file: '{}'}}}}",
        testdata("tls/client.key").display()
    );
    let failure = deliver(&hook(&peer.url(), &ed)).await.unwrap_err();
    assert!(failure.is_transient && failure.error.contains("want a private key of RSA"), "{failure:?}");
}

#[tokio::test]
async fn a_proxy_is_asked_for_what_is_not_excepted() {
    let (proxy, peer) = (HttpPeer::start(&[OK, OK]), HttpPeer::start(&[OK]));
    let through = |more: &str| format!(", http_config: {{proxy_url: 'http://u:p@127.0.0.1:{}'{more}}}", proxy.port);
    deliver(&hook("http://hooks.example.com/a", &through(", proxy_connect_header: {X-Team: [blue]}"))).await.unwrap();
    let asked = proxy.requests.recv().unwrap();
    assert_eq!((asked.line.as_str(), asked.header("proxy-authorization")), ("POST http://hooks.example.com/a HTTP/1.1", Some("Basic dTpw")));
    deliver(&hook(&peer.url(), &through(", no_proxy: 127.0.0.1"))).await.unwrap();
    assert_eq!(peer.requests.recv().unwrap().line, "POST /hook HTTP/1.1");
    // TLS goes through a tunnel; this proxy gives none.
    let failure = deliver(&hook("https://hooks.example.com/a", &through(", proxy_connect_header: {X-Team: [blue]}"))).await.unwrap_err();
    let asked = proxy.requests.recv().unwrap();
    assert_eq!((asked.line.as_str(), asked.header("x-team")), ("CONNECT hooks.example.com:443 HTTP/1.1", Some("blue")), "{failure:?}");
}

#[tokio::test]
async fn headers_come_from_texts_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "first\n").unwrap();
    let peer = HttpPeer::start(&[OK, OK]);
    let headers =
        format!(", http_config: {{http_headers: {{X-Key: {{values: [a], secrets: [b], files: ['{}']}}, User-Agent: {{values: [us]}}}}}}", file.display());
    let channel = hook(&peer.url(), &headers);
    deliver(&channel).await.unwrap();
    std::fs::write(&file, "second").unwrap();
    deliver(&channel).await.unwrap();
    for last in ["first", "second"] {
        let request = peer.requests.recv().unwrap();
        let values: Vec<&str> = request.headers.iter().filter_map(|line| line.strip_prefix("x-key: ")).collect();
        assert_eq!((values, request.header("user-agent")), (vec!["a", "b", last], Some("us")));
    }
    std::fs::remove_file(&file).unwrap();
    assert!(deliver(&channel).await.unwrap_err().is_transient, "it may be about to be replaced");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_date_to_retry_at_is_heeded() {
    let target = HttpPeer::start(&[OK]);
    let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", target.url());
    let peer = HttpPeer::start(&[answer.leak()]);
    let channel = hook(&peer.url(), ", http_config: {bearer_token: s3cret, follow_redirects: true}");
    assert_eq!(deliver(&channel).await.unwrap_err(), Failure::permanent("unexpected status code 307"));
    assert_eq!(target.requests.try_iter().count(), 0);
    let peer = HttpPeer::start(&["HTTP/1.1 503 Busy\r\nRetry-After: Thu, 29 Feb 2024 12:36:56 GMT\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"]);
    assert_eq!(deliver(&hook(&peer.url(), "")).await.unwrap_err().retry_after, Some(Duration::from_secs(120)));
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (http_config, why) in [
        ("basic_auth: {}, oauth2: {client_id: a, token_url: 'http://x'}", "at most one of basic_auth, oauth2, bearer_token & authorization must be configured"),
        ("oauth2: {token_url: 'http://x'}", "oauth2 client_id must be configured"),
        ("oauth2: {client_id: a}", "oauth2 token_url must be configured"),
        ("oauth2: {client_id: a, token_url: 'ftp://x'}", "oauth2: token_url: found scheme \"ftp\""),
        (
            "oauth2: {client_id: a, token_url: 'http://x', grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer'}",
            "oauth2: one of client_certificate_key or client_certificate_key_file must be configured",
        ),
        (
            "oauth2: {client_id: a, token_url: 'http://x', grant_type: password}",
            "oauth2: grant_type \"password\" is not supported: want client_credentials or urn",
        ),
        (
            "oauth2: {client_id: a, token_url: 'http://x', grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', client_certificate_key: s3cret, signature_algorithm: ES256}",
            "valid signature algorithms are RS256, RS384 and RS512",
        ),
        (
            "oauth2: {client_id: a, token_url: 'http://x', grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', client_certificate_key: s3cret, endpoint_params: {scope: x}}",
            "oauth2: cannot overwrite parameter \"scope\"",
        ),
        (
            "oauth2: {client_id: a, token_url: 'http://x', client_secret: a, client_secret_file: b}",
            "at most one of oauth2 client_secret & oauth2 client_secret_file",
        ),
        ("proxy_from_environment: true, proxy_url: 'http://x'", "if proxy_from_environment is configured, proxy_url must not be configured"),
        ("no_proxy: x", "if no_proxy is configured, proxy_url must also be configured"),
        ("proxy_connect_header: {a: [b]}", "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured"),
        ("tls_config: {cert: a}", "tls: want both of cert and key, or none"),
        ("tls_config: {ca: a, ca_file: b}", "at most one of tls.ca & tls.ca_file must be configured"),
        ("tls_config: {cert: a, key: s3cret}", "want a certificate and its key, both PEM"),
        ("tls_config: {max_version: TLS11}", "tls.max_version: want TLS12 or TLS13"),
        ("tls_config: {min_version: TLS13, max_version: TLS12}", "tls.max_version: want TLS12 or TLS13"),
        ("tls_config: {min_version: TLS9}", "TLS9"),
        ("tls_config: {server_name: 127.0.0.1}", "tls.server_name: found \"127.0.0.1\": want a name"),
        ("tls_config: {server_name: a}, proxy_url: 'http://x'", "tls.server_name is not supported together with a proxy"),
        ("http_headers: {Authorization: {values: [s3cret]}}", "headers: found Authorization"),
    ] {
        let error = hook_under(&Policy::default(), "http://h", &format!(", http_config: {{{http_config}}}")).unwrap_err();
        assert!(error.contains(why) && !error.contains("s3cret"), "{http_config}: {error}");
    }
    hook("http://h", ", http_config: {tls_config: {min_version: TLS10}, proxy_from_environment: true}");
}
