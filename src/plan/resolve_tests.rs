//! Tests of [`super`]: defaults filled, contradictions named.

use super::*;
use crate::error::ErrorKind;

fn context() -> PlanContext {
    PlanContext {
        lexical_fields: ["title", "title.english", "body", "tags"].map(String::from).to_vec(),
        default_lexical_fields: ["title", "body"].map(String::from).to_vec(),
        dense_fields: vec![DenseField { name: "body_vectors".into(), embeds_queries: true }],
        default_dense_field: None,
        default_cross_encoder: Some("tiny".into()),
    }
}

fn resolve(json: &str) -> Result<ResolvedPlan> {
    serde_json::from_str::<Plan>(json).unwrap().resolve(&context())
}

fn weights(plan: &ResolvedPlan) -> Vec<f64> {
    plan.legs.iter().map(|leg| leg.weight).collect()
}

#[test]
fn the_hybrid_plan_is_z_scores_of_a_hundred_each() {
    let plan = Plan::named("hybrid").unwrap().resolve(&context()).unwrap();
    assert_eq!(weights(&plan), [0.4, 0.6]);
    assert_eq!(
        plan.legs.iter().map(|leg| (leg.name.as_str(), leg.depth)).collect::<Vec<_>>(),
        [("lexical", 100), ("dense", 100)]
    );
    assert_eq!(plan.fusion, Some(ResolvedFusion::WeightedSum { normalizer: Normalizer::ZScore }));
    assert_eq!((plan.size, plan.offset, plan.rerank), (10, 0, None));
    let plan = resolve(r#"{"legs": [{"lexical": {}}, {"dense": {}}], "rerank": {}}"#).unwrap();
    assert_eq!(plan.fusion, Some(ResolvedFusion::WeightedSum { normalizer: Normalizer::ZScore }));
    let rerank = plan.rerank.unwrap();
    assert_eq!((rerank.model.as_str(), rerank.rerank_depth, rerank.passages), ("tiny", 50, 1));
    assert_eq!((rerank.weight, rerank.budget), (None, None));
}

#[test]
fn one_leg_keeps_its_own_scores_unless_fusion_is_asked_for() {
    assert_eq!(Plan::named("lexical").unwrap().resolve(&context()).unwrap().fusion, None);
    assert!(resolve(r#"{"legs": [{"dense": {}}], "fusion": {"rrf": {}}}"#).unwrap().fusion.is_some());
}

#[test]
fn weights_default_to_the_kinds_share_and_to_one_for_ranks() {
    let plan = resolve(r#"{"legs": [{"lexical": {}}, {"dense": {}}, {"dense": {"exact": true}}]}"#).unwrap();
    assert_eq!(weights(&plan), [0.4, 0.3, 0.3]);
    assert_eq!(plan.legs[2].name, "dense-2");
    let plan = resolve(r#"{"legs": [{"lexical": {}}, {"dense": {}}], "fusion": {"rrf": {}}}"#).unwrap();
    assert_eq!(weights(&plan), [1.0, 1.0]);
    let plan = resolve(r#"{"legs": [{"dense": {}}, {"dense": {"weight": 2}}]}"#).unwrap();
    assert_eq!(weights(&plan), [1.0, 2.0]);
}

#[test]
fn depths_follow_the_window_unless_they_are_written() {
    let plan = resolve(r#"{"legs": [{"lexical": {"depth": 7}}, {"dense": {}}], "size": 300, "offset": 40}"#).unwrap();
    assert_eq!(plan.legs.iter().map(|leg| leg.depth).collect::<Vec<_>>(), [7, 340]);
    assert_eq!(plan.window(), 340);
    let ResolvedLegKind::Dense(dense) = &plan.legs[1].kind else { panic!("a dense leg") };
    assert_eq!((dense.field.as_str(), dense.num_candidates, dense.exact), ("body_vectors", 510, false));
    let plan = resolve(r#"{"legs": [{"dense": {"depth": 10000}}, {"dense": {"depth": 5}}]}"#).unwrap();
    let num_candidates: Vec<_> = plan
        .legs
        .iter()
        .map(|leg| match &leg.kind {
            ResolvedLegKind::Dense(dense) => dense.num_candidates,
            ResolvedLegKind::Lexical(_) => panic!("a dense leg"),
        })
        .collect();
    assert_eq!(num_candidates, [10_000, 100]);
}

#[test]
fn rrf_dialects_have_their_own_constants_and_windows() {
    let check = |rrf: &str, constant: u32, window: Option<usize>| {
        let plan = resolve(&format!(r#"{{"legs": [{{"lexical": {{}}}}], "fusion": {{"rrf": {rrf}}}, "size": 20}}"#));
        let Some(ResolvedFusion::Rrf(rrf)) = plan.unwrap().fusion else { panic!("rank fusion") };
        assert_eq!((rrf.rank_constant, rrf.rank_window_size), (constant, window));
    };
    check("{}", 60, None);
    check(r#"{"dialect": "zero_based"}"#, 60, None);
    check(r#"{"dialect": "qdrant"}"#, 2, None);
    check(r#"{"dialect": "elasticsearch"}"#, 60, Some(20));
    check(r#"{"dialect": "elasticsearch", "rank_window_size": 50, "rank_constant": 1}"#, 1, Some(50));
}

#[test]
fn fields_take_boosts_and_stars() {
    let fields = |json: &str| {
        let plan = resolve(&format!(r#"{{"legs": [{{"lexical": {{"fields": {json}}}}}]}}"#)).unwrap();
        let ResolvedLegKind::Lexical(lexical) = &plan.legs[0].kind else { panic!("a lexical leg") };
        lexical.fields.iter().map(|field| format!("{}^{}", field.field, field.boost)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(fields(r#"["title^2", "body"]"#), "title^2 body^1");
    assert_eq!(fields(r#"["title^3", "t*^.5"]"#), "title^3 title.english^0.5 tags^0.5");
    assert_eq!(fields(r#"["*"]"#), "title^1 title.english^1 body^1 tags^1");
    assert_eq!(fields("null"), "title^1 body^1");
}

#[test]
fn stars_stand_for_any_text() {
    for (pattern, name, expect) in [
        ("a*c", "abc", true),
        ("a*c", "ac", true),
        ("a*c", "acb", false),
        ("a*", "a", true),
        ("*b*", "abc", true),
        ("a*b*c", "axbyc", true),
        ("a*a", "a", false),
        ("", "a", false),
        ("*", "", true),
        ("a**", "ab", true),
    ] {
        assert_eq!(fits(pattern, name), expect, "{pattern} {name}");
    }
}

#[test]
fn re_ranking_without_retrieval_takes_what_the_caller_brings() {
    let plan = resolve(r#"{"rerank": {"model": "mine", "weight": 0.5, "budget_ms": 20}}"#).unwrap();
    let rerank = plan.rerank.unwrap();
    assert!(plan.legs.is_empty() && plan.fusion.is_none());
    assert_eq!((rerank.rerank_depth, rerank.budget), (MAX_DEPTH, Some(Duration::from_millis(20))));
}

#[test]
fn contradictions_are_named_where_they_stand() {
    let two = r#"{"lexical": {}}, {"dense": {}}"#;
    let check = |json: &str, field: &str, word: &str| {
        let error = resolve(json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPlan, "{error}");
        assert_eq!(error.location().field.as_deref(), Some(field), "{error}");
        assert!(error.message().contains(word), "{error}");
    };
    check("{}", "legs", "empty");
    check(r#"{"legs": [], "fusion": {"rrf": {}}, "rerank": {}}"#, "fusion", "no legs");
    check(r#"{"legs": [{"lexical": {}}, {"dense": {"depth": 0}}]}"#, "legs[1].dense.depth", "is 0");
    check(r#"{"legs": [{"lexical": {"depth": 10001}}]}"#, "legs[0].lexical.depth", "10000");
    check(r#"{"legs": [{"lexical": {"weight": -0.1}}]}"#, "legs[0].lexical.weight", "-0.1");
    check(r#"{"legs": [{"lexical": {"weight": 0}}, {"dense": {"weight": 0}}]}"#, "legs", "weight 0");
    check(r#"{"legs": [{"lexical": {"k1": -1}}]}"#, "legs[0].lexical.k1", "-1");
    check(r#"{"legs": [{"lexical": {"b": 1.5}}]}"#, "legs[0].lexical.b", "1.5");
    check(r#"{"legs": [{"lexical": {"fields": ["titel"]}}]}"#, "legs[0].lexical.fields[0]", "title");
    check(r#"{"legs": [{"lexical": {"fields": ["title", "body^x"]}}]}"#, "legs[0].lexical.fields[1]", "boost");
    check(r#"{"legs": [{"lexical": {"fields": ["title^0"]}}]}"#, "legs[0].lexical.fields[0]", "above 0");
    check(r#"{"legs": [{"lexical": {"fields": []}}]}"#, "legs[0].lexical.fields", "empty");
    check(r#"{"legs": [{"dense": {"field": "title"}}]}"#, "legs[0].dense.field", "body_vectors");
    check(r#"{"legs": [{"dense": {"num_candidates": 50}}]}"#, "legs[0].dense.num_candidates", "less than");
    check(r#"{"legs": [{"dense": {"name": "a"}}, {"dense": {"name": "a"}}]}"#, "legs[1].dense.name", "earlier");
    check(r#"{"legs": [{"dense": {"depth": 50}}], "size": 50, "offset": 1}"#, "size", "up to 51");
    check(&format!(r#"{{"legs": [{two}], "size": 10000, "offset": 1}}"#), "offset", "10001");
    check(&format!(r#"{{"legs": [{two}], "size": 10001}}"#), "size", "10001");
    check(&format!(r#"{{"legs": [{two}], "rerank": {{"rerank_depth": 201}}}}"#), "rerank.rerank_depth", "200");
    check(&format!(r#"{{"legs": [{two}], "rerank": {{"rerank_depth": 0}}}}"#), "rerank.rerank_depth", "is 0");
    check(&format!(r#"{{"legs": [{two}], "rerank": {{"budget_ms": 0}}}}"#), "rerank.budget_ms", "at least 1");
    check(&format!(r#"{{"legs": [{two}], "rerank": {{"weight": 0}}}}"#), "rerank.weight", "above 0");
    check(&format!(r#"{{"legs": [{two}], "rerank": {{"passages": 0}}}}"#), "rerank.passages", "is 0");
    check(&format!(r#"{{"legs": [{two}], "rerank": {{"min_score": 2}}}}"#), "rerank.min_score", "0 to 1");
    check(
        &format!(r#"{{"legs": [{two}], "fusion": {{"rrf": {{"rank_constant": 0}}}}}}"#),
        "fusion.rrf.rank_constant",
        "is 0",
    );
    check(
        &format!(r#"{{"legs": [{two}], "fusion": {{"rrf": {{"rank_window_size": 9}}}}}}"#),
        "fusion.rrf.rank_window_size",
        "size + offset",
    );
    check(&format!(r#"{{"legs": [{two}], "filter": " "}}"#), "filter", "empty");
    check(&format!(r#"{{"legs": [{two}], "name": "my plan"}}"#), "name", "space");
}

#[test]
fn not_a_number_is_refused() {
    let mut plan = Plan::named("hybrid").unwrap();
    plan.legs[1] = Leg::Dense(DenseLeg { weight: Some(f64::NAN), ..DenseLeg::default() });
    assert_eq!(plan.resolve(&context()).unwrap_err().location().field.as_deref(), Some("legs[1].dense.weight"));
    let plan = Plan { min_score: Some(f64::NAN), ..Plan::named("lexical").unwrap() };
    assert_eq!(plan.resolve(&context()).unwrap_err().location().field.as_deref(), Some("min_score"));
}

#[test]
fn what_the_index_lacks_is_said() {
    let check = |name: &str, context: &PlanContext, field: &str| {
        let error = Plan::named(name).unwrap().resolve(context).unwrap_err();
        assert_eq!((error.kind(), error.location().field.as_deref()), (ErrorKind::InvalidPlan, Some(field)), "{error}");
    };
    check("hybrid", &PlanContext { dense_fields: vec![], ..context() }, "legs[1].dense");
    check("hybrid", &PlanContext { lexical_fields: vec![], ..context() }, "legs[0].lexical");
    check("hybrid-rerank", &PlanContext { default_cross_encoder: None, ..context() }, "rerank.model");
    let mut two_fields = context();
    two_fields.dense_fields.push(DenseField { name: "title_vectors".into(), embeds_queries: false });
    check("dense", &two_fields, "legs[0].dense.field");
    two_fields.default_dense_field = Some("title_vectors".into());
    assert!(Plan::named("dense").unwrap().resolve(&two_fields).is_ok());
}
