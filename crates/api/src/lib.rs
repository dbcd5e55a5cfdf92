//! One folder per outbound dialect: HTTP to query to rendered answer
