//! The forward and backward passes that methods are made of.

use burn::tensor::{Gradients, Tensor};

use crate::error::{Error, Result};
use crate::methods::context::Context;
use crate::methods::predicted::Tail;
use crate::nn::model::Layer;
use crate::nn::pass::{Activation, Pass, Tappable};

impl Context<'_> {
    /// The activations of the request's layers and the score's gradients there, both folded to `[1,
    /// C, h, w]`; from one forward and one backward pass that begin at the boundary before the
    /// first layer's stage.
    ///
    /// # Errors
    /// Those of the model.
    pub fn layer_gradients(&self) -> Result<Vec<(Tensor<4>, Tensor<4>)>> {
        let (pass, gradients) = self.backward_to_layers()?;
        let folded = |layer: &Layer| {
            let tapped = pass.tapped(&layer.id)?;
            Ok((layer.fold.grid(tapped.value.clone())?, layer.fold.grid(tapped.gradient(&gradients)?)?))
        };
        self.layers.iter().map(folded).collect()
    }

    /// The activations of the request's layers, each folded to `[1, C, h, w]`; from one forward
    /// pass between the boundaries around them.
    ///
    /// # Errors
    /// Those of the model.
    pub fn layer_activations(&self) -> Result<Vec<Tensor<4>>> {
        let mut pass = self.layers.iter().fold(Pass::new(), |pass, layer| pass.keep(&layer.id));
        let first = self.first_stage();
        let last = self.layers.iter().map(|l| l.stage).max().unwrap_or(first);
        self.model.run(first..last + 1, self.state(first)?, &mut pass)?;
        self.run.count(self.spec().share(first..last + 1), 0.0);
        self.layers.iter().map(|layer| layer.fold.grid(pass.tapped(&layer.id)?.value.clone())).collect()
    }

    /// A pass with the score's gradients at the request's layers, from the boundary before the
    /// first layer's stage or, once, from the prediction's.
    pub(crate) fn backward_to_layers(&self) -> Result<(Pass<'static>, Gradients)> {
        if let [only] = self.layers.as_slice()
            && only.id == self.spec().default_layer
            && let Some(Tail { pass, logits }) = self.predicted.tail.take()
        {
            return Ok((pass, self.backward(only.stage, logits)));
        }
        let mut pass = self.layers.iter().fold(Pass::new(), |pass, layer| pass.keep_gradient(&layer.id));
        let gradients = self.backward_from(self.first_stage(), &mut pass)?;
        Ok((pass, gradients))
    }

    fn first_stage(&self) -> usize {
        self.layers.iter().map(|l| l.stage).min().unwrap_or_default()
    }

    /// The state `[1, ..]` before a stage.
    ///
    /// # Errors
    /// [`Error::Internal`] where there is no such stage.
    pub fn state(&self, stage: usize) -> Result<Activation> {
        let state = self.predicted.states.get(stage).cloned();
        state.ok_or_else(|| Error::Internal(format!("the model has no stage {stage}")))
    }

    /// Logits `[N, K]` from a state `[N, ..]` before `stage` on.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn resume(&self, stage: usize, state: Activation, pass: &mut Pass) -> Result<Tensor<2>> {
        let n = state.shape().first().copied().unwrap_or_default();
        let stages = stage..self.spec().stages.len();
        self.run.count(n as f64 * self.spec().share(stages.clone()), 0.0);
        Tensor::<2>::unwrap(self.model.run(stages, state, pass)?)
    }

    /// Runs one stage again, on the state before it, for what the pass takes there.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn rerun(&self, stage: usize, pass: &mut Pass) -> Result<()> {
        self.run.count(self.spec().share(stage..stage + 1), 0.0);
        self.model.run(stage..stage + 1, self.state(stage)?, pass).map(drop)
    }

    /// One step of a backward pass through a transformer that holds one stage's graph at a time:
    /// from the score's gradient behind `stage`, `[1, T, D]` (`None` behind the last stage), the
    /// gradient before it, `[1, T, D]`, and those at what `pass` keeps.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn backward_stage(
        &self,
        stage: usize,
        behind: Option<Tensor<3>>,
        pass: &mut Pass,
    ) -> Result<(Tensor<3>, Gradients)> {
        let share = self.spec().share(stage..stage + 1);
        self.run.count(share, share);
        let before = Tensor::<3>::unwrap(self.state(stage)?)?.autodiff().require_grad();
        let out = self.model.run(stage..stage + 1, before.clone().wrap(), pass)?;
        let score = match behind {
            None => self.target.score(Tappable::unwrap(out)?).sum(),
            Some(gradient) => (Tensor::<3>::unwrap(out)? * gradient).sum(),
        };
        let gradients = score.backward();
        Ok((before.grad(&gradients).unwrap_or_else(|| before.inner().zeros_like()), gradients))
    }

    /// The score's gradients, from `stage` on, where the pass keeps them.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn backward_from(&self, stage: usize, pass: &mut Pass) -> Result<Gradients> {
        let logits = self.resume(stage, self.state(stage)?, pass)?;
        Ok(self.backward(stage, logits))
    }

    fn backward(&self, stage: usize, logits: Tensor<2>) -> Gradients {
        self.run.count(0.0, self.spec().share(stage..self.spec().stages.len()));
        self.target.score(logits).sum().backward()
    }

    /// The scores `[N]` of inputs `[N, C, H, W]`.
    ///
    /// # Errors
    /// Those of the model.
    pub fn scores(&self, x: Tensor<4>) -> Result<Tensor<1>> {
        Ok(self.target.score(self.resume(0, x.wrap(), &mut Pass::new())?))
    }

    /// d score / dx at each of the inputs `[N, C, H, W]`.
    ///
    /// # Errors
    /// Those of the model.
    pub fn input_gradient(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        self.input_gradient_by(x, &mut Pass::new())
    }

    /// d score / dx at each of the inputs `[N, C, H, W]`, by the rules of a pass.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn input_gradient_by(&self, x: Tensor<4>, pass: &mut Pass) -> Result<Tensor<4>> {
        let gradient = self.gradient_of(x.clone(), pass, |logits| self.target.score(logits))?;
        Ok(gradient.unwrap_or_else(|| x.zeros_like()))
    }

    /// What a backward pass by the rules of a pass makes of a seed at the logits: `seed` turns
    /// logits `[N, K]` into one of that shape, the result is shaped as the inputs `[N, C, H, W]`.
    ///
    /// # Errors
    /// Those of the model and the pass.
    pub fn pull_back(
        &self,
        x: Tensor<4>,
        pass: &mut Pass,
        seed: impl FnOnce(Tensor<2>) -> Tensor<2>,
    ) -> Result<Tensor<4>> {
        let seeded = |logits: Tensor<2>| {
            let seed = seed(logits.clone().inner()).autodiff();
            (logits * seed).sum()
        };
        Ok(self.gradient_of(x.clone(), pass, seeded)?.unwrap_or_else(|| x.zeros_like()))
    }

    /// The gradient at inputs `[N, C, H, W]` of the sum of what `of` makes of the logits `[N, K]`;
    /// `None` where that does not read the inputs.
    pub(crate) fn gradient_of(
        &self,
        x: Tensor<4>,
        pass: &mut Pass,
        of: impl FnOnce(Tensor<2>) -> Tensor<1>,
    ) -> Result<Option<Tensor<4>>> {
        let [n, ..] = x.dims();
        let x = x.autodiff().require_grad();
        let logits = self.resume(0, x.clone().wrap(), pass)?;
        self.run.count(0.0, n as f64);
        Ok(x.grad(&of(logits).sum().backward()))
    }

    /// F of one input `[C, H, W]`.
    ///
    /// # Errors
    /// Those of the model and the device, and of [`Context::breathe`].
    pub async fn score_of_input(&self, input: &[f32]) -> Result<f64> {
        let score = self.read(self.scores(self.upload(input))?).await?;
        self.breathe().await?;
        score.first().copied().map(f64::from).ok_or_else(|| Error::Internal("the score is empty".into()))
    }
}
