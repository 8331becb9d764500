//! A net's shapes, costs and tensors, known before its weights are there.

use std::collections::BTreeSet;

use crate::error::{Result, bad_model};
use crate::nn::layers::batch_norm_params;
use crate::nn::model::{Feature, Fold, Layer, Model, ModelSpec, Plan, Stage};
use crate::nn::net::run::Net;
use crate::nn::net::{Op, PlaceOp};
use crate::nn::weights::{Param, Weights};
use crate::package::Config;

/// What a shape goes through.
#[derive(Default)]
struct Trace {
    macs: f64,
    taps: Vec<(String, [usize; 3])>,
    features: BTreeSet<Feature>,
}

fn trace(ops: &[Op], mut shape: [usize; 3], to: &mut Trace) -> Result<[usize; 3]> {
    for op in ops {
        let [c, h, w] = shape;
        shape = match op {
            Op::Conv(spec) => {
                let [h, w] = spec.output([h, w]);
                to.macs += spec.macs(h, w);
                expect(c, spec.inputs, &spec.name)?;
                [spec.outputs, h, w]
            }
            Op::BatchNorm { name, channels, .. } => {
                expect(c, *channels, name)?;
                shape
            }
            Op::Act(act) => {
                to.features.insert(Feature::of(*act));
                shape
            }
            Op::Times(_) => shape,
            Op::MaxPool(pool) | Op::AvgPool(pool) => [c, pool.output(h), pool.output(w)],
            Op::GlobalAvgPool => [c, 1, 1],
            Op::AdaptiveAvgPool([h, w]) => [c, *h, *w],
            Op::ReflectPad(by) if *by < h.min(w) => [c, h + 2 * by, w + 2 * by],
            Op::ReflectPad(_) => [c, 0, 0],
            Op::Flatten => [c * h * w, 1, 1],
            Op::Places(ops) => {
                let mut width = c;
                for op in ops {
                    match op {
                        PlaceOp::Linear(spec) => {
                            expect(width, spec.inputs, &spec.name)?;
                            to.macs += spec.macs() * (h * w) as f64;
                            width = spec.outputs;
                        }
                        PlaceOp::Act(act) => drop(to.features.insert(Feature::of(*act))),
                        PlaceOp::LayerNorm(_) => drop(to.features.insert(Feature::LayerNorm)),
                        PlaceOp::ResponseNorm(..) => drop(to.features.insert(Feature::Gate)),
                        PlaceOp::Scale(_) => (),
                    }
                }
                [width, h, w]
            }
            Op::Gate(ops) => {
                let outside = to.features.clone();
                trace(ops, shape, to)?;
                // What is inside a gate is only a gate's.
                to.features = outside;
                to.features.insert(Feature::Gate);
                shape
            }
            Op::Sum(branches) => {
                let mut out = None;
                for branch in branches {
                    let made = trace(branch, shape, to)?;
                    if *out.get_or_insert(made) != made {
                        return bad_model("config.json: the branches of this architecture do not match each other");
                    }
                }
                out.unwrap_or(shape)
            }
            Op::Concat(branches) => {
                let mut out: Option<[usize; 3]> = None;
                for branch in branches {
                    let [more, h, w] = trace(branch, shape, to)?;
                    match &mut out {
                        Some([channels, height, width]) if [*height, *width] == [h, w] => *channels += more,
                        Some(_) => {
                            return bad_model("config.json: the branches of this architecture do not match each other");
                        }
                        None => out = Some([more, h, w]),
                    }
                }
                out.unwrap_or(shape)
            }
            Op::Tap(id) => {
                to.taps.push((id.clone(), shape));
                shape
            }
        };
        if shape[0] == 0 {
            return bad_model("config.json: its model_args leave no channels in a layer of this architecture");
        }
        if shape.contains(&0) {
            return bad_model("config.json: input_size is too small for this architecture");
        }
    }
    Ok(shape)
}

fn expect(has: usize, wants: usize, name: &str) -> Result<()> {
    if has == wants { Ok(()) } else { bad_model(format!("config.json: {name} takes {wants} channels, but gets {has}")) }
}

