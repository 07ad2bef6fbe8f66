//! What a measure is called: trec_eval's names (`ndcg_cut_10`, `P_5`, `map`) and ir_measures' (`nDCG@10`, `P(rel=2)@5`, `AP`).

use std::borrow::Cow;
use std::num::NonZeroU32;

use super::Formula;
use crate::error::{Error, Result};

/// The persistence of rank-biased precision where none is written: ir_measures' default.
const DEFAULT_PERSISTENCE: f64 = 0.8;

/// The measures there are, for messages.
pub(super) const KNOWN: &str = "there are nDCG, nDCG@k, P@k, R@k, AP, AP@k, RR, RR@k, Bpref, Rprec, Success@k, RBP(p=0.8), \
                                Judged@k and IPrec@recall, with (rel=2) where grades below 2 do not count; or, as trec_eval \
                                names them, ndcg_cut_k, P_k, recall_k, map, map_cut_k, recip_rank, success_k, iprec_at_recall_r";

/// trec_eval's families with a number after `_` (or `.`), and what they are here.
const FAMILIES: [(&str, &str); 6] = [
    ("ndcg_cut", "ndcg"),
    ("map_cut", "ap"),
    ("iprec_at_recall", "iprec"),
    ("success", "success"),
    ("recall", "r"),
    ("p", "p"),
];

/// The names of a list with commas; commas within parentheses do not count.
pub(super) fn split_list(list: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let names = list.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    names.map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// The measures that one name of a list stands for.
pub(super) fn expand(name: &str) -> Vec<Cow<'_, str>> {
    if name.eq_ignore_ascii_case("iprec") || name.eq_ignore_ascii_case("iprec_at_recall") {
        return (0..=10).map(|tenth| Cow::from(format!("iprec@{}", f64::from(tenth) / 10.0))).collect();
    }
    vec![Cow::from(name)]
}

/// A name taken apart.
struct Parts<'a> {
    base: &'a str,
    params: &'a str,
    cutoff: Option<&'a str>,
}

fn take_apart(name: &str) -> Option<Parts<'_>> {
    for (family, base) in FAMILIES {
        let Some(number) = name.strip_prefix(family).and_then(|rest| rest.strip_prefix(['_', '.'])) else { continue };
        if number.starts_with(|letter: char| letter.is_ascii_digit()) {
            return Some(Parts { base, params: "", cutoff: Some(number) });
        }
    }
    let (name, cutoff) = match name.rsplit_once('@') {
        Some((name, cutoff)) => (name, Some(cutoff)),
        None => (name, None),
    };
    match name.split_once('(') {
        Some((base, params)) => Some(Parts { base, params: params.strip_suffix(')')?, cutoff }),
        None => Some(Parts { base: name, params: "", cutoff }),
    }
}

