//! How large the parts of a package may be. Packages are hostile input: what is larger is refused
//! before it is read.

/// A config.json larger than this is refused.
pub const MAX_CONFIG_BYTES: usize = 4 << 20;

/// A safetensors header larger than this is refused (the largest vision models need less than 1
/// MiB).
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
/// Files with more tensors than this are refused.
pub const MAX_TENSORS: usize = 100_000;
/// Weights larger than this are refused before they are read: the parameters as f32, and a header.
pub const MAX_WEIGHTS_BYTES: u64 = 4 * MAX_PARAMETERS as u64 + MAX_HEADER_BYTES;
