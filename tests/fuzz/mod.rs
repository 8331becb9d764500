//! What reads bytes from outside, as plain functions of bytes: the tests run them with seeded
//! mutations, and the program in `tests/fuzz/coverage` with libFuzzer. None may panic, take memory
//! out of proportion, or take long.

pub mod drive;
pub mod mutate;
pub mod targets;
