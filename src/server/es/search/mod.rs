//! `_search`, `_msearch`, `_count` and what belongs to them.
