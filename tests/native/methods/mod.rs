//! Attribution methods: all of them by the registry and beside other libraries, and each group by
//! itself.

mod attention;
mod black_box;
mod cam;
mod conformance;
mod contract;
mod ending;
mod gradient;
mod path;
mod relevance;
