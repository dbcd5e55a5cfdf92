//! Following what is appended.

use arrow::array::AsArray;
use futures::executor::block_on;
use signalbox_model::{Table, Tenant, schema};
use signalbox_store::follow::Followed;

use crate::delete_rows::{append, open};

#[test]
fn a_follower_is_told_of_every_row_once_it_is_visible() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    append(&store, &["before"]);
    let mut follower = store.follow(Tenant::default(), Table::Logs).unwrap();
    assert!(store.follow(Tenant::default(), Table::Samples).is_err());
    append(&store, &["a", "b"]);
    block_on(store.flush()).unwrap();
    append(&store, &["c"]);
    let mut rows = || match block_on(follower.next()) {
        Some(Followed::Rows(rows)) => rows.column_by_name(schema::logs::BODY).unwrap().as_string::<i32>().iter().map(|body| body.unwrap().to_owned()).collect(),
        other => vec![format!("{other:?}")],
    };
    assert_eq!(rows(), ["a", "b"]);
    assert_eq!(rows(), ["c"]);
    for _ in 0..300 {
        append(&store, &["many"]);
    }
    assert_eq!(rows(), ["Some(Missed(44))"]);
    assert_eq!(rows(), ["many"]);
    drop(store);
    let rest = std::iter::from_fn(|| block_on(follower.next())).count();
    assert_eq!(rest, 255, "what waits is still told, then the store is gone");
}
