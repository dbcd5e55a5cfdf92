//! Splunk's yes and no: a status, a text and a code.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json as object};
use signalbox_model::ErrorKind;

use super::Told;
use crate::http::{Outcome, Refusal};

/// The codes of the HTTP Event Collector that are given here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 0.
    Success,
    /// 2.
    TokenRequired,
    /// 3.
    InvalidAuthorization,
    /// 4.
    InvalidToken,
    /// 5.
    NoData,
    /// 6.
    InvalidFormat,
    /// 8.
    Internal,
    /// 9.
    Busy,
    /// 10.
    ChannelMissing,
    /// 11.
    InvalidChannel,
    /// 12.
    EventRequired,
    /// 13.
    EventBlank,
    /// 15.
    InvalidFields,
    /// 17.
    Healthy,
}

impl Code {
    fn row(self) -> (u16, u64, &'static str) {
        match self {
            Self::Success => (200, 0, "Success"),
            Self::TokenRequired => (401, 2, "Token is required"),
            Self::InvalidAuthorization => (401, 3, "Invalid authorization"),
            Self::InvalidToken => (403, 4, "Invalid token"),
            Self::NoData => (400, 5, "No data"),
            Self::InvalidFormat => (400, 6, "Invalid data format"),
            Self::Internal => (500, 8, "Internal server error"),
            Self::Busy => (503, 9, "Server is busy"),
            Self::ChannelMissing => (400, 10, "Data channel is missing"),
            Self::InvalidChannel => (400, 11, "Invalid data channel"),
            Self::EventRequired => (400, 12, "Event field is required"),
            Self::EventBlank => (400, 13, "Event field cannot be blank"),
            Self::InvalidFields => (400, 15, "Error in handling indexed fields"),
            Self::Healthy => (200, 17, "HEC is healthy"),
        }
    }

    /// The text that stands for it.
    pub fn text(self) -> &'static str {
        self.row().2
    }

    /// The word in metrics.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::EventRequired | Self::EventBlank => "no_event",
            Self::InvalidFields => "invalid_fields",
            _ => "invalid_json",
        }
    }
}

/// The answer to a request that was understood, at least its beginning.
pub(super) fn accept(outcome: &Outcome, told: Told, ack: Option<u64>) -> Response<Body> {
    if let Some((number, code)) = told.fault {
        let number = (code != Code::NoData).then_some(number);
        return answer(code, number, None);
    }
    if let Some(rejected) = outcome.rejected.first() {
        let (status, code, text) = Code::InvalidFormat.row();
        let body =
            object!({"text": format!("{text}: {} events were refused ({}): {}", outcome.rejected_rows(), rejected.reason, rejected.message), "code": code});
        return json(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), &body);
    }
    answer(Code::Success, None, ack)
}

/// The answer to a request of which nothing was written.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    let code = match refusal.error.kind() {
        ErrorKind::Limit | ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Canceled => Code::Busy,
        ErrorKind::Corrupt | ErrorKind::Internal => Code::Internal,
        _ => Code::InvalidFormat,
    };
    let (_, number, text) = code.row();
    // A status that says more than Splunk's own is kept: 413, 415, 429.
    let mut response = json(refusal.status, &object!({"text": format!("{text}: {}", refusal.message()), "code": number}));
    if let Some(seconds) = refusal.retry_after_header().and_then(|seconds| HeaderValue::from_str(&seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// A code with its text, the number of the event that it is about, the acknowledgement that may be asked for.
pub(super) fn answer(code: Code, event: Option<u64>, ack: Option<u64>) -> Response<Body> {
    let (status, number, text) = code.row();
    let mut body = object!({"text": text, "code": number});
    if let (Some(event), Some(members)) = (event, body.as_object_mut()) {
        members.insert("invalid-event-number".to_owned(), Value::from(event));
    }
    if let (Some(ack), Some(members)) = (ack, body.as_object_mut()) {
        members.insert("ackId".to_owned(), Value::from(ack));
    }
    json(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body)
}

/// Any JSON.
pub(super) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}
