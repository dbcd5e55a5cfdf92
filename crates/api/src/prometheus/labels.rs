//! What there is to select: label names, values, series.

use axum::extract::{Path, State};
use axum::response::Response;

use super::params::{self, label_name};
use super::refusal::Refusal;
use super::render;
use crate::ApiState;
use crate::http::{Askers, Params};

/// `GET|POST /labels`
pub(super) async fn names(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    let names = state.engine.label_names(&owners, params::listing(&params)?).await?;
    Ok(texts(&names.results, names.is_cut))
}

/// `GET /label/{name}/values`
pub(super) async fn values(State(state): State<ApiState>, Askers(owners): Askers, Path(name): Path<String>, params: Params) -> Result<Response, Refusal> {
    let name = label_name(&name);
    if name.is_empty() {
        return Err(Refusal::bad_data("invalid label name: \"\""));
    }
    let values = state.engine.label_values(&owners, &name, params::listing(&params)?).await?;
    Ok(texts(&values.results, values.is_cut))
}

fn texts(texts: &[String], is_cut: bool) -> Response {
    let mut data = String::new();
    render::write_texts(&mut data, texts.iter().map(String::as_str));
    render::success_with(&data, is_cut)
}

/// `GET|POST /series`
pub(super) async fn series(State(state): State<ApiState>, Askers(owners): Askers, params: Params) -> Result<Response, Refusal> {
    if params.all("match[]").next().is_none() {
        return Err(Refusal::bad_data("no match[] parameter provided"));
    }
    let series = state.engine.series(&owners, params::series_listing(&params)?).await?;
    let mut data = String::from("[");
    for (position, labels) in series.results.iter().enumerate() {
        if position > 0 {
            data.push(',');
        }
        render::write_labels(&mut data, labels);
    }
    data.push(']');
    Ok(render::success_with(&data, series.is_cut))
}
