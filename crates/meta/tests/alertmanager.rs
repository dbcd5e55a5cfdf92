//! Silences and alerts from outside through their public door: kept whole, replaced, forgotten, there after a start.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use signalbox_meta::{Meta, OutsideAlert, StoredSilence};

fn silence(id: &str, ends_at_ms: i64) -> StoredSilence {
    StoredSilence {
        id: id.to_owned(),
        matchers: vec!["{a=\"b\"}".to_owned(), "{\"c d\"=~\"e\"}".to_owned()],
        starts_at_ms: 1,
        ends_at_ms,
        updated_at_ms: 3,
        created_by: "me".to_owned(),
        comment: "'; DROP TABLE silences".to_owned(),
        annotations: [("ticket".to_owned(), "7".to_owned())].into(),
    }
}

fn alert(name: &str, ends_at_ms: i64) -> OutsideAlert {
    OutsideAlert {
        labels: [("z".to_owned(), "1".to_owned()), ("alertname".to_owned(), name.to_owned())].into(),
        annotations: [("summary".to_owned(), "ü".to_owned())].into(),
        generator_url: "http://ruler".to_owned(),
        starts_at_ms: 1,
        ends_at_ms,
        updated_at_ms: 2,
    }
}

#[tokio::test]
async fn silences_are_replaced_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    meta.save_silences(&[silence("a", 10), silence("b", 20)]).await.unwrap();
    meta.save_silences(&[silence("a", 5)]).await.unwrap();
    drop(meta);
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    assert_eq!(meta.silences().await.unwrap(), [silence("a", 5), silence("b", 20)]);
    assert_eq!(meta.forget_silences(6).await.unwrap(), 1);
    assert_eq!(meta.silences().await.unwrap(), [silence("b", 20)]);
}

#[tokio::test]
async fn alerts_from_outside_are_replaced_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    meta.save_outside_alerts(&[alert("A", 10), alert("B", 20)]).await.unwrap();
    meta.save_outside_alerts(&[alert("A", 30)]).await.unwrap();
    drop(meta);
    let meta = Meta::open(dir.path().join("state.db")).await.unwrap();
    assert_eq!(meta.outside_alerts().await.unwrap(), [alert("A", 30), alert("B", 20)]);
    assert_eq!(meta.forget_outside_alerts(25).await.unwrap(), 1);
    assert_eq!(meta.outside_alerts().await.unwrap(), [alert("A", 30)]);
}
