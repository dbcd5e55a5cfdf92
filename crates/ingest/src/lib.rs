//! Admission: limits, normalising, delta to cumulative, and the durable acknowledgement
