//! Explanations from end to end.

mod diagnose;
mod passes;
mod request;
