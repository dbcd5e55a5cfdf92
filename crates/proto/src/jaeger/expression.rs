//! `jaeger.expression.v1`: filters of searches as a tree.

/// A node: exactly one of its kinds.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Expression {
    /// Which.
    #[prost(oneof = "Term", tags = "1, 2, 3, 4, 5, 6")]
    pub term: Option<Term>,
}

/// What a node is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Term {
    /// An attribute by its key.
    #[prost(message, tag = "1")]
    Attr(AttributeReference),
    /// A field of the model.
    #[prost(message, tag = "2")]
    Field(FieldReference),
    /// The events or links of a span.
    #[prost(message, tag = "3")]
    Nested(NestedReference),
    /// A constant.
    #[prost(message, tag = "4")]
    Scalar(Scalar),
    /// Constants.
    #[prost(message, tag = "5")]
    List(List),
    /// An operator.
    #[prost(message, tag = "6")]
    Call(Call),
}

/// An attribute by its key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributeReference {
    /// Key.
    #[prost(string, tag = "1")]
    pub key: String,
    /// `span`, `resource`, `scope`, `event`, `link`; empty for span or resource.
    #[prost(string, tag = "2")]
    pub level: String,
}

/// A field of the model.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FieldReference {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// `span`, `resource`, `scope`, `event`, `link`.
    #[prost(string, tag = "2")]
    pub level: String,
}

/// The events or links of a span.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NestedReference {
    /// `event` or `link`.
    #[prost(string, tag = "1")]
    pub level: String,
}

/// A constant.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Scalar {
    /// Its text.
    #[prost(string, tag = "1")]
    pub value: String,
    /// `string`, `int`, `double`, `bool`; empty for any.
    #[prost(string, tag = "2")]
    pub r#type: String,
}

/// Constants.
#[derive(Clone, PartialEq, prost::Message)]
pub struct List {
    /// Their texts.
    #[prost(string, repeated, tag = "1")]
    pub values: Vec<String>,
    /// `string`, `int`, `double`, `bool`; empty where the field says it.
    #[prost(string, tag = "2")]
    pub r#type: String,
}

/// An operator over arguments.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Call {
    /// `and`, `or`, `not`, `eq`, `ne`, `gt`, `lt`, `gte`, `lte`, `regex`, `exists`, `in`, `not_in`, `some`.
    #[prost(string, tag = "1")]
    pub op: String,
    /// Arguments.
    #[prost(message, repeated, tag = "2")]
    pub args: Vec<Expression>,
}
