//! Queries into folds.

/// Parts of `0..num_queries`: every query is in exactly one, sizes differ by at most one, each ascending. The same seed gives
/// the same folds. There are never more folds than queries.
pub fn folds(num_queries: usize, num_folds: usize, seed: u64) -> Vec<Vec<usize>> {
    let num_folds = num_folds.clamp(1, num_queries.max(1));
    let mut folds = vec![Vec::new(); num_folds];
    for (place, query) in shuffled(num_queries, seed).into_iter().enumerate() {
        if let Some(fold) = folds.get_mut(place % num_folds) {
            fold.push(query);
        }
    }
    for fold in &mut folds {
        fold.sort_unstable();
    }
    folds
}

/// `0..num_queries` in random order.
pub fn shuffled(num_queries: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..num_queries).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    order
}

/// Those of `0..num_queries` that are not in `held_out`, ascending.
pub fn all_but(num_queries: usize, held_out: &[usize]) -> Vec<usize> {
    let mut is_held_out = vec![false; num_queries];
    for &query in held_out {
        if let Some(place) = is_held_out.get_mut(query) {
            *place = true;
        }
    }
    (0..).zip(is_held_out).filter(|(_, held_out)| !held_out).map(|(query, _)| query).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn folds_partition_the_queries(num_queries in 0..200_usize, num_folds in 0..20_usize, seed: u64) {
            let parts = folds(num_queries, num_folds, seed);
            let mut all: Vec<usize> = parts.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..num_queries).collect::<Vec<_>>());
            let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            prop_assert_eq!(&parts, &folds(num_queries, num_folds, seed));
            for part in &parts {
                let training = all_but(num_queries, part);
                prop_assert_eq!(training.len() + part.len(), num_queries);
                prop_assert!(training.iter().all(|query| !part.contains(query)));
            }
        }
    }

    #[test]
    fn another_seed_gives_other_folds() {
        assert_ne!(folds(100, 5, 1), folds(100, 5, 2));
    }
}
