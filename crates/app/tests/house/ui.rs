//! The UI as `web/README.md` wants it served. Without a build of it, only the page that says so can be asked for.

use crate::world::World;

#[tokio::test]
async fn pages_are_never_cached_and_guarded() {
    let world = World::open().await;
    for path in ["/", "/ui/metrics", "/ui/traces/0af7651916cd43dd8448eb211c80319c"] {
        let answer = world.client.get(world.url("http", path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-security-policy").starts_with("default-src 'none'; script-src 'self'; style-src 'self'"));
    }
}

#[tokio::test]
async fn assets_are_cached_for_ever_and_served_compressed() {
    let world = World::open().await;
    let page = world.client.get(world.url("http", "/")).send().await.unwrap().text().await.unwrap();
    let Some(script) = page.split('"').find(|part| part.starts_with("/assets/") && part.ends_with(".js")) else {
        assert!(page.contains("This build has no web UI"), "a page without a script: {page}");
        eprintln!("SKIPPED: web/dist is not built, `make web` builds it");
        return;
    };
    let ask = async |encoding: &'static str| world.client.get(world.url("http", script)).header("accept-encoding", encoding).send().await.unwrap();
    let (packed, plain) = (ask("br, gzip").await, ask("gzip;q=0").await);
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(!plain.headers().contains_key("content-encoding"));
    for answer in [&packed, &plain] {
        assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(answer.headers()["content-type"], "text/javascript; charset=utf-8");
        assert_eq!(answer.headers()["vary"], "accept-encoding");
    }
    assert!(packed.bytes().await.unwrap().len() < plain.bytes().await.unwrap().len());
    // The twin is a way to send the file, not a file.
    assert_eq!(world.get(&format!("{script}.gz")).await.0, 404);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::open().await;
    for path in ["/nothing", "/assets/nothing.js", "/.built", "/assets/../Cargo.toml", "/api/v1/nothing"] {
        assert_eq!(world.get(path).await.0, 404, "{path}");
    }
}
