//! Algorithms that know no network.

mod superpixels;
