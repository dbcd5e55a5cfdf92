//! What a question cost, in Loki's words.
//!
//! Every key that Loki writes is there: clients in typed languages ask for keys, and `logcli --stats` prints them. What there is
//! no such thing of here (caches of chunks, ingesters, data objects) is 0.

use std::time::Duration;

use serde_json::{Value, json};
use signalbox_proto::loki::{ChunkStatistics, Querier, Statistics, StoreStatistics, Summary};

/// What a query read.
pub(super) struct Read {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) entries: usize,
}

/// Of a query that took so long.
pub(super) fn of(read: &Read, took: Duration) -> Statistics {
    let seconds = took.as_secs_f64();
    let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let per_second = |count: u64| if seconds > 0.0 { (count as f64 / seconds) as i64 } else { 0 };
    let summary = Summary {
        bytes_processed_per_second: per_second(read.bytes),
        lines_processed_per_second: per_second(read.rows),
        total_bytes_processed: whole(read.bytes),
        total_lines_processed: whole(read.rows),
        exec_time: seconds,
        total_entries_returned: whole(read.entries as u64),
        // One question, asked once.
        splits: 1,
    };
    let chunk = ChunkStatistics { decompressed_bytes: whole(read.bytes), decompressed_lines: whole(read.rows) };
    let querier = Querier { store: Some(StoreStatistics { chunk: Some(chunk) }), exec_time: seconds };
    Statistics { summary: Some(summary), querier: Some(querier) }
}

/// As JSON.
pub(super) fn value(statistics: Option<&Statistics>) -> Value {
    let summary = statistics.and_then(|statistics| statistics.summary).unwrap_or_default();
    let querier = statistics.and_then(|statistics| statistics.querier.as_ref()).copied().unwrap_or_default();
    let chunk = querier.store.and_then(|store| store.chunk).unwrap_or_default();
    json!({
        "summary": {
            "bytesProcessedPerSecond": summary.bytes_processed_per_second,
            "linesProcessedPerSecond": summary.lines_processed_per_second,
            "totalBytesProcessed": summary.total_bytes_processed,
            "totalLinesProcessed": summary.total_lines_processed,
            "execTime": summary.exec_time,
            "queueTime": 0,
            "subqueries": 0,
            "totalEntriesReturned": summary.total_entries_returned,
            "splits": summary.splits,
            "shards": 0,
            "totalPostFilterLines": 0,
            "totalStructuredMetadataBytesProcessed": 0,
        },
        "querier": { "store": store(chunk), "querierExecTime": querier.exec_time },
        "ingester": { "totalReached": 0, "totalChunksMatched": 0, "totalBatches": 0, "totalLinesSent": 0, "store": store(ChunkStatistics::default()) },
        "cache": caches(),
        "index": {
            "totalChunks": 0,
            "postFilterChunks": 0,
            "shardsDuration": 0,
            "usedBloomFilters": false,
            "totalStreams": 0,
            "chunkRefsLookupTime": 0,
            "bloomFilterTime": 0,
        },
    })
}

fn store(chunk: ChunkStatistics) -> Value {
    json!({
        "totalChunksRef": 0,
        "totalChunksDownloaded": 0,
        "chunksDownloadTime": 0,
        "queryReferencedStructuredMetadata": false,
        "queryUsedV2Engine": false,
        "chunk": {
            "headChunkBytes": 0,
            "headChunkLines": 0,
            "decompressedBytes": chunk.decompressed_bytes,
            "decompressedLines": chunk.decompressed_lines,
            "compressedBytes": 0,
            "totalDuplicates": 0,
            "postFilterLines": 0,
            "headChunkStructuredMetadataBytes": 0,
            "decompressedStructuredMetadataBytes": 0,
        },
        "chunkRefsFetchTime": 0,
        "congestionControlLatency": 0,
        "pipelineWrapperFilteredLines": 0,
        "dataobj": {
            "prePredicateDecompressedRows": 0,
            "prePredicateDecompressedBytes": 0,
            "prePredicateDecompressedStructuredMetadataBytes": 0,
            "postPredicateRows": 0,
            "postPredicateDecompressedBytes": 0,
            "postPredicateStructuredMetadataBytes": 0,
            "postFilterRows": 0,
            "pagesScanned": 0,
            "pagesDownloaded": 0,
            "pagesDownloadedBytes": 0,
            "pageBatches": 0,
            "totalRowsAvailable": 0,
            "totalPageDownloadTime": 0,
            "wireBytesTransferred": 0,
        },
    })
}

fn caches() -> Value {
    const NAMES: [&str; 10] =
        ["chunk", "index", "result", "statsResult", "volumeResult", "seriesResult", "labelResult", "instantMetricResult", "logResult", "taskResult"];
    let cache = json!({
        "entriesFound": 0,
        "entriesRequested": 0,
        "entriesStored": 0,
        "bytesReceived": 0,
        "bytesSent": 0,
        "requests": 0,
        "downloadTime": 0,
        "queryLengthServed": 0,
    });
    Value::Object(NAMES.iter().map(|name| ((*name).to_owned(), cache.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_what_was_read_by_the_time() {
        let statistics = of(&Read { rows: 10, bytes: 500, entries: 3 }, Duration::from_millis(500));
        let value = value(Some(&statistics));
        assert_eq!((&value["summary"]["bytesProcessedPerSecond"], &value["summary"]["linesProcessedPerSecond"]), (&json!(1_000), &json!(20)));
        assert_eq!(value["querier"]["store"]["chunk"]["decompressedBytes"], json!(500));
        let at_once = of(&Read { rows: 10, bytes: 500, entries: 3 }, Duration::ZERO);
        assert_eq!(at_once.summary.unwrap().bytes_processed_per_second, 0);
    }
}
