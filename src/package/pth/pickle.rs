//! The pickle that names the tensors: a machine that knows the instructions which a state dict
//! needs, and nothing that could run.

use std::collections::BTreeMap;

use safetensors::Dtype;

use crate::error::{Result, bad_model, quote, quote_list};
use crate::package::limits::MAX_TENSORS;
use crate::package::pth::storage::{STORAGES, Tensor};
use crate::package::pth::{ADVICE, Bytes, WRAPPERS};

// Limits of the pickle machine, of which those of objects, of the memo and of the stack also grow
// with the pickle's length: a tensor is about 250 bytes, eight objects and ten entries of the memo.
// A pickle made to that end takes at most 64 bytes per byte, and 96 MB.
const MAX_PUSHES: usize = 4_000_000;
const MAX_HELD: usize = 400_000;
const MAX_DEPTH: usize = 1000;
const MAX_DIMENSIONS: usize = 8;

#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    /// Accepted and ignored: numbers, None, bytes, lists.
    Plain,
    Integer(i64),
    Text(&'a str),
    Callable(Callable),
    /// An index into `Machine::objects`: containers may be shared or contain themselves.
    Object(usize),
}

/// All that a pickle may name.
#[derive(Debug, Clone, Copy)]
enum Callable {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Dtype),
}

