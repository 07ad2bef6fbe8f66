//! The tokens of a query as a graph: where a synonym of several words, or the parts of a word, stand beside other words.
//!
//! A node is a place between words; a token leads from one node to another, over `position_length` nodes. Lucene's
//! `GraphTokenStreamFiniteStrings` and `QueryBuilder` say how a query is made of it, and [`TokenGraph::steps`] gives the same parts:
//!
//! - `match` on a graph is a `bool` whose clauses are the steps, `must` or `should` by the operator. A step of
//!   [`GraphStep::Terms`] is a term, or a synonym query of several. A step of [`GraphStep::Paths`] is a `bool` of `should`, one a
//!   path; a path of several tokens is a phrase where `auto_generate_synonyms_phrase_query` (default true), else a `bool` of
//!   `must` of its terms.
//! - `match_phrase` on a graph with slop 0 is an ordered, gapless sequence of the steps, each step any of its terms or phrases;
//!   with a slop it is a `bool` of `should` over [`TokenGraph::paths`], one phrase a path.
//!
//! Where nothing spans several positions ([`TokenGraph::is_graph`] is false) the usual queries apply.

use super::analyzers::Token;

/// How many paths a graph may have before a query of it is refused.
const MAX_PATHS: usize = 1024;

/// A query's tokens and what they lead to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenGraph {
    tokens: Vec<Token>,
    /// Of each token: the nodes it leaves and reaches. Holes belong to the token after them.
    edges: Vec<(usize, usize)>,
    /// Of each node: the tokens that leave it.
    leaving: Vec<Vec<usize>>,
    last_node: usize,
    is_graph: bool,
}

/// One part of a query's graph, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphStep {
    /// Words of one place, all leading to the next: one term, or synonyms.
    Terms(Vec<Token>),
    /// Ways through a part where tokens stand beside several others; each is a sequence of tokens of its own. The first token of
    /// a path has the position 0, the others follow by their increments.
    Paths(Vec<Vec<Token>>),
}

impl TokenGraph {
    /// `tokens` in the order of the stream, positions rising.
    pub fn new(tokens: Vec<Token>) -> Self {
        let is_graph = tokens.iter().any(|token| token.position_length > 1);
        let mut edges = Vec::with_capacity(tokens.len());
        let (mut node, mut gap, mut last_node) = (0_usize, 0_usize, 0_usize);
        let mut before: Option<u32> = None;
        for token in &tokens {
            let increment =
                before.map_or(token.position + 1, |position| token.position.saturating_sub(position)) as usize;
            if increment == 0 {
                node = node.saturating_sub(gap);
            } else {
                node += usize::from(before.is_some());
                gap = increment - 1;
            }
            let end = node + token.position_length.max(1) as usize + gap;
            last_node = last_node.max(end);
            edges.push((node, end));
            node += gap;
            before = Some(token.position);
        }
        let mut leaving = vec![Vec::new(); last_node + 1];
        for (at, &(start, _)) in edges.iter().enumerate() {
            if let Some(leaving) = leaving.get_mut(start) {
                leaving.push(at);
            }
        }
        Self { tokens, edges, leaving, last_node, is_graph }
    }

    /// Whether a token spans several positions.
    pub fn is_graph(&self) -> bool {
        self.is_graph
    }

    /// The tokens, in the order of the stream.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The parts of a query, in order. `None` when a part has more than 1024 ways through it.
    pub fn steps(&self) -> Option<Vec<GraphStep>> {
        let mut steps = Vec::new();
        let cuts = self.cut_nodes();
        for pair in cuts.windows(2) {
            let &[from, to] = pair else { continue };
            let leaving = self.leaving(from);
            if leaving.is_empty() {
                continue;
            }
            if leaving.iter().all(|&edge| self.edges.get(edge).is_some_and(|&(_, end)| end == to)) {
                steps.push(GraphStep::Terms(
                    leaving.iter().filter_map(|&edge| self.tokens.get(edge).cloned()).collect(),
                ));
            } else {
                steps.push(GraphStep::Paths(self.paths_between(from, to)?));
            }
        }
        Some(steps)
    }

    /// Every way from the first token to the end. `None` when there are more than 1024.
    pub fn paths(&self) -> Option<Vec<Vec<Token>>> {
        if self.tokens.is_empty() { Some(Vec::new()) } else { self.paths_between(0, self.last_node) }
    }

    fn leaving(&self, node: usize) -> &[usize] {
        self.leaving.get(node).map_or(&[], Vec::as_slice)
    }

    /// Nodes from which the end can be reached.
    fn is_live(&self) -> Vec<bool> {
        let mut live = vec![false; self.last_node + 1];
        if let Some(last) = live.last_mut() {
            *last = true;
        }
        for node in (0..self.last_node).rev() {
            let reaches = self
                .leaving(node)
                .iter()
                .any(|&edge| self.edges.get(edge).and_then(|&(_, end)| live.get(end)).copied().unwrap_or(false));
            if let Some(here) = live.get_mut(node) {
                *here = reaches;
            }
        }
        live
    }

