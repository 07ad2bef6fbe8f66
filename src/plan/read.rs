//! Plans from text and files: JSON or YAML, one plan or a map of named ones.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::types::{Fusion, Leg, Plan, Rerank};
use crate::error::{Error, ErrorKind, Result};

impl Plan {
    /// Finds a plan by what a user types: a name ([`Plan::NAMES`]), a file with one plan (`plan.yaml`), one of a file's
    /// plans (`plans.yaml#mine`), or the plan itself as JSON (`{"legs": [...]}`).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such name or file, [`ErrorKind::InvalidPlan`] when it does not parse or the file
    /// has several plans and none is chosen.
    pub fn parse(name_or_path: &str) -> Result<Plan> {
        if let Some(plan) = Plan::named(name_or_path) {
            return Ok(plan);
        }
        if name_or_path.trim_start().starts_with('{') {
            return Plan::from_text(name_or_path, "plan")?.into_iter().next().ok_or_else(empty_file);
        }
        let (path, wanted) = match name_or_path.rsplit_once('#') {
            Some((path, wanted)) if !Path::new(name_or_path).exists() => (path, Some(wanted)),
            _ => (name_or_path, None),
        };
        if !Path::new(path).exists() {
            let known = Plan::NAMES.join(", ");
            return Err(Error::not_found(format!(
                "there is no plan or file {path:?}; the plans are {known}, or give a JSON or YAML file"
            )));
        }
        choose(Plan::from_file(path)?, wanted).map_err(|error| error.in_file(path))
    }

    /// The plans of a JSON or YAML file, in its order: one plan, which is called after the file unless it says its name, or a
    /// map from names to plans.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPlan`] with the file and the part that does not parse; the file system's errors.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Vec<Plan>> {
        let path = path.as_ref();
        let text = fs_err::read_to_string(path)?;
        let stem = path.file_stem().map_or("plan".into(), |stem| stem.to_string_lossy());
        Plan::from_text(&text, &stem).map_err(|error| error.in_file(path))
    }

    /// The plans of a JSON or YAML text; a single plan without a name is called `default_name`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPlan`] with the part that does not parse.
    pub fn from_text(text: &str, default_name: &str) -> Result<Vec<Plan>> {
        // Every JSON text is YAML too, but serde_json says better where a JSON text is broken.
        let value: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|source| broken("JSON", source))?
        } else {
            serde_norway::from_str(text).map_err(|source| broken("YAML", source))?
        };
        let Value::Object(map) = &value else {
            return Err(Error::invalid_plan("a plan is an object with `legs`, or a map from names to such objects"));
        };
        let single = match one_plan(&value) {
            Ok(mut plan) => {
                plan.name.get_or_insert_with(|| default_name.to_string());
                return Ok(vec![plan]);
            }
            Err(error) => error,
        };
        if map.is_empty() || !map.values().all(Value::is_object) {
            return Err(single);
        }
        let looks_single = map.keys().all(|key| matches!(key.as_str(), "fusion" | "rerank"));
        let plans: Result<Vec<Plan>> = map
            .iter()
            .map(|(name, value)| {
                let mut plan = one_plan(value).map_err(|error| inside(name, &error))?;
                plan.name.get_or_insert_with(|| name.clone());
                Ok(plan)
            })
            .collect();
        plans.map_err(|error| if looks_single { single } else { error })
    }
}

/// One plan out of a value; the error names the part as `legs[1]`.
fn one_plan(value: &Value) -> Result<Plan> {
    Plan::deserialize(value).map_err(|source| {
        let error = Error::invalid_plan(source.to_string()).with_source(source);
        match broken_part(value) {
            Some(part) => error.in_field(part),
            None => error,
        }
    })
}

