//! CAMs against hand-solved nets, slow twins written from the formulas, and the axioms that they have.

mod axioms;
mod by_hand;
mod channels;
mod formulas;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Value, json};
use sightline::explainer::{Attribution, Image, Unwatched};
use sightline::layers::{Act, Conv2dSpec, Param};
use sightline::methods::{Group, METHODS, Reads};
use sightline::models::{Fold, ModelSpec};
use sightline::net::{self, Op};
use sightline::pass::{Activation, Pass, Tappable};
use sightline::{Error, Explainer};

use crate::common::nets::{self, image, staged};
use crate::common::*;

fn conv(name: &str, inputs: usize, outputs: usize, kernel: usize) -> Op {
    Op::Conv(Conv2dSpec::new(name, inputs, outputs, kernel).padding(None).bias(true))
}

fn cams() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|m| m.spec).filter(|m| m.group == Group::Cam && m.reads == Reads::Layers).map(|m| m.id)
}
