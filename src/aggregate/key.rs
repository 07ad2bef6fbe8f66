//! Keys of buckets, comparable and mergeable.

use std::cmp::Ordering;

/// The key of a bucket. Ordered as buckets are: numbers by value, texts by their bytes, combinations part by part.
#[derive(Debug, Clone)]
pub enum Key {
    /// A whole number, a boolean (0, 1), a date (milliseconds since 1970).
    Long(i64),
    /// A whole number of 0 and above.
    Unsigned(u64),
    /// A number.
    Double(f64),
    /// An address.
    Ip(u128),
    /// A text.
    Text(String),
    /// A combination; a part may be null.
    Tuple(Vec<Option<Key>>),
    /// The place of a range or a filter in the request.
    Place(usize),
}

impl Key {
    fn rank(&self) -> u8 {
        match self {
            Key::Long(_) | Key::Unsigned(_) | Key::Double(_) => 0,
            Key::Ip(_) => 1,
            Key::Text(_) => 2,
            Key::Tuple(_) => 3,
            Key::Place(_) => 4,
        }
    }

    /// The number that it is, for pipelines and orders.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Key::Long(value) => Some(*value as f64),
            Key::Unsigned(value) => Some(*value as f64),
            Key::Double(value) => Some(*value),
            Key::Ip(_) | Key::Text(_) | Key::Tuple(_) | Key::Place(_) => None,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Key::Long(left), Key::Long(right)) => left.cmp(right),
            (Key::Unsigned(left), Key::Unsigned(right)) => left.cmp(right),
            (Key::Double(left), Key::Double(right)) => left.total_cmp(right),
            (Key::Long(left), Key::Unsigned(right)) => i128::from(*left).cmp(&i128::from(*right)),
            (Key::Unsigned(left), Key::Long(right)) => i128::from(*left).cmp(&i128::from(*right)),
            (Key::Ip(left), Key::Ip(right)) => left.cmp(right),
            (Key::Text(left), Key::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            (Key::Tuple(left), Key::Tuple(right)) => left.cmp(right),
            (Key::Place(left), Key::Place(right)) => left.cmp(right),
            (left, right) => match (left.as_f64(), right.as_f64()) {
                (Some(left), Some(right)) => left.total_cmp(&right),
                _ => left.rank().cmp(&right.rank()),
            },
        }
    }
}

/// A number as a whole one of the same order; [`double_of`] takes it back. Negative zero becomes zero.
pub(super) fn sortable(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits().cast_signed();
    bits ^ ((bits >> 63) & i64::MAX)
}

/// The number that [`sortable`] was made of.
pub(super) fn double_of(sortable: i64) -> f64 {
    f64::from_bits((sortable ^ ((sortable >> 63) & i64::MAX)).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sortable_numbers_keep_order_and_value(left in any::<f64>(), right in any::<f64>()) {
            prop_assume!(!left.is_nan() && !right.is_nan());
            prop_assert_eq!(double_of(sortable(left)), left);
            if left < right {
                prop_assert!(sortable(left) < sortable(right));
            }
        }
    }

    #[test]
    fn numbers_of_different_types_compare_by_value() {
        assert!(Key::Long(2) < Key::Double(2.5));
        assert!(Key::Long(-1) < Key::Unsigned(0));
        assert_eq!(Key::Long(3), Key::Double(3.0));
        assert!(Key::Tuple(vec![None, Some(Key::Long(1))]) < Key::Tuple(vec![Some(Key::Long(0)), None]));
    }
}