/// Which part of a plan does not parse, as far as trying them one by one tells.
fn broken_part(value: &Value) -> Option<String> {
    let legs = value.get("legs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let leg = legs.iter().position(|leg| Leg::deserialize(leg).is_err()).map(|idx| format!("legs[{idx}]"));
    let fails = |key: &str, parses: fn(&Value) -> bool| {
        value.get(key).filter(|part| !part.is_null() && !parses(part)).map(|_| key.to_string())
    };
    leg.or_else(|| fails("fusion", |part| Fusion::deserialize(part).is_ok()))
        .or_else(|| fails("rerank", |part| Rerank::deserialize(part).is_ok()))
}

fn inside(name: &str, error: &Error) -> Error {
    let field = error.location().field.as_deref().map_or(name.to_string(), |field| format!("{name}.{field}"));
    Error::new(error.kind(), error.message()).in_field(field)
}

fn choose(plans: Vec<Plan>, wanted: Option<&str>) -> Result<Plan> {
    let names: Vec<String> = plans.iter().filter_map(|plan| plan.name.clone()).collect();
    let num_plans = plans.len();
    let mut fitting = plans.into_iter().filter(|plan| wanted.is_none_or(|wanted| plan.name.as_deref() == Some(wanted)));
    match (fitting.next(), wanted) {
        (Some(plan), _) if num_plans == 1 || wanted.is_some() => Ok(plan),
        (Some(_), _) => Err(Error::invalid_plan(format!(
            "has {num_plans} plans; choose one with FILE#NAME, where NAME is {}",
            names.join(", ")
        ))),
        (None, Some(wanted)) => {
            Err(Error::not_found(format!("has no plan {wanted:?}; its plans are {}", names.join(", "))))
        }
        (None, None) => Err(empty_file()),
    }
}

fn empty_file() -> Error {
    Error::invalid_plan("has no plan; write one with `legs`, or a map from names to plans")
}

fn broken(format: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidPlan, format!("is not {format}: {source}")).with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::types::{DenseLeg, LexicalLeg, Normalizer, RrfDialect};

    const YAML: &str = "
wide:
  legs:
    - lexical: {depth: 500, weight: 0.3, fields: [title^2, text], operator: and}
    - dense: {field: body, num_candidates: 800, exact: true}
  fusion: {weighted_sum: {normalizer: min_max}}
ranks:
  legs: [{lexical: {}}, {dense: {}}]
  fusion: {rrf: {dialect: qdrant}}
  rerank: {rerank_depth: 20, weight: null}
";

    #[test]
    fn a_yaml_map_gives_its_plans_in_order() {
        let plans = Plan::from_text(YAML, "file").unwrap();
        assert_eq!(plans.iter().filter_map(|plan| plan.name.as_deref()).collect::<Vec<_>>(), ["wide", "ranks"]);
        let Some(Fusion::WeightedSum(sum)) = &plans[0].fusion else { panic!("a weighted sum") };
        assert_eq!(sum.normalizer, Some(Normalizer::MinMax));
        let Leg::Dense(dense) = &plans[0].legs[1] else { panic!("a dense leg") };
        assert!(dense.exact && dense.num_candidates == Some(800));
        let Some(Fusion::Rrf(rrf)) = &plans[1].fusion else { panic!("rank fusion") };
        assert_eq!(rrf.dialect, Some(RrfDialect::Qdrant));
        assert_eq!(plans[1].rerank.as_ref().unwrap().weight, None);
    }

    #[test]
    fn one_plan_is_called_after_its_file_unless_it_says_its_name() {
        let plans = Plan::from_text(r#"{"legs": [{"dense": {}}]}"#, "mine").unwrap();
        assert_eq!(plans[0].name.as_deref(), Some("mine"));
        let plans = Plan::from_text("name: other\nlegs: []\n", "mine").unwrap();
        assert_eq!(plans[0].name.as_deref(), Some("other"));
        assert_eq!(Plan::parse(r#"{"legs": [{"dense": {}}]}"#).unwrap().name.as_deref(), Some("plan"));
    }

    #[test]
    fn a_plan_may_be_called_like_a_part_of_a_plan() {
        let plans = Plan::from_text(r#"{"rerank": {"legs": [{"dense": {}}]}}"#, "file").unwrap();
        assert_eq!(plans[0].name.as_deref(), Some("rerank"));
    }

    #[test]
    fn what_does_not_parse_is_named() {
        let check = |text: &str, field: Option<&str>, word: &str| {
            let error = Plan::from_text(text, "file").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPlan, "{error}");
            assert_eq!(error.location().field.as_deref(), field, "{error}");
            assert!(error.message().contains(word), "{error}");
        };
        check(r#"{"legs": [{"lexical": {}}, {"dense": {"dpeth": 3}}]}"#, Some("legs[1]"), "dpeth");
        check(r#"{"legs": [{"sparse": {}}]}"#, Some("legs[0]"), "sparse");
        check(r#"{"legs": [], "fusion": {"rrf": {"k": 60}}}"#, Some("fusion"), "rank_constant");
        check(r#"{"rerank": {"weight": "much"}}"#, Some("rerank"), "much");
        check("a: {legs: [{lexical: {}}]}\nb: {legs: [{lexical: {depth: -1}}]}\n", Some("b.legs[0]"), "-1");
        check(r#"{"legs": [{"dense": {"#, None, "EOF");
        check("[1, 2]", None, "object");
        check("legs: {{", None, "YAML");
        check(r#"{"siez": 3}"#, None, "siez");
    }

    #[test]
    fn names_files_and_parts_of_files_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let many = folder.path().join("plans.yaml");
        fs_err::write(&many, YAML).unwrap();
        let one = folder.path().join("mine.json");
        fs_err::write(&one, r#"{"legs": [{"lexical": {}}]}"#).unwrap();
        assert_eq!(Plan::parse("hybrid").unwrap(), Plan::named("hybrid").unwrap());
        assert_eq!(Plan::parse(one.to_str().unwrap()).unwrap().name.as_deref(), Some("mine"));
        let chosen = format!("{}#ranks", many.display());
        assert_eq!(Plan::parse(&chosen).unwrap().name.as_deref(), Some("ranks"));

        let error = Plan::parse(many.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("plans.yaml: has 2 plans; choose one with FILE#NAME"), "{error}");
        let error = Plan::parse(&format!("{}#x", many.display())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = Plan::parse("hybird").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("hybrid-rerank"), "{error}");
    }

    #[test]
    fn a_plan_survives_being_written_and_read() {
        for plan in
            Plan::from_text(YAML, "file").unwrap().into_iter().chain(Plan::NAMES.iter().filter_map(|n| Plan::named(n)))
        {
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(Plan::from_text(&text, "file").unwrap(), [plan]);
        }
        let text = serde_json::to_string(&Plan {
            legs: vec![Leg::Lexical(LexicalLeg::default()), Leg::Dense(DenseLeg::default())],
            ..Plan::default()
        });
        assert_eq!(text.unwrap(), r#"{"legs":[{"lexical":{}},{"dense":{}}]}"#);
    }
}
