//! Rows with everything in them that a row may have.

use arrow::record_batch::RecordBatch;
use signalbox_model::builder::{EventRow, LinkRow, LogBuilder, LogRow, SpanBuilder, SpanRow};
use signalbox_model::{SpanId, TraceId};

/// A stream of numbers.
pub(super) struct Random(pub(super) u64);

const TEXTS: &[&str] = &["", "GET /cart", "a \"quoted\" | line\n", "größe ∅", "x"];

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }

    fn text(&mut self) -> String {
        match self.below(3) {
            0 => TEXTS[self.below(TEXTS.len() as u64) as usize].to_owned(),
            1 => format!("order {} of user-{}", self.below(1 << 30), self.below(50)),
            _ => "é".repeat(self.below(60) as usize),
        }
    }

    pub(super) fn trace(&mut self) -> TraceId {
        trace(self.below(300))
    }

    fn span(&mut self) -> SpanId {
        SpanId::from_slice(&(1 + self.below(1 << 40)).to_be_bytes()).unwrap()
    }

    /// Few instants, so that many tie.
    fn instant(&mut self) -> i64 {
        match self.below(50) {
            0 => i64::MIN + self.below(3) as i64,
            1 => i64::MAX - self.below(3) as i64,
            2 => -1,
            _ => 1_700_000_000_000_000_000 + self.below(200) as i64 * 1_000_000_000,
        }
    }

    fn attributes(&mut self, builder: &mut signalbox_model::builder::AttributesBuilder) {
        for _ in 0..self.below(5) {
            let key = format!("key.{}", self.below(12));
            match self.below(4) {
                0 => builder.append_int(&key, self.below(u64::MAX) as i64),
                1 => builder.append_double(&key, f64::from_bits(self.below(u64::MAX))),
                2 => builder.append_bool(&key, self.below(2) == 0),
                _ => builder.append_string(&key, &self.text()),
            }
        }
    }

    pub(super) fn logs(&mut self, rows: usize) -> RecordBatch {
        let mut builder = LogBuilder::default();
        for _ in 0..rows {
            if self.below(4) == 0 {
                let service = self.below(6);
                builder.set_resource(&format!("{{\"host\":{},\"service.name\":\"s{service}\"}}", self.below(3)), &format!("s{service}"));
                builder.set_scope(TEXTS[self.below(5) as usize]);
            }
            self.attributes(builder.attributes());
            let (body, severity, event) = (self.text(), self.text(), self.text());
            let row = LogRow {
                timestamp_ns: self.instant(),
                observed_timestamp_ns: (self.below(2) == 0).then(|| self.instant()),
                severity_number: self.below(25) as i32,
                severity_text: &severity,
                event_name: if self.below(9) == 0 { &event } else { "" },
                body: (self.below(8) > 0).then_some(body.as_str()),
                body_letter: (self.below(5) == 0).then_some('j'),
                trace_id: (self.below(2) == 0).then(|| self.trace()),
                span_id: (self.below(2) == 0).then(|| self.span()),
                flags: self.below(1 << 32) as u32,
                dropped_attributes_count: self.below(3) as u32,
            };
            builder.close_row(&row);
        }
        builder.finish().into_rows()
    }

    pub(super) fn spans(&mut self, rows: usize) -> RecordBatch {
        let mut builder = SpanBuilder::default();
        for _ in 0..rows {
            if self.below(4) == 0 {
                let service = self.below(6);
                builder.set_resource(&format!("{{\"service.name\":\"s{service}\"}}"), &format!("s{service}"));
                builder.set_scope(TEXTS[self.below(5) as usize]);
            }
            self.attributes(builder.attributes());
            for _ in 0..self.below(4) / 2 {
                self.attributes(builder.event_attributes());
                let name = self.text();
                builder.close_event(&EventRow { timestamp_ns: self.instant(), name: &name, dropped_attributes_count: 1 });
            }
            for _ in 0..self.below(4) / 2 {
                self.attributes(builder.link_attributes());
                let (trace_id, span_id, state) = (self.trace(), self.span(), self.text());
                builder.close_link(&LinkRow { trace_id, span_id, trace_state: &state, flags: 3, dropped_attributes_count: 0 });
            }
            let (name, message, state) = (self.text(), self.text(), self.text());
            let start_ns = self.instant();
            builder.close_row(&SpanRow {
                trace_id: self.trace(),
                span_id: self.span(),
                parent_span_id: (self.below(3) > 0).then(|| self.span()),
                start_ns,
                end_ns: start_ns.wrapping_add(self.below(1 << 33) as i64),
                name: &name,
                kind: self.below(6) as i32,
                status_code: self.below(3) as i32,
                status_message: &message,
                trace_state: &state,
                flags: self.below(1 << 32) as u32,
                dropped_attributes_count: self.below(2) as u32,
                dropped_events_count: self.below(2) as u32,
                dropped_links_count: self.below(2) as u32,
            });
        }
        builder.finish().into_rows()
    }
}

/// The trace of a number.
pub(super) fn trace(number: u64) -> TraceId {
    let low = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    TraceId::from_slice(&[low.to_be_bytes(), number.to_be_bytes()].concat()).unwrap()
}