    /// The nodes that every path meets, the first and the last among them.
    fn cut_nodes(&self) -> Vec<usize> {
        let live = self.is_live();
        let is_live = |node: usize| live.get(node).copied().unwrap_or(false);
        let mut reached = vec![false; self.last_node + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        let mut covered_until = 0;
        let mut cuts = Vec::new();
        for node in 0..=self.last_node {
            if !is_live(node) || !reached.get(node).copied().unwrap_or(false) {
                continue;
            }
            if covered_until <= node {
                cuts.push(node);
            }
            for &edge in self.leaving(node) {
                let Some(&(_, end)) = self.edges.get(edge) else { continue };
                if is_live(end) {
                    covered_until = covered_until.max(end);
                    if let Some(reached) = reached.get_mut(end) {
                        *reached = true;
                    }
                }
            }
        }
        cuts
    }

    fn paths_between(&self, from: usize, to: usize) -> Option<Vec<Vec<Token>>> {
        let live = self.is_live();
        let mut paths = Vec::new();
        let mut open: Vec<(usize, Vec<usize>)> = vec![(from, Vec::new())];
        while let Some((node, path)) = open.pop() {
            if node == to {
                if paths.len() == MAX_PATHS {
                    return None;
                }
                paths.push(self.path_tokens(&path));
                continue;
            }
            // The last way is tried last: a stack gives them back in reverse.
            for &edge in self.leaving(node).iter().rev() {
                let Some(&(_, end)) = self.edges.get(edge) else { continue };
                if end <= to && live.get(end).copied().unwrap_or(false) {
                    let mut longer = path.clone();
                    longer.push(edge);
                    open.push((end, longer));
                }
            }
            if open.len() > MAX_PATHS * 4 {
                return None;
            }
        }
        Some(paths)
    }

    /// A path's tokens as a stream of their own: positions count the path's tokens and the holes before them.
    fn path_tokens(&self, path: &[usize]) -> Vec<Token> {
        let mut position = 0;
        let mut tokens = Vec::with_capacity(path.len());
        for (at, &edge) in path.iter().enumerate() {
            let (Some(token), Some(&(start, end))) = (self.tokens.get(edge), self.edges.get(edge)) else { continue };
            if at > 0 {
                let hole = (end - start).saturating_sub(token.position_length.max(1) as usize);
                position += 1 + u32::try_from(hole).unwrap_or(0);
            }
            tokens.push(Token { position, position_length: 1, ..token.clone() });
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(term: &str, position: u32, position_length: u32) -> Token {
        Token { term: term.to_string(), position, position_length, start: 0, end: 0 }
    }

    fn words(tokens: &[Token]) -> String {
        let words: Vec<String> = tokens.iter().map(|token| format!("{}@{}", token.term, token.position)).collect();
        words.join(" ")
    }

    fn print(steps: &[GraphStep]) -> Vec<String> {
        steps
            .iter()
            .map(|step| match step {
                GraphStep::Terms(terms) => terms.iter().map(|term| term.term.clone()).collect::<Vec<_>>().join("|"),
                GraphStep::Paths(paths) => {
                    format!("({})", paths.iter().map(|path| words(path)).collect::<Vec<_>>().join(" | "))
                }
            })
            .collect()
    }

    #[test]
    fn a_synonym_of_several_words_is_a_way_beside_the_word() {
        let graph = TokenGraph::new(vec![
            token("the", 0, 1),
            token("domain", 1, 1),
            token("dns", 1, 3),
            token("name", 2, 1),
            token("system", 3, 1),
            token("works", 4, 1),
        ]);
        assert!(graph.is_graph());
        assert_eq!(print(&graph.steps().unwrap()), ["the", "(domain@0 name@1 system@2 | dns@0)", "works"]);
        assert_eq!(graph.paths().unwrap().len(), 2);
    }

    #[test]
    fn words_of_one_place_are_synonyms_and_holes_stay_before_their_word() {
        let graph = TokenGraph::new(vec![token("quick", 1, 1), token("fast", 1, 1), token("fox", 3, 1)]);
        assert!(!graph.is_graph());
        assert_eq!(print(&graph.steps().unwrap()), ["quick|fast", "fox"]);
        assert_eq!(words(&graph.paths().unwrap()[1]), "fast@0 fox@2");
        assert_eq!(TokenGraph::new(Vec::new()).steps().unwrap(), []);
    }

    #[test]
    fn too_many_ways_are_refused() {
        let tokens: Vec<Token> =
            (0..24).flat_map(|at| [token("a", 2 * at, 2), token("b", 2 * at, 1), token("c", 2 * at + 1, 1)]).collect();
        let graph = TokenGraph::new(tokens);
        assert_eq!(graph.steps().unwrap().len(), 24);
        assert!(graph.paths().is_none());
    }
}