/// The formula of a name in lower case.
///
/// # Errors
/// `InvalidInput` that says what of the name is wrong and lists the measures there are.
pub(super) fn parse(name: &str) -> Result<Formula> {
    let wrong = |what: &str| Error::invalid_input(format!("measure {name:?} {what}; {KNOWN}"));
    let parts = take_apart(name).ok_or_else(|| wrong("lacks a closing parenthesis"))?;
    let mut rel = None;
    let mut persistence = None;
    for param in parts.params.split(',').map(str::trim).filter(|param| !param.is_empty()) {
        match param.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("rel", value)) => {
                let grade = value.parse::<i32>().ok().filter(|&grade| grade >= 1);
                rel = Some(grade.ok_or_else(|| wrong("has a rel that is no whole number from 1"))?);
            }
            Some(("p", value)) => {
                let share = value.parse::<f64>().ok().filter(|share| (0.0..1.0).contains(share));
                persistence = Some(share.ok_or_else(|| wrong("has a p that is not within 0 and 1"))?);
            }
            Some(_) | None => return Err(wrong(&format!("has the unknown parameter {param:?}"))),
        }
    }
    let cutoff = || -> Result<Option<NonZeroU32>> {
        let parse =
            |text: &str| text.parse::<NonZeroU32>().map_err(|_| wrong("has a cutoff that is no whole number from 1"));
        parts.cutoff.map(parse).transpose()
    };
    let needed = || -> Result<NonZeroU32> { cutoff()?.ok_or_else(|| wrong("needs a cutoff, as in P@10")) };
    let rel_or_1 = rel.unwrap_or(1);
    let formula = match parts.base {
        "ndcg" => Formula::Ndcg { k: cutoff()? },
        "p" | "precision" => Formula::Precision { rel: rel_or_1, k: needed()? },
        "r" | "recall" => Formula::Recall { rel: rel_or_1, k: needed()? },
        "ap" | "map" => Formula::AveragePrecision { rel: rel_or_1, k: cutoff()? },
        "rr" | "mrr" | "recip_rank" => Formula::ReciprocalRank { rel: rel_or_1, k: cutoff()? },
        "bpref" => Formula::Bpref { rel: rel_or_1 },
        "rprec" => Formula::RPrecision { rel: rel_or_1 },
        "success" => Formula::Success { rel: rel_or_1, k: needed()? },
        "rbp" => {
            let persistence = persistence.take().unwrap_or(DEFAULT_PERSISTENCE);
            Formula::RankBiasedPrecision { rel: rel_or_1, persistence, k: cutoff()? }
        }
        "judged" => Formula::Judged { k: cutoff()? },
        "iprec" => {
            let recall = parts.cutoff.and_then(|text| text.parse().ok()).filter(|recall| (0.0..=1.0).contains(recall));
            let recall = recall.ok_or_else(|| wrong("needs a recall from 0 to 1, as in IPrec@0.1"))?;
            Formula::InterpolatedPrecision { rel: rel_or_1, recall }
        }
        _ => return Err(wrong("is unknown")),
    };
    let takes_rel = !matches!(formula, Formula::Ndcg { .. } | Formula::Judged { .. });
    if rel.is_some() && !takes_rel {
        return Err(wrong("takes no rel"));
    }
    if persistence.is_some() {
        return Err(wrong("takes no p"));
    }
    let takes_cutoff = !matches!(formula, Formula::Bpref { .. } | Formula::RPrecision { .. });
    if parts.cutoff.is_some() && !takes_cutoff {
        return Err(wrong("takes no cutoff"));
    }
    Ok(formula)
}

