//! The search language for people: words, phrases and fields, as Lucene and Kibana write them.
//!
//! | written | holds for records |
//! |---|---|
//! | `timeout` | with this word in the body, the name of the event or the value of an attribute of the record, in either case |
//! | `"timed out"` | with these characters there, beginning and ending as whole words |
//! | `tim*`, `t?me` | with a word like that; `*` is any number of characters but white space, `?` is one |
//! | `/time(d|out)/` | with text that fits the regular expression |
//! | `service:checkout`, `status:(500 OR 503)` | whose field has this value |
//! | `path:/api/*` | whose whole value fits; quote or escape `*` and `?` that are meant themselves |
//! | `path:/^.api/` | whose value has a place that fits the regular expression |
//! | `duration:*`, `_exists_:duration` | that have the field |
//! | `status:>=500`, `duration:[10 TO 20}`, `level:>=warn`, `size:[* TO 9]` | whose value is in the range; `[` and `]` include the bound |
//! | `a b`, `a AND b`, `a && b` | that hold both |
//! | `a OR b`, <code>a &#124;&#124; b</code> | that hold one; binds less than AND |
//! | `NOT a`, `-a`, `!a` | that do not hold it |
//! | `( … )` | a group |
//! | `*`, `*:*`, nothing at all | every record |
//!
//! A backslash takes the meaning from the character after it; in quotes only `\"` and `\\` mean something else than they
//! are. A regular expression has no white space (write `\s`) and ends at the end of its word, so that `path:/a/b` is
//! text. `http://…`, `12:30` and `[error]` are words, not fields and ranges. Operators are written in capitals: `not found`
//! is two words.
//!
//! [`Dialect::QueryString`] is the same language as Elasticsearch's `query_string` reads it: words are joined by the default
//! operator (usually OR, where `+a` must and `-a` must not hold), boosts (`^2`) are read and mean nothing, regular expressions
//! may hold white space. [`parse_simple`] reads `simple_query_string`, which never fails for its syntax. Fuzzy words (`a~`) and
//! phrases with gaps (`"a b"~2`) are refused by name.

pub mod ast;

mod lex;
mod parse;
mod print;
mod simple;
#[cfg(test)]
mod tests;

pub use ast::{Bound, Clause, Expr, Piece, Range, Test};
pub use parse::{CLAUSES_MAX, Dialect, NESTING_MAX, Operator, TEXT_BYTES_MAX, parse, parse_as};
pub use simple::parse_simple;
