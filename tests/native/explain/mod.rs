//! Explanations from end to end.

mod known_answers;