#[derive(Debug)]
enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    /// The entries that have a text key and an object as value.
    Dict(Vec<(&'a str, usize)>),
    Storage(Dtype, &'a str),
    Tensor(Box<Tensor<'a>>),
}

/// The tensors that a pickle describes, and where it wraps them: one of [`WRAPPERS`].
pub(super) struct Described<'m, 'a> {
    pub wrapper: Option<&'static str>,
    /// By name, in the pickle's order.
    pub tensors: Vec<(&'a str, &'m Tensor<'a>)>,
}

/// A pickle that was run to its end.
pub(super) struct Pickle<'a> {
    machine: Machine<'a>,
    root: Value<'a>,
}

impl<'a> Pickle<'a> {
    /// Runs data.pkl.
    ///
    /// # Errors
    /// [`Error::BadModel`](crate::Error::BadModel) saying what is wrong with it and what to do.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self> {
        // A batch of a dict's items has 2000 values.
        let most = MAX_HELD.min(3000 + bytes.len() / 4);
        let mut machine = Machine { bytes: Bytes(bytes), most, ..Machine::default() };
        let root = machine.run()?;
        Ok(Self { machine, root })
    }

    /// Finds the state dict.
    ///
    /// # Errors
    /// [`Error::BadModel`](crate::Error::BadModel) where there is none.
    pub(super) fn describe(&self) -> Result<Described<'_, 'a>> {
        self.machine.select(self.root)
    }
}

fn damaged<T>() -> Result<T> {
    bad_model(format!("data.pkl is damaged or not what torch.save writes for a state dict; {ADVICE}"))
}

/// The pickle machine.
#[derive(Debug, Default)]
struct Machine<'a> {
    bytes: Bytes<'a>,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at the open marks.
    marks: Vec<usize>,
    memo: BTreeMap<u64, Value<'a>>,
    objects: Vec<Object<'a>>,
    pushes: usize,
    tensors: usize,
    /// Objects, entries of the memo, and values on the stack.
    most: usize,
}

impl<'a> Machine<'a> {
    /// Runs to the end; the value that the pickle stands for.
    fn run(&mut self) -> Result<Value<'a>> {
        loop {
            let value = match self.bytes.le(1)? as u8 {
                b'.' => return self.pop(),
                0x80 if matches!(self.bytes.le(1)?, 2..=5) => continue,
                0x95 => {
                    let _length_of_frame = self.bytes.le(8)?;
                    continue;
                }
                b'(' if self.marks.len() < MAX_DEPTH => {
                    self.marks.push(self.stack.len());
                    continue;
                }
                b'N' | 0x88 | 0x89 | b']' => Value::Plain,
                b'G' => self.plain(8)?,
                b'K' => Value::Integer(self.bytes.le(1)? as i64),
                b'M' => Value::Integer(self.bytes.le(2)? as i64),
                b'J' => Value::Integer(i64::from(self.bytes.le(4)? as i32)),
                0x8a => match self.bytes.le(1)? {
                    length @ 1..=8 => {
                        let unused = 64 - 8 * length as u32;
                        Value::Integer((self.bytes.le(length as usize)? as i64) << unused >> unused)
                    }
                    length => self.plain(length)?,
                },
                op @ (b'X' | 0x8c) => {
                    let length = self.bytes.le(if op == b'X' { 4 } else { 1 })?;
                    Value::Text(self.bytes.text(length as usize)?)
                }
                op @ (b'B' | b'C') => {
                    let length = self.bytes.le(if op == b'B' { 4 } else { 1 })?;
                    self.plain(length)?
                }
                b')' => self.make(Object::Tuple(Vec::new()))?,
                b'}' => self.make(Object::Dict(Vec::new()))?,
                b't' => {
                    let items = self.pop_to_mark()?;
                    self.make(Object::Tuple(items))?
                }
                op @ 0x85..=0x87 => {
                    let mut items = (0x85..=op).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
                    items.reverse();
                    self.make(Object::Tuple(items))?
                }
                op @ (b'a' | b'e' | b's' | b'u') => {
                    let items = match op {
                        b'a' => vec![self.pop()?],
                        b's' => {
                            let (value, key) = (self.pop()?, self.pop()?);
                            vec![key, value]
                        }
                        _ => self.pop_to_mark()?,
                    };
                    if matches!(op, b's' | b'u') {
                        self.set_items(&items)?
                    } else {
                        self.append()?
                    }
                    continue;
                }
                // Attributes of a module's OrderedDict: its `_metadata`.
                b'b' => match (self.pop()?, self.pop()?) {
                    (Value::Object(state), target @ Value::Object(dict))
                        if self.is_dict(state) && self.is_dict(dict) =>
                    {
                        target
                    }
                    _ => return damaged(),
                },
                op @ (b'q' | b'r' | 0x94) => {
                    let index = match op {
                        b'q' => self.bytes.le(1)?,
                        b'r' => self.bytes.le(4)?,
                        _ => self.memo.len() as u64,
                    };
                    let Some(&top) = self.stack.last().filter(|_| self.memo.len() < self.most) else {
                        return damaged();
                    };
                    self.memo.insert(index, top);
                    continue;
                }
                op @ (b'h' | b'j') => {
                    let index = self.bytes.le(if op == b'h' { 1 } else { 4 })?;
                    self.memo.get(&index).copied().map_or_else(damaged, Ok)?
                }
                b'c' => {
                    let (module, name) = (self.bytes.line()?, self.bytes.line()?);
                    self.callable(module, name)?
                }
                0x93 => match (self.pop()?, self.pop()?) {
                    (Value::Text(name), Value::Text(module)) => self.callable(module, name)?,
                    _ => return damaged(),
                },
                b'Q' => self.storage()?,
                b'R' => self.call()?,
                _ => return damaged(),
            };
            self.pushes += 1;
            if self.pushes > MAX_PUSHES || self.stack.len() >= self.most {
                return bad_model(format!("data.pkl is too large for a state dict; {ADVICE}"));
            }
            self.stack.push(value);
        }
    }

    /// Reads past `length` bytes that matter to nobody.
    fn plain(&mut self, length: u64) -> Result<Value<'a>> {
        self.bytes.take(length as usize).map(|_| Value::Plain)
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        if self.marks.last().is_some_and(|&mark| self.stack.len() <= mark) {
            return damaged();
        }
        self.stack.pop().map_or_else(damaged, Ok)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>> {
        // `pop` leaves the stack at least as high as the innermost mark.
        self.marks.pop().map_or_else(damaged, |mark| Ok(self.stack.split_off(mark)))
    }

    fn make(&mut self, object: Object<'a>) -> Result<Value<'a>> {
        if self.objects.len() >= self.most {
            return bad_model(format!("data.pkl contains too many objects for a state dict; {ADVICE}"));
        }
        self.objects.push(object);
        Ok(Value::Object(self.objects.len() - 1))
    }

    fn is_dict(&self, index: usize) -> bool {
        matches!(self.objects.get(index), Some(Object::Dict(_)))
    }

    fn tuple(&self, value: Value<'a>) -> Result<&[Value<'a>]> {
        match value {
            Value::Object(index) => match self.objects.get(index) {
                Some(Object::Tuple(items)) => Ok(items),
                _ => damaged(),
            },
            _ => damaged(),
        }
    }

    /// Checks that a list, whose items are dropped, is on top of the stack.
    fn append(&self) -> Result<()> {
        if matches!(self.stack.last(), Some(Value::Plain)) { Ok(()) } else { damaged() }
    }

    /// Adds keys and values, alternating, to the dict on top of the stack.
    fn set_items(&mut self, items: &[Value<'a>]) -> Result<()> {
        let Some(&Value::Object(target)) = self.stack.last() else { return damaged() };
        let Some(Object::Dict(entries)) = self.objects.get_mut(target) else { return damaged() };
        let (pairs, []) = items.as_chunks::<2>() else { return damaged() };
        entries.extend(pairs.iter().filter_map(|pair| match *pair {
            [Value::Text(key), Value::Object(value)] => Some((key, value)),
            _ => None,
        }));
        Ok(())
    }

    fn callable(&self, module: &str, name: &str) -> Result<Value<'a>> {
        let known = match (module, name) {
            ("collections", "OrderedDict") => Callable::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Callable::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Callable::RebuildParameter,
            ("torch", name) if let Some((_, dtype)) = STORAGES.into_iter().find(|(storage, _)| *storage == name) => {
                Callable::Storage(dtype)
            }
            _ => {
                // An object is made by (memoize) EMPTY_TUPLE NEWOBJ; one that is the whole file, or
                // of a model library's class, is a model.
                let rest = match self.bytes.0 {
                    [b'q', _, rest @ ..] | [b'r', _, _, _, _, rest @ ..] | [0x94, rest @ ..] | rest => rest,
                };
                let library = ["torch.nn.", "torchvision.", "timm."].iter().any(|prefix| module.starts_with(prefix));
                let what = quote(format_args!("{module}.{name}"));
                return if rest.starts_with(b")\x81") && (self.stack.is_empty() || library) {
                    bad_model(format!(
                        "this file contains a whole pickled model, not a state dict (it names {what}); {ADVICE}"
                    ))
                } else {
                    bad_model(format!(
                        "the file's pickle names {what}, which no state dict needs; none of it was run. If you trust \
                         it, {ADVICE}"
                    ))
                };
            }
        };
        Ok(Value::Callable(known))
    }

    /// The persistent id on the stack: ('storage', type, key, location, number of elements).
    fn storage(&mut self) -> Result<Value<'a>> {
        let id = self.pop()?;
        match *self.tuple(id)? {
            [
                Value::Text("storage"),
                Value::Callable(Callable::Storage(dtype)),
                Value::Text(key),
                _,
                Value::Integer(_),
            ] => self.make(Object::Storage(dtype, key)),
            _ => damaged(),
        }
    }

    /// Applies the callable below the top of the stack to the tuple on top.
    fn call(&mut self) -> Result<Value<'a>> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Value::Callable(callee) = callee else { return damaged() };
        match (callee, self.tuple(arguments)?) {
            (Callable::OrderedDict, []) => self.make(Object::Dict(Vec::new())),
            (Callable::RebuildParameter, &[Value::Object(index), _requires_grad, _hooks]) => {
                match self.objects.get(index) {
                    Some(Object::Tensor(_)) => Ok(Value::Object(index)),
                    _ => damaged(),
                }
            }
            // The last two say whether a gradient is wanted, and what hooks there are. A seventh
            // that is not None says that the view is conjugate or negative.
            (
                Callable::RebuildTensor,
                &[Value::Object(storage), Value::Integer(offset), shape, strides, _, _]
                | &[Value::Object(storage), Value::Integer(offset), shape, strides, _, _, Value::Plain],
            ) => {
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                let (Some(&Object::Storage(dtype, key)), Ok(offset), true) =
                    (self.objects.get(storage), u64::try_from(offset), shape.len() == strides.len())
                else {
                    return damaged();
                };
                self.tensors += 1;
                if self.tensors > MAX_TENSORS {
                    return bad_model(format!("the file contains more than {MAX_TENSORS} tensors, which is the limit"));
                }
                self.make(Object::Tensor(Box::new(Tensor { dtype, key, offset, shape, strides })))
            }
            _ => damaged(),
        }
    }

    fn sizes(&self, value: Value<'a>) -> Result<Vec<usize>> {
        let items = self.tuple(value)?;
        if items.len() > MAX_DIMENSIONS {
            return bad_model(format!("a tensor has {} dimensions; the limit is {MAX_DIMENSIONS}", items.len()));
        }
        let size = |item: &Value| match *item {
            Value::Integer(n) => usize::try_from(n).or_else(|_| damaged()),
            _ => damaged(),
        };
        items.iter().map(size).collect()
    }

    /// The tensors of a dict by name, in its order; `None` for anything else and where there are
    /// none.
    fn tensors_of(&self, index: usize) -> Option<Vec<(&'a str, &Tensor<'a>)>> {
        let Some(Object::Dict(entries)) = self.objects.get(index) else { return None };
        let tensor = |&(key, index): &(&'a str, usize)| match self.objects.get(index) {
            Some(Object::Tensor(tensor)) => Some((key, &**tensor)),
            _ => None,
        };
        Some(entries.iter().filter_map(tensor).collect()).filter(|found: &Vec<_>| !found.is_empty())
    }

    /// Finds the state dict in `root`.
    fn select(&self, root: Value<'a>) -> Result<Described<'_, 'a>> {
        let (index, entries) = match root {
            Value::Object(index) => match self.objects.get(index) {
                Some(Object::Dict(entries)) => (index, entries),
                _ => return bad_model(format!("the file does not contain a dict, and so no state dict; {ADVICE}")),
            },
            _ => return bad_model(format!("the file does not contain a dict, and so no state dict; {ADVICE}")),
        };
        for wrapper in WRAPPERS {
            let found = entries.iter().rfind(|(key, _)| *key == wrapper).and_then(|&(_, inner)| self.tensors_of(inner));
            if let Some(found) = found {
                return Ok(Described { wrapper: Some(wrapper), tensors: found });
            }
        }
        if let Some(found) = self.tensors_of(index) {
            return Ok(Described { wrapper: None, tensors: found });
        }
        let keys = quote_list(entries.iter().map(|(key, _)| key), 200);
        bad_model(format!(
            "there are no tensors at the file's top level or under {} (it has: {}); {ADVICE}",
            WRAPPERS.join(", "),
            keys
        ))
    }
}
