//! Runs encoded texts through a model: batches, threads, tensors; what bi-encoders and cross-encoders have in common.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use super::batching::{Batch, BatchLimits, MemoryModel, USEFUL_TOKENS, batches};
use super::describe::ModelDescription;
use super::session::{SessionPool, Want};
use super::tokenizer::Encoded;
use crate::error::{Error, Result};

/// A loaded model's sessions with what a run needs to know.
#[derive(Debug)]
pub(super) struct Inference {
    name: String,
    sessions: SessionPool,
    inputs: Vec<String>,
    output: String,
    memory: MemoryModel,
    memory_bytes: u64,
    rows_interact: bool,
    pad_id: u32,
}

/// One run's output of the model, `shape` as ONNX has it.
pub(super) struct Output<'run> {
    /// The tensor's dimensions.
    pub(super) shape: &'run [i64],
    /// Its numbers, row-major.
    pub(super) values: &'run [f32],
}

impl Inference {
    /// Chooses the model's output among `wanted`, else its first, and checks its inputs.
    pub(super) fn open(
        sessions: SessionPool,
        description: &ModelDescription,
        memory_bytes: u64,
        pad_id: u32,
        wanted: &[&str],
    ) -> Result<Self> {
        let (inputs, outputs) = sessions.names()?;
        if let Some(unknown) = inputs.iter().find(|name| !INPUTS.contains(&name.as_str())) {
            let text = format!(
                "model {:?} has an input {unknown:?}; only {} are supported",
                description.name,
                INPUTS.join(", ")
            );
            return Err(Error::unsupported(text));
        }
        let named =
            wanted.iter().find(|name| outputs.iter().any(|output| output == *name)).map(|name| (*name).to_string());
        let output = named
            .or_else(|| outputs.first().cloned())
            .ok_or_else(|| Error::model(format!("model {:?} has no output", description.name)))?;
        Ok(Self {
            name: description.name.clone(),
            sessions,
            inputs,
            output,
            memory: description.memory(),
            memory_bytes,
            rows_interact: description.rows_interact,
            pad_id,
        })
    }

    /// Runs every text and hands each run's output to `read`, on the thread that ran it, with the batch it belongs to.
    ///
    /// Batches are sorted by length and bounded by memory; several run side by side, longest first. Stops at the first error.
    pub(super) fn run_all(
        &self,
        texts: &[Encoded],
        read: impl Fn(&Batch, Output<'_>) -> Result<()> + Sync,
    ) -> Result<()> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.ids.len()).collect();
        let num_parallel = self.sessions.num_parallel().max(1);
        let limits = BatchLimits {
            memory_bytes: self.memory_bytes / num_parallel as u64,
            tokens: USEFUL_TOKENS,
            rows: if self.rows_interact { 1 } else { texts.len().div_ceil(num_parallel).max(1) },
        };
        let batches = batches(&lengths, self.memory, limits);
        if let [only] = batches.as_slice() {
            return self.run_one(Want::Wide, texts, only, &read);
        }
        let next = AtomicUsize::new(0);
        let stopped = AtomicBool::new(false);
        let failure = Mutex::new(None);
        let work = || {
            while !stopped.load(Ordering::Relaxed) {
                let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                if let Err(error) = self.run_one(Want::Narrow, texts, batch, &read) {
                    stopped.store(true, Ordering::Relaxed);
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..num_parallel.min(batches.len()) {
                scope.spawn(work);
            }
            work();
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn run_one(
        &self,
        want: Want,
        texts: &[Encoded],
        batch: &Batch,
        read: &impl Fn(&Batch, Output<'_>) -> Result<()>,
    ) -> Result<()> {
        let padded = Padded::new(texts, batch, self.pad_id);
        self.sessions.run(want, |session| {
            let failed =
                |error: ort::Error| Error::model(format!("model {:?} failed: {error}", self.name)).with_source(error);
            let outputs = self.outputs(session, &padded).map_err(failed)?;
            let (shape, values) = outputs
                .get(&self.output)
                .ok_or_else(|| Error::model(format!("model {:?} gave no {:?}", self.name, self.output)))?
                .try_extract_tensor::<f32>()
                .map_err(failed)?;
            read(batch, Output { shape, values })
        })
    }

    fn outputs<'session>(
        &self,
        session: &'session mut Session,
        padded: &Padded,
    ) -> ort::Result<ort::session::SessionOutputs<'session>> {
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(self.inputs.len());
        for name in &self.inputs {
            let values = match name.as_str() {
                "attention_mask" => &padded.mask,
                "token_type_ids" => &padded.type_ids,
                "position_ids" => &padded.positions,
                _ => &padded.ids,
            };
            inputs.push((name, TensorRef::from_array_view((padded.shape, values.as_slice()))?.into()));
        }
        session.run(inputs)
    }
}

const INPUTS: [&str; 4] = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];

/// A batch as tensors, `[rows, tokens]` each, padded on the right.
struct Padded {
    shape: [usize; 2],
    ids: Vec<i64>,
    mask: Vec<i64>,
    type_ids: Vec<i64>,
    positions: Vec<i64>,
}

impl Padded {
    fn new(texts: &[Encoded], batch: &Batch, pad_id: u32) -> Self {
        let shape = [batch.rows.len(), batch.tokens];
        let size = shape[0] * shape[1];
        let mut padded = Self {
            shape,
            ids: Vec::with_capacity(size),
            mask: Vec::with_capacity(size),
            type_ids: Vec::with_capacity(size),
            positions: Vec::with_capacity(size),
        };
        for text in batch.rows.iter().filter_map(|&row| texts.get(row)) {
            let padding = batch.tokens - text.ids.len();
            let fill = |value: i64| std::iter::repeat_n(value, padding);
            padded.ids.extend(text.ids.iter().copied().map(i64::from).chain(fill(i64::from(pad_id))));
            padded.mask.extend(std::iter::repeat_n(1, text.ids.len()).chain(fill(0)));
            padded.type_ids.extend(text.type_ids.iter().copied().map(i64::from).chain(fill(0)));
            padded.positions.extend((0..).take(batch.tokens));
        }
        padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_padded_on_the_right() {
        let text = |ids: &[u32]| Encoded { ids: ids.to_vec(), type_ids: vec![0; ids.len()], num_truncated: 0 };
        let texts = [text(&[5]), text(&[7, 8])];
        let padded = Padded::new(&texts, &Batch { rows: vec![1, 0], tokens: 2 }, 9);
        assert_eq!((padded.ids, padded.mask, padded.shape), (vec![7, 8, 5, 9], vec![1, 1, 1, 0], [2, 2]));
    }
}
