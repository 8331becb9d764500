//! The native tests, in one program: separate programs would each link burn, which costs time
//! and disk. Folders follow those of `src/`.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that panics has failed")]

/// A test of every family, which runs `$run` with the family's id, and the ids.
macro_rules! for_every_family {
    ($run:ident) => {
        for_every_family!($run: alexnet convnext deit densenet dinov2 efficientnet inception_resnet_v2 inception_v3
            mobilenet_v2 mobilenet_v3 regnety resnet squeezenet vgg vit);
    };
    ($run:ident: $($family:ident)*) => {
        $(#[test]
        fn $family() {
            $run(stringify!($family));
        })*

        fn tested() -> std::collections::BTreeSet<&'static str> {
            [$(stringify!($family)),*].into()
        }
    };
}

mod builtins;
#[path = "../common/mod.rs"]
mod common;
mod docs;
mod errors;
mod explain;
#[path = "../fuzz/mod.rs"]
mod fuzz;
mod fuzzing;
mod math;
mod methods;
mod nn;
mod package;
mod photo;
mod properties;

#[global_allocator]
static MEMORY: common::alloc::Counting = common::alloc::Counting;
