//! What the process tells about itself: metric names and logs.
//!
//! A log line never carries a secret, a body, a query string or personal data; a label comes from the settings only.

pub mod exporter;
pub mod logs;
pub mod metric;
