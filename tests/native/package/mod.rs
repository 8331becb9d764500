//! What a model's files say.

mod guess;
mod pth;
