//! Networks: planned, loaded, run, differentiated.

mod architectures;
mod families;
mod gradients;
mod keys;
mod load;
mod pass;
mod sizes;
