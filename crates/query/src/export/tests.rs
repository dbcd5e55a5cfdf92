//! How exports end that nobody takes, and whose reading dies.

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field, Schema};

use super::*;

fn batch(number: i64) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(vec![number]))]).unwrap()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, false)]))
}

/// An export of some batches, and what tells when its reading has ended.
fn export(batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static, idle: Duration) -> (Export, tokio::sync::oneshot::Receiver<()>) {
    let (held, ended) = tokio::sync::oneshot::channel();
    (pump(schema(), batches.boxed(), idle, held), ended)
}

#[tokio::test]
async fn what_nobody_takes_breaks_off() {
    let (mut export, ended) = export(stream::iter((0..9).map(|number| Ok(batch(number)))), Duration::from_millis(20));
    assert!(ended.await.is_err(), "what is held is dropped at the end");
    assert_eq!(export.next().await.unwrap().unwrap(), batch(0));
    assert_eq!(export.next().await.unwrap().unwrap_err().kind(), ErrorKind::Timeout);
    assert!(export.next().await.is_none());
}

#[tokio::test]
async fn what_is_taken_ends_well_or_with_its_error() {
    let long = Duration::from_secs(600);
    let (mut whole, _) = export(stream::iter((0..9).map(|number| Ok(batch(number)))), long);
    for number in 0..9 {
        assert_eq!(whole.next().await.unwrap().unwrap(), batch(number));
    }
    assert!(whole.next().await.is_none() && whole.next().await.is_none());
    let (mut broken, _) = export(stream::iter([Ok(batch(0)), Err(Error::limit("too much")), Ok(batch(1))]), long);
    assert!(broken.next().await.unwrap().is_ok());
    assert_eq!(broken.next().await.unwrap().unwrap_err().message(), "too much");
    assert!(broken.next().await.is_none());
}

#[tokio::test]
async fn a_reading_that_dies_is_no_end() {
    let batches = stream::iter(0..2).map(|number| if number == 0 { Ok(batch(0)) } else { panic!("as a test wants") });
    let (mut export, _) = export(batches, Duration::from_secs(600));
    assert!(export.next().await.unwrap().is_ok());
    assert_eq!(export.next().await.unwrap().unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn who_drops_an_export_ends_the_reading() {
    let (export, ended) = export(stream::pending(), Duration::from_secs(600));
    drop(export);
    assert!(ended.await.is_err());
}
