//! CAMs against hand-solved nets, slow twins written from the formulas, and the axioms that they
//! have.

mod axioms;
mod by_hand;
mod channels;
mod formulas;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use sightline::ask::control::Unwatched;
use sightline::explain::{Attribution, Image};
use sightline::methods::{Group, METHODS, Reads};
use sightline::nn::layers::Conv2dSpec;
use sightline::nn::model::{Fold, ModelSpec};
use sightline::nn::net::{self, Op};
use sightline::nn::pass::{Activation, Pass, Tappable};
use sightline::nn::weights::Param;
use sightline::{Error, Explainer};
use sightline_kernels::Act;

use crate::common::nets::{self, image, staged};
use crate::common::*;

fn conv(name: &str, inputs: usize, outputs: usize, kernel: usize) -> Op {
    Op::Conv(Conv2dSpec::new(name, inputs, outputs, kernel).padding(None).bias(true))
}

fn cams() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|m| m.spec).filter(|m| m.group == Group::Cam && m.reads == Reads::Layers).map(|m| m.id)
}
