//! Expressions over characters, and their derivatives.
//!
//! The derivative of an expression by a character matches what is left of the texts that begin with it. Expressions are kept once
//! each in an arena and brought to a form in which equal unions are equal, so that an expression has few derivatives.
//!
//! Source: Brzozowski, Derivatives of Regular Expressions, JACM 1964; Owens, Reppy and Turon, JFP 2009.

#![expect(clippy::wildcard_enum_match_arm, reason = "only a few kinds of nodes are simplified")]

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

/// An expression in an [`Arena`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::retrieve::lexical) struct NodeId(u32);

impl NodeId {
    /// Matches nothing.
    pub(in crate::retrieve::lexical) const NEVER: Self = Self(0);
    const EMPTY: Self = Self(1);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Node {
    Never,
    Empty,
    /// Ranges of code points, ascending and apart.
    Characters(Vec<(u32, u32)>),
    Concat(NodeId, NodeId),
    Union(Vec<NodeId>),
    Intersection(Vec<NodeId>),
    Not(NodeId),
    Repeat {
        inner: NodeId,
        min: u32,
        max: Option<u32>,
    },
    Number(Number),
}

/// What is left of a decimal number between bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Number {
    min: u64,
    max: u64,
    /// The number of digits; 0 for any.
    num_digits: u32,
    value: u64,
    num_read: u32,
}

/// Nodes beyond this number per state are taken as a sign of an expression that explodes.
const NODES_PER_STATE: usize = 16;
/// A derivative of a deeper expression is refused: each level is a level of the stack.
const MAX_HEIGHT: u32 = 2_000;

/// Holds expressions, each once.
#[derive(Debug, Clone)]
pub(in crate::retrieve::lexical) struct Arena {
    nodes: Vec<Node>,
    nullable: Vec<bool>,
    heights: Vec<u32>,
    ids: FxHashMap<Node, NodeId>,
    derivatives: FxHashMap<(NodeId, u32), NodeId>,
    max_nodes: usize,
    exhausted: bool,
}

impl Arena {
    /// * `max_states`: about so many different rests of the expression may come up.
    pub(in crate::retrieve::lexical) fn new(max_states: usize) -> Self {
        let mut arena = Self {
            nodes: Vec::new(),
            nullable: Vec::new(),
            heights: Vec::new(),
            ids: FxHashMap::default(),
            derivatives: FxHashMap::default(),
            max_nodes: max_states.saturating_mul(NODES_PER_STATE).clamp(1 << 10, 1 << 20),
            exhausted: false,
        };
        arena.intern(Node::Never);
        arena.intern(Node::Empty);
        arena
    }

    /// Whether a limit was met; what is made after that matches nothing.
    pub(in crate::retrieve::lexical) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Whether it matches the empty text.
    pub(in crate::retrieve::lexical) fn is_nullable(&self, node: NodeId) -> bool {
        self.nullable.get(node.0 as usize).copied().unwrap_or(false)
    }

    fn node(&self, id: NodeId) -> Node {
        self.nodes.get(id.0 as usize).cloned().unwrap_or(Node::Never)
    }