fn params(ops: &[Op], to: &mut Vec<Param>) {
    for op in ops {
        match op {
            Op::Conv(spec) => to.extend(spec.params()),
            Op::BatchNorm { name, channels, .. } => to.extend(batch_norm_params(name, *channels)),
            Op::Places(ops) => {
                for op in ops {
                    match op {
                        PlaceOp::LayerNorm(spec) => to.extend(spec.params()),
                        PlaceOp::Linear(spec) => to.extend(spec.params()),
                        PlaceOp::ResponseNorm(name, width) => {
                            to.extend(["weight", "bias"].map(|leaf| Param::new(name, leaf, &[*width])));
                        }
                        PlaceOp::Scale(param) => to.push(param.clone()),
                        PlaceOp::Act(_) => (),
                    }
                }
            }
            Op::Gate(ops) => params(ops, to),
            Op::Sum(branches) | Op::Concat(branches) => branches.iter().for_each(|branch| params(branch, to)),
            Op::Act(_)
            | Op::Times(_)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::GlobalAvgPool
            | Op::AdaptiveAvgPool(_)
            | Op::ReflectPad(_)
            | Op::Flatten
            | Op::Tap(_) => (),
        }
    }
}

/// A planned net.
#[derive(Debug, Clone)]
pub struct NetPlan {
    spec: ModelSpec,
    stages: Vec<Vec<Op>>,
    training_only: &'static [&'static str],
}

/// Plans the net whose stages are named lists of operations, the last of which ends in `[N, K, 1,
/// 1]`. Every tap on a grid of more than one place becomes a layer. What a stage has from its first
/// tap on is left to the next, whose boundary then is the very tensor that is tapped: a method that
/// reads it runs nothing before it again.
///
/// # Errors
/// [`Error::BadModel`](crate::Error::BadModel) where the input is too small or widths contradict
/// each other.
pub fn plan(
    config: &Config,
    default_layer: impl Into<String>,
    stages: Vec<(String, Vec<Op>)>,
) -> Result<Box<dyn Plan>> {
    Ok(Box::new(NetPlan::new(config, default_layer, stages)?))
}

impl NetPlan {
    /// [`plan`], unboxed.
    ///
    /// # Errors
    /// Those of [`plan`].
    pub fn new(config: &Config, default_layer: impl Into<String>, stages: Vec<(String, Vec<Op>)>) -> Result<Self> {
        let mut shape = config.preprocess.input_size;
        let mut spec = ModelSpec {
            architecture: config.architecture.clone(),
            input_size: shape,
            num_classes: config.num_classes,
            stages: Vec::new(),
            layers: Vec::new(),
            default_layer: default_layer.into(),
            features: BTreeSet::new(),
            attention: None,
        };
        let mut ops = Vec::new();
        let last = stages.len().saturating_sub(1);
        let mut left = Vec::new();
        for (index, (name, mut own)) in stages.into_iter().enumerate() {
            let tapped = own.iter().position(|op| matches!(op, Op::Tap(_))).filter(|_| index < last);
            let rest = own.split_off(tapped.unwrap_or(own.len()));
            let stage = [std::mem::replace(&mut left, rest), own].concat();
            let mut seen = Trace::default();
            shape = trace(&stage, shape, &mut seen)?;
            spec.stages.push(Stage { name, macs: seen.macs });
            spec.features.extend(seen.features);
            for (id, [channels, h, w]) in seen.taps {
                spec.layers.push(Layer { id, stage: index, fold: Fold::Map { channels, h, w } });
            }
            ops.push(stage);
        }
        if shape != [config.num_classes, 1, 1] {
            return bad_model(format!(
                "config.json: this architecture's output has shape {shape:?}, which does not match {} classes",
                config.num_classes
            ));
        }
        Ok(Self { spec, stages: ops, training_only: &[] })
    }

    /// Reads past tensors whose names begin so: heads that only training uses.
    #[must_use]
    pub fn without(mut self, training_only: &'static [&'static str]) -> Self {
        self.training_only = training_only;
        self
    }
}

impl Plan for NetPlan {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn params(&self) -> Vec<Param> {
        let mut all = Vec::new();
        self.stages.iter().for_each(|stage| params(stage, &mut all));
        all
    }

    fn ignores(&self, name: &str) -> bool {
        self.training_only.iter().any(|prefix| name.starts_with(prefix))
    }

    fn build(&self, weights: &mut Weights) -> Result<Box<dyn Model>> {
        Ok(Box::new(Net::load(self.spec.clone(), &self.stages, weights)?))
    }
}
