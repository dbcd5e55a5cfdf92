//! Metadata of metrics, and exemplars.

use axum::extract::State;
use axum::response::Response;
use signalbox_lang::promql;
use signalbox_model::attributes::write_json_string;
use signalbox_model::{Exemplar, TimeRange};

use super::number::write_time;
use super::params::{metadata_limit, optional_instant_ms};
use super::refusal::Refusal;
use super::render;
use crate::ApiState;
use crate::http::{Askers, Params};

/// `GET /metadata`: type, help and unit by name. A name has one entry, as one name is one family here.
pub(super) async fn metadata(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let limit = metadata_limit(&params, "limit")?.unwrap_or(usize::MAX);
    // A bound of entries for each name: there is one at most, and 0 is no bound.
    metadata_limit(&params, "limit_per_metric")?;
    let families = state.engine.metric_metadata(&owners, params.get("metric")).await?;
    let mut data = String::from("{");
    for (position, family) in families.iter().take(limit).enumerate() {
        if position > 0 {
            data.push(',');
        }
        write_json_string(&mut data, &family.name);
        data.push_str(":[{\"type\":");
        write_json_string(&mut data, family.kind.as_str());
        data.push_str(",\"help\":");
        write_json_string(&mut data, &family.help);
        data.push_str(",\"unit\":");
        write_json_string(&mut data, &family.unit);
        data.push_str("}]");
    }
    data.push('}');
    Ok(render::success(&data))
}

/// `GET|POST /query_exemplars`: exemplars of the series that the selectors of the query select.
pub(super) async fn exemplars(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let start_ms = optional_instant_ms(&params, "start")?.unwrap_or(i64::MIN);
    let end_ms = optional_instant_ms(&params, "end")?.unwrap_or(i64::MAX);
    if end_ms < start_ms {
        return Err(Refusal::bad_data("end timestamp must not be before start timestamp"));
    }
    // Without the name of the parameter, as in Prometheus.
    let expr = promql::parse(params.get("query").unwrap_or_default()).map_err(|error| Refusal::bad_data(error.message()))?;
    let found = state.engine.exemplars(&owners, &expr, TimeRange::from_ms(start_ms, end_ms)).await?;
    let mut data = String::from("[");
    for (position, series) in found.iter().enumerate() {
        data.push_str(if position > 0 { ",{\"seriesLabels\":" } else { "{\"seriesLabels\":" });
        render::write_labels(&mut data, &series.labels);
        data.push_str(",\"exemplars\":[");
        for (position, exemplar) in series.exemplars.iter().enumerate() {
            if position > 0 {
                data.push(',');
            }
            write_exemplar(&mut data, exemplar);
        }
        data.push_str("]}");
    }
    data.push(']');
    Ok(render::success(&data))
}

fn write_exemplar(out: &mut String, exemplar: &Exemplar) {
    let mut labels = exemplar.labels.to_builder();
    if let Some(trace_id) = exemplar.trace_id {
        labels.set("trace_id", &trace_id.to_string());
    }
    if let Some(span_id) = exemplar.span_id {
        labels.set("span_id", &span_id.to_string());
    }
    out.push_str("{\"labels\":");
    render::write_labels(out, &labels.build());
    out.push_str(",\"value\":");
    render::write_quoted(out, exemplar.value);
    out.push_str(",\"timestamp\":");
    write_time(out, exemplar.ts_ms);
    out.push('}');
}
