//! How large the parts of a package may be. Packages are hostile input: what is larger is refused
//! before it is read.

/// A config.json larger than this is refused; one with the names and descriptions of ImageNet-21k's
/// classes has half as much.
pub const MAX_CONFIG_BYTES: usize = 4 << 20;
/// A config.json with more values than this is refused; a list counts as four, an
/// object as eight. With its strings it takes at most 64 MB.
pub const MAX_CONFIG_VALUES: usize = 200_000;
/// A config.json nested deeper than this is refused; timm's are four deep.
pub const MAX_CONFIG_DEPTH: usize = 32;
/// Labels longer than this, in characters, are refused.
pub const MAX_LABEL_CHARS: usize = 1000;

/// A safetensors header larger than this is refused (the largest vision models need less than 1
/// MiB). Reading one takes at most 112 MB.
pub const MAX_HEADER_BYTES: u64 = 16 << 20;

/// Models with more parameters than this are refused: as f32 they would not fit the 4 GiB of a wasm
/// memory beside their activations.
pub const MAX_PARAMETERS: usize = 500_000_000;
/// Models of which the CPU would hold more values than this, the weights and what its kernels keep
/// of them in a layout of their own, are refused: 3.2 GB of the 4 GiB of a wasm memory.
pub const MAX_VALUES: usize = 800_000_000;
/// A data.pkl larger than this is refused; a state dict takes about 250 bytes per tensor.
pub const MAX_PICKLE_BYTES: u64 = 16 << 20;
/// A zip directory larger than this is refused; it takes about 100 bytes per tensor.
pub const MAX_DIRECTORY_BYTES: u64 = 16 << 20;
/// Files with more tensors than this are refused; the largest vision models have 5,000.
pub const MAX_TENSORS: usize = 40_000;
/// Weights larger than this are refused before they are read: the parameters as f32, and a header.
pub const MAX_WEIGHTS_BYTES: u64 = 4 * MAX_PARAMETERS as u64 + MAX_HEADER_BYTES;
