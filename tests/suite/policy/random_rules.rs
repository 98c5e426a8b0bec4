//! The decision against a naive one, on random rules and grants.

use std::collections::HashSet;

use grpc_auth::policy::{AccessRule, MethodPolicy, ScopeExpr, ServicePolicy, authorize};
use grpc_auth::testing::principal;
use grpc_auth::{DenialReason, Principal, Scope};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const NAMES: [&str; 6] = ["a", "b", "c", "ab", "A", "a:b"];

/// The reader's idea of an expression: booleans, no borrowed slices, no principal.
#[derive(Clone, Debug)]
enum Naive {
    Has(usize),
    Every(Vec<Naive>),
    Some(Vec<Naive>),
}

impl Naive {
    fn holds(&self, grants: &HashSet<usize>) -> bool {
        match self {
            Self::Has(name) => grants.contains(name),
            Self::Every(parts) => {
                parts.iter().filter(|part| part.holds(grants)).count() == parts.len()
            }
            Self::Some(parts) => parts.iter().filter(|part| part.holds(grants)).count() > 0,
        }
    }

    fn rule(&self) -> ScopeExpr {
        let rules = |parts: &[Self]| -> &'static [ScopeExpr] {
            parts.iter().map(Self::rule).collect::<Vec<_>>().leak()
        };
        match self {
            Self::Has(name) => ScopeExpr::Scope(Scope::from_static(NAMES[*name])),
            Self::Every(parts) => ScopeExpr::All(rules(parts)),
            Self::Some(parts) => ScopeExpr::Any(rules(parts)),
        }
    }

    /// The same expression in more parentheses: every part in a group of its own.
    fn parenthesized(&self) -> Self {
        let wrap = |parts: &[Self]| parts.iter().map(Self::parenthesized).collect();
        Self::Every(vec![Self::Some(vec![match self {
            Self::Has(name) => Self::Has(*name),
            Self::Every(parts) => Self::Every(wrap(parts)),
            Self::Some(parts) => Self::Some(wrap(parts)),
        }])])
    }

    /// The same expression in fewer parentheses: groups of one kind inside each other made one.
    fn flattened(&self) -> Self {
        match self {
            Self::Has(name) => Self::Has(*name),
            Self::Every(parts) => Self::Every(
                parts
                    .iter()
                    .flat_map(|part| match part.flattened() {
                        Self::Every(inner) => inner,
                        other => vec![other],
                    })
                    .collect(),
            ),
            Self::Some(parts) => Self::Some(
                parts
                    .iter()
                    .flat_map(|part| match part.flattened() {
                        Self::Some(inner) => inner,
                        other => vec![other],
                    })
                    .collect(),
            ),
        }
    }
}

fn expressions() -> impl Strategy<Value = Naive> {
    let leaf = (0..NAMES.len()).prop_map(Naive::Has);
    leaf.prop_recursive(3, 8, 3, |inner| {
        let parts = prop::collection::vec(inner, 1..4);
        prop_oneof![parts.clone().prop_map(Naive::Every), parts.prop_map(Naive::Some)]
    })
}

fn decide(rule: ScopeExpr, caller: &Principal) -> Result<(), DenialReason> {
    let entries = vec![MethodPolicy::new("M", AccessRule::RequireScopes(rule))].leak();
    let entry = ServicePolicy::new("a.B", entries).entry("M").unwrap();
    match authorize(entry, Some(caller)) {
        Ok(permit) => {
            assert_eq!(permit.entry(), entry);
            Ok(())
        }
        Err(denied) => {
            assert_eq!(denied, DenialReason::ScopeInsufficient(entry));
            Err(denied)
        }
    }
}

#[test]
fn the_decision_agrees_with_a_naive_one_whatever_the_parentheses() {
    let mut runner =
        TestRunner::new(Config { cases: 100_000, failure_persistence: None, ..Config::default() });
    let grants = prop::collection::hash_set(0..NAMES.len(), 0..NAMES.len());
    let mut verdicts = [0_usize; 2];
    let counted = std::cell::RefCell::new(&mut verdicts);
    runner
        .run(&(expressions(), grants), |(expression, grants)| {
            let caller = principal(grants.iter().map(|name| NAMES[*name]));
            let expected = expression.holds(&grants);
            for same in [expression.clone(), expression.parenthesized(), expression.flattened()] {
                prop_assert_eq!(decide(same.rule(), &caller).is_ok(), expected);
            }
            counted.borrow_mut()[usize::from(expected)] += 1;
            Ok(())
        })
        .unwrap();
    assert!(verdicts.iter().all(|count| *count > 10_000), "both verdicts are common: {verdicts:?}");
}

#[test]
fn what_a_refusal_discloses_is_sufficient() {
    let mut runner =
        TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() });
    runner
        .run(&expressions(), |expression| {
            let rule = expression.rule();
            let scopes: Vec<_> = rule.sufficient_scopes().iter().map(|s| s.as_str()).collect();
            let caller = principal(scopes.iter().copied());
            prop_assert!(decide(rule, &caller).is_ok(), "{rule} by {scopes:?}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_empty_group_lets_nobody_in() {
    let caller = principal(NAMES);
    assert!(decide(ScopeExpr::All(&[]), &caller).is_err());
    assert!(decide(ScopeExpr::Any(&[]), &caller).is_err());
    assert!(decide(ScopeExpr::Any(&[ScopeExpr::All(&[])]), &caller).is_err());
}