/// The name as ir_measures spells it.
pub(super) fn label(formula: &Formula) -> String {
    let (base, rel) = match *formula {
        Formula::Ndcg { .. } => ("nDCG", 1),
        Formula::Precision { rel, .. } => ("P", rel),
        Formula::Recall { rel, .. } => ("R", rel),
        Formula::AveragePrecision { rel, .. } => ("AP", rel),
        Formula::ReciprocalRank { rel, .. } => ("RR", rel),
        Formula::Bpref { rel } => ("Bpref", rel),
        Formula::RPrecision { rel } => ("Rprec", rel),
        Formula::Success { rel, .. } => ("Success", rel),
        Formula::RankBiasedPrecision { rel, .. } => ("RBP", rel),
        Formula::Judged { .. } => ("Judged", 1),
        Formula::InterpolatedPrecision { rel, .. } => ("IPrec", rel),
    };
    let mut params = Vec::new();
    if let Formula::RankBiasedPrecision { persistence, .. } = formula {
        params.push(format!("p={persistence}"));
    }
    if rel != 1 {
        params.push(format!("rel={rel}"));
    }
    let params = if params.is_empty() { String::new() } else { format!("({})", params.join(",")) };
    let cutoff = match formula {
        Formula::InterpolatedPrecision { recall, .. } => format!("@{recall}"),
        Formula::Ndcg { .. }
        | Formula::Precision { .. }
        | Formula::Recall { .. }
        | Formula::AveragePrecision { .. }
        | Formula::ReciprocalRank { .. }
        | Formula::Bpref { .. }
        | Formula::RPrecision { .. }
        | Formula::Success { .. }
        | Formula::RankBiasedPrecision { .. }
        | Formula::Judged { .. } => formula.cutoff().map(|k| format!("@{k}")).unwrap_or_default(),
    };
    format!("{base}{params}{cutoff}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Measure;
    use super::*;

    #[test]
    fn both_grammars_name_the_same_formula() {
        let pairs = [
            ("ndcg", "nDCG"),
            ("ndcg_cut_10", "nDCG@10"),
            ("ndcg_cut.10", "nDCG@10"),
            ("P_5", "P@5"),
            ("precision@5", "P@5"),
            ("recall_100", "R@100"),
            ("Recall@100", "R@100"),
            ("map", "AP"),
            ("map_cut_30", "AP@30"),
            ("MAP@30", "AP@30"),
            ("recip_rank", "RR"),
            ("MRR@10", "RR@10"),
            ("bpref", "Bpref"),
            ("Rprec", "Rprec"),
            ("success_10", "Success@10"),
            ("rbp", "RBP(p=0.8)"),
            ("RBP(rel=2, p=0.95)@20", "RBP(p=0.95,rel=2)@20"),
            ("judged@10", "Judged@10"),
            ("p( rel = 2 )@5", "P(rel=2)@5"),
            ("iprec_at_recall_0.10", "IPrec@0.1"),
        ];
        for (written, label) in pairs {
            let measure: Measure = written.parse().unwrap();
            assert_eq!(measure.label(), label, "{written}");
            assert_eq!(measure.name(), written.to_ascii_lowercase());
        }
    }

    #[test]
    fn what_is_no_measure_is_refused_with_the_reason() {
        let cases = [
            ("ndgc@10", "is unknown"),
            ("", "is unknown"),
            ("p", "needs a cutoff"),
            ("p@0", "whole number from 1"),
            ("ndcg@-1", "whole number from 1"),
            ("ndcg@ten", "whole number from 1"),
            ("ndcg(rel=2)@10", "takes no rel"),
            ("p(rel=0)@5", "rel that is no whole number from 1"),
            ("ap(p=0.5)", "takes no p"),
            ("rbp(p=1)", "not within 0 and 1"),
            ("rbp(p=0.5", "closing parenthesis"),
            ("p(judged_only=true)@5", "unknown parameter"),
            ("bpref@10", "takes no cutoff"),
            ("iprec@2", "recall from 0 to 1"),
            ("success_", "is unknown"),
        ];
        for (name, reason) in cases {
            let error = name.parse::<Measure>().unwrap_err().to_string();
            assert!(error.contains(reason), "{name}: {error}");
            assert!(error.contains("nDCG@k"), "{name}: {error}");
        }
    }

    #[test]
    fn lists_are_split_outside_parentheses_and_iprec_is_eleven() {
        let names = |list: &str| -> Vec<String> {
            Measure::parse_list(list).unwrap().iter().map(|measure| measure.name().to_string()).collect()
        };
        assert_eq!(names(" ndcg@10, RBP(p=0.5,rel=2) ,map,,map"), ["ndcg@10", "rbp(p=0.5,rel=2)", "map"]);
        let eleven = names("iprec");
        assert_eq!((eleven.len(), eleven[0].as_str(), eleven[10].as_str()), (11, "iprec@0", "iprec@1"));
        assert!(Measure::parse_list(" , ").unwrap_err().to_string().contains("no measure"));
    }

    fn formulas() -> impl Strategy<Value = Formula> {
        let k = (1..5000_u32).prop_map(|k| NonZeroU32::new(k).unwrap());
        (0..11, 1..5_i32, k, any::<bool>(), 0.0..0.999_f64).prop_map(|(which, rel, k, cut, share)| {
            let some_k = cut.then_some(k);
            match which {
                0 => Formula::Ndcg { k: some_k },
                1 => Formula::Precision { rel, k },
                2 => Formula::Recall { rel, k },
                3 => Formula::AveragePrecision { rel, k: some_k },
                4 => Formula::ReciprocalRank { rel, k: some_k },
                5 => Formula::Bpref { rel },
                6 => Formula::RPrecision { rel },
                7 => Formula::Success { rel, k },
                8 => Formula::RankBiasedPrecision { rel, persistence: share, k: some_k },
                9 => Formula::Judged { k: some_k },
                _ => Formula::InterpolatedPrecision { rel, recall: share },
            }
        })
    }

    proptest! {
        #[test]
        fn a_printed_measure_reads_as_itself(formula in formulas()) {
            let label = label(&formula);
            let measure: Measure = label.parse().unwrap();
            prop_assert_eq!(measure.formula, formula);
            prop_assert_eq!(measure.label(), label);
            let again: Measure = measure.to_string().parse().unwrap();
            prop_assert_eq!(again, measure);
        }

        #[test]
        fn no_name_makes_the_parser_panic(name in "[a-zA-Z_@(),.=0-9 é-]{0,24}") {
            let outcome = Measure::parse_list(&name);
            prop_assert!(outcome.is_err() || !outcome.unwrap().is_empty());
        }
    }
}
