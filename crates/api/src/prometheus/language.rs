//! The language itself: queries in canonical form, and as trees.

use axum::response::Response;
use signalbox_lang::promql;
use signalbox_model::attributes::write_json_string;

use super::refusal::Refusal;
use super::{ast, params, render};
use crate::http::Params;

/// `GET|POST /format_query`
pub(super) async fn format(params: Params) -> Result<Response, Refusal> {
    let mut data = String::new();
    write_json_string(&mut data, &promql::prettify(&params::query(&params)?));
    Ok(render::success(&data))
}

/// `GET|POST /parse_query`
pub(super) async fn parse(params: Params) -> Result<Response, Refusal> {
    let expr = params::query(&params)?;
    Ok(render::success(&ast::to_json(&expr).to_string()))
}
