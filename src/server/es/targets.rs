//! Which indices a request means: names, aliases, wildcards, and the parameters that say what to do with those that are not there.

use std::sync::Arc;

use super::{EsError, EsResult, Params};
use crate::server::state::AppState;
use crate::store::catalog::{IndexHandle, IndicesOptions};

/// The parameters `ignore_unavailable`, `allow_no_indices` and `expand_wildcards`, over an API's defaults.
///
/// # Errors
/// `illegal_argument_exception` for a value that none of them has.
pub fn read_options(params: &Params, defaults: IndicesOptions) -> EsResult<IndicesOptions> {
    let mut options = defaults;
    if let Some(ignore) = params.bool("ignore_unavailable")? {
        options.ignore_unavailable = ignore;
    }
    if let Some(allow) = params.bool("allow_no_indices")? {
        options.allow_no_indices = allow;
    }
    if let Some(states) = params.list("expand_wildcards") {
        (options.expand_open, options.expand_closed, options.expand_hidden) = (false, false, false);
        for state in states {
            match state.as_str() {
                "open" => options.expand_open = true,
                "closed" => options.expand_closed = true,
                "none" => {}
                "hidden" => options.expand_hidden = true,
                "all" => {
                    (options.expand_open, options.expand_closed, options.expand_hidden) = (true, true, true);
                }
                other => return Err(EsError::illegal_argument(format!("No valid expand wildcard value [{other}]"))),
            }
        }
    }
    Ok(options)
}

/// The indices that an expression means, by name.
///
/// # Errors
/// `index_not_found_exception` for a name that is none, unless the options let it pass.
pub fn resolve(app: &AppState, expression: &str, options: IndicesOptions) -> EsResult<Vec<Arc<IndexHandle>>> {
    let resolved = app.catalog.resolve(expression, options)?;
    Ok(resolved.into_iter().map(|resolved| resolved.index).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_over_defaults() {
        let read = |query: &str| read_options(&Params::parse("/x", query), IndicesOptions::default());
        let options = read("ignore_unavailable=true&allow_no_indices=false&expand_wildcards=open,hidden").unwrap();
        assert!(
            options.ignore_unavailable && !options.allow_no_indices && options.expand_open && options.expand_hidden
        );
        assert_eq!(read("").unwrap(), IndicesOptions::default());
        assert!(!read("expand_wildcards=none").unwrap().expand_open);
        let closed = read("expand_wildcards=closed").unwrap();
        assert!(closed.expand_closed && !closed.expand_open);
        assert!(read("expand_wildcards=ajar").unwrap_err().reason.contains("[ajar]"));
    }
}