    fn intern(&mut self, node: Node) -> NodeId {
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let height = 1 + match &node {
            Node::Never | Node::Empty | Node::Characters(_) | Node::Number(_) => 0,
            // A long text is a long list to the right, whose derivatives take off its head.
            Node::Concat(left, _) => self.height(*left),
            Node::Union(parts) | Node::Intersection(parts) => {
                parts.iter().map(|&part| self.height(part)).max().unwrap_or(0)
            }
            Node::Not(inner) | Node::Repeat { inner, .. } => self.height(*inner),
        };
        if self.nodes.len() >= self.max_nodes || height > MAX_HEIGHT {
            self.exhausted = true;
            return NodeId::NEVER;
        }
        let nullable = match &node {
            Node::Never | Node::Characters(_) => false,
            Node::Empty => true,
            Node::Concat(left, right) => self.is_nullable(*left) && self.is_nullable(*right),
            Node::Union(parts) => parts.iter().any(|&part| self.is_nullable(part)),
            Node::Intersection(parts) => parts.iter().all(|&part| self.is_nullable(part)),
            Node::Not(inner) => !self.is_nullable(*inner),
            Node::Repeat { inner, min, .. } => *min == 0 || self.is_nullable(*inner),
            Node::Number(number) => number.is_whole(),
        };
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(0));
        self.nodes.push(node.clone());
        self.nullable.push(nullable);
        self.heights.push(height);
        self.ids.insert(node, id);
        id
    }

    fn height(&self, id: NodeId) -> u32 {
        self.heights.get(id.0 as usize).copied().unwrap_or(0)
    }

    /// The empty text.
    pub(in crate::retrieve::lexical) fn empty_text(&mut self) -> NodeId {
        NodeId::EMPTY
    }

    /// One character, or with `either_case` its other case too.
    pub(in crate::retrieve::lexical) fn character(&mut self, character: char, either_case: bool) -> NodeId {
        let mut ranges = vec![(u32::from(character), u32::from(character))];
        if either_case {
            for other in character.to_lowercase().chain(character.to_uppercase()) {
                let is_single = character.to_lowercase().count() == 1 && character.to_uppercase().count() == 1;
                if is_single || other.is_ascii() && character.is_ascii() {
                    ranges.push((u32::from(other), u32::from(other)));
                }
            }
        }
        self.characters(ranges)
    }

    /// Any one character.
    pub(in crate::retrieve::lexical) fn any_character(&mut self) -> NodeId {
        self.characters(vec![(0, u32::from(char::MAX))])
    }

    /// One character of these ranges.
    pub(in crate::retrieve::lexical) fn characters(&mut self, mut ranges: Vec<(u32, u32)>) -> NodeId {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        if merged.is_empty() { NodeId::NEVER } else { self.intern(Node::Characters(merged)) }
    }

    /// Any one character but of these ranges.
    pub(in crate::retrieve::lexical) fn other_characters(&mut self, ranges: Vec<(u32, u32)>) -> NodeId {
        let id = self.characters(ranges);
        let Node::Characters(ranges) = self.node(id) else { return self.any_character() };
        let (mut others, mut next) = (Vec::new(), 0);
        for (first, last) in ranges {
            if first > next {
                others.push((next, first - 1));
            }
            next = last.saturating_add(1);
        }
        others.push((next, u32::from(char::MAX)));
        self.characters(others)
    }

    /// Any text.
    pub(in crate::retrieve::lexical) fn any_text(&mut self) -> NodeId {
        let any = self.any_character();
        self.repeat(any, 0, None)
    }

    /// A decimal number from `min` to `max`, of `num_digits` digits (0 for any number of them).
    pub(in crate::retrieve::lexical) fn number(&mut self, min: u64, max: u64, num_digits: u32) -> NodeId {
        self.intern(Node::Number(Number { min, max, num_digits, value: 0, num_read: 0 }))
    }

    /// One after the other.
    pub(in crate::retrieve::lexical) fn concat(&mut self, left: NodeId, right: NodeId) -> NodeId {
        match (left, right) {
            (NodeId::NEVER, _) | (_, NodeId::NEVER) => NodeId::NEVER,
            (NodeId::EMPTY, other) | (other, NodeId::EMPTY) => other,
            _ if self.is_any_text(left) && self.begins_with_any_text(right) => right,
            _ => match self.node(left) {
                Node::Concat(first, second) => {
                    let rest = self.concat(second, right);
                    self.intern(Node::Concat(first, rest))
                }
                _ => self.intern(Node::Concat(left, right)),
            },
        }
    }

    fn is_any_text(&self, id: NodeId) -> bool {
        let Some(Node::Repeat { inner, min: 0, max: None }) = self.nodes.get(id.0 as usize) else { return false };
        let any = [(0, u32::from(char::MAX))];
        matches!(self.nodes.get(inner.0 as usize), Some(Node::Characters(ranges)) if ranges.as_slice() == any)
    }

    fn begins_with_any_text(&self, id: NodeId) -> bool {
        match self.nodes.get(id.0 as usize) {
            Some(Node::Concat(first, _)) => self.is_any_text(*first),
            _ => self.is_any_text(id),
        }
    }

    /// Either.
    pub(in crate::retrieve::lexical) fn union(&mut self, parts: impl IntoIterator<Item = NodeId>) -> NodeId {
        let mut all = BTreeSet::new();
        for part in parts {
            match self.node(part) {
                Node::Never => {}
                Node::Union(inner) => all.extend(inner),
                _ => drop(all.insert(part)),
            }
        }
        let anything = self.any_text();
        if all.contains(&anything) {
            return anything;
        }
        let mut all = all.into_iter();
        match (all.next(), all.next()) {
            (None, _) => NodeId::NEVER,
            (Some(only), None) => only,
            (Some(first), Some(second)) => {
                let parts = [first, second].into_iter().chain(all).collect();
                self.intern(Node::Union(parts))
            }
        }
    }

    /// What all match.
    pub(in crate::retrieve::lexical) fn intersection(&mut self, parts: impl IntoIterator<Item = NodeId>) -> NodeId {
        let anything = self.any_text();
        let mut all = BTreeSet::new();
        for part in parts {
            match self.node(part) {
                Node::Never => return NodeId::NEVER,
                Node::Intersection(inner) => all.extend(inner),
                _ if part == anything => {}
                _ => drop(all.insert(part)),
            }
        }
        let mut all = all.into_iter();
        match (all.next(), all.next()) {
            (None, _) => anything,
            (Some(only), None) => only,
            (Some(first), Some(second)) => {
                let parts = [first, second].into_iter().chain(all).collect();
                self.intern(Node::Intersection(parts))
            }
        }
    }

    /// Every text that it does not match.
    pub(in crate::retrieve::lexical) fn complement(&mut self, inner: NodeId) -> NodeId {
        match self.node(inner) {
            Node::Not(inner) => inner,
            Node::Never => self.any_text(),
            _ => self.intern(Node::Not(inner)),
        }
    }

    /// So many times.
    pub(in crate::retrieve::lexical) fn repeat(&mut self, inner: NodeId, min: u32, max: Option<u32>) -> NodeId {
        match (inner, min, max) {
            (_, _, Some(0)) | (NodeId::EMPTY, _, _) => NodeId::EMPTY,
            (NodeId::NEVER, 0, _) => NodeId::EMPTY,
            (NodeId::NEVER, _, _) => NodeId::NEVER,
            (_, 1, Some(1)) => inner,
            _ => self.intern(Node::Repeat { inner, min, max }),
        }
    }

    /// What is left after a character.
    pub(in crate::retrieve::lexical) fn derivative(&mut self, id: NodeId, character: u32) -> NodeId {
        if id == NodeId::NEVER || id == NodeId::EMPTY || self.exhausted {
            return NodeId::NEVER;
        }
        if let Some(&known) = self.derivatives.get(&(id, character)) {
            return known;
        }
        let derivative = match self.node(id) {
            Node::Never | Node::Empty => NodeId::NEVER,
            Node::Characters(ranges) => {
                let at = ranges.partition_point(|&(_, last)| last < character);
                let is_inside = ranges.get(at).is_some_and(|&(first, _)| first <= character);
                if is_inside { NodeId::EMPTY } else { NodeId::NEVER }
            }
            Node::Concat(left, right) => {
                let after_left = self.derivative(left, character);
                let through_left = self.concat(after_left, right);
                if self.is_nullable(left) {
                    let past_left = self.derivative(right, character);
                    self.union([through_left, past_left])
                } else {
                    through_left
                }
            }
            Node::Union(parts) => {
                let parts: Vec<_> = parts.into_iter().map(|part| self.derivative(part, character)).collect();
                self.union(parts)
            }
            Node::Intersection(parts) => {
                let parts: Vec<_> = parts.into_iter().map(|part| self.derivative(part, character)).collect();
                self.intersection(parts)
            }
            Node::Not(inner) => {
                let inner = self.derivative(inner, character);
                self.complement(inner)
            }
            Node::Repeat { inner, min, max } => {
                let first = self.derivative(inner, character);
                let rest = self.repeat(inner, min.saturating_sub(1), max.map(|max| max - 1));
                self.concat(first, rest)
            }
            Node::Number(number) => match number.after(character) {
                Some(rest) => self.intern(Node::Number(rest)),
                None => NodeId::NEVER,
            },
        };
        if self.exhausted || self.derivatives.len() >= self.max_nodes.saturating_mul(4) {
            self.exhausted = true;
            return NodeId::NEVER;
        }
        self.derivatives.insert((id, character), derivative);
        derivative
    }
}

impl Number {
    fn is_whole(&self) -> bool {
        self.num_read > 0
            && (self.min..=self.max).contains(&self.value)
            && (self.num_digits == 0 || self.num_digits == self.num_read)
    }

    fn after(self, character: u32) -> Option<Self> {
        let digit = char::from_u32(character)?.to_digit(10)?;
        let value = self.value.checked_mul(10)?.checked_add(u64::from(digit))?;
        let num_read = self.num_read.checked_add(1)?;
        let fits = value <= self.max && (self.num_digits == 0 || num_read <= self.num_digits);
        // Zeros before a number of any length are one state.
        let num_read = if self.num_digits == 0 { 1 } else { num_read };
        fits.then_some(Self { value, num_read, ..self })
    }
}
