//! The table: one entry a method, constant, readable, and the only statement of who may call what.

use serde::Serialize;

use super::rpc_kind::RpcKind;
use super::rule::AccessRule;

/// The rules of one gRPC service.
///
/// All of it is constant data, so that documents, exports and tests read the very table that is
/// enforced. `Display` writes it for people, `serde` for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ServicePolicy {
    service: &'static str,
    methods: &'static [MethodPolicy],
}

/// The rule of one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MethodPolicy {
    rpc: &'static str,
    rule: AccessRule,
    /// What the method's guard asks for beyond the rule.
    #[serde(rename = "require", skip_serializing_if = "<[_]>::is_empty")]
    requirements: &'static [&'static str],
    /// Which method of an annotated impl: a guard asks for its own entry, not for one of its name.
    #[serde(skip)]
    position: usize,
    /// The RPC's name was derived from the method's.
    #[serde(skip)]
    is_derived: bool,
    #[serde(skip)]
    kind: RpcKind,
}

/// One entry of a table together with its service: what [`authorize`](super::authorize) decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyEntry {
    service: &'static str,
    method: &'static MethodPolicy,
}

impl ServicePolicy {
    /// Writes the table of a service that has no guards of its own. A method without an entry is
    /// rejected for every caller.
    ///
    /// `service` is the full name with its package, `grpc.health.v1.Health`.
    ///
    /// # Panics
    /// In a constant, a compile error: a name is empty or holds a slash, a method has two entries, or
    /// has requirements, which only the guard of an annotated method enforces.
    #[must_use]
    pub const fn new(service: &'static str, methods: &'static [MethodPolicy]) -> Self {
        assert!(is_name(service), "a service is named like `package.Service`, without slashes");
        let mut rest = methods;
        while let [method, tail @ ..] = rest {
            assert!(is_name(method.rpc), "a method is named like `GetItem`, without slashes");
            assert!(
                method.requirements.is_empty(),
                "nothing enforces a requirement in a table written by hand: leave it out"
            );
            assert!(find(tail, method.rpc).is_none(), "a method has two entries: keep one of them");
            rest = tail;
        }
        Self { service, methods }
    }

    /// The table that [`#[protect]`](crate::protect) writes; it has checked the names. Writing a
    /// table by hand, use [`new`](Self::new).
    #[must_use]
    pub const fn annotated(service: &'static str, methods: &'static [MethodPolicy]) -> Self {
        Self { service, methods }
    }

    /// The full name of the service.
    #[must_use]
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The entries, in the order of the impl.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = PolicyEntry> + use<> {
        let service = self.service;
        self.methods.iter().map(move |method| PolicyEntry { service, method })
    }

    /// The entry of the named RPC.
    #[must_use]
    pub const fn entry(&self, rpc: &str) -> Option<PolicyEntry> {
        match find(self.methods, rpc) {
            Some(method) => Some(PolicyEntry { service: self.service, method }),
            None => None,
        }
    }

    /// The entry of the method at this position of the annotated impl. `cfg` may have removed entries
    /// before it, so it stands at its position or nearer to the beginning.
    pub(crate) const fn entry_of_method(&self, position: usize) -> Option<PolicyEntry> {
        let mut methods = self.methods;
        if position < methods.len() {
            methods = methods.split_at(position + 1).0;
        }
        while let [head @ .., method] = methods {
            if method.position == position {
                return Some(PolicyEntry { service: self.service, method });
            }
            methods = head;
        }
        None
    }
}

impl MethodPolicy {
    /// Says who may call the RPC of this name, as the `.proto` file spells it. Both of its sides
    /// count as streams, which end when the caller's token expires, until [`kind`](Self::kind) says
    /// otherwise.
    #[must_use]
    pub const fn new(rpc: &'static str, rule: AccessRule) -> Self {
        Self::annotated(0, rpc, rule)
    }

    /// The rule of the method at this position of an annotated impl, as
    /// [`#[protect]`](crate::protect) writes it.
    #[must_use]
    pub const fn annotated(position: usize, rpc: &'static str, rule: AccessRule) -> Self {
        let kind = RpcKind::Bidirectional;
        Self { rpc, rule, requirements: &[], position, is_derived: false, kind }
    }

    /// Says that the RPC's name was derived from the Rust name of its method, as
    /// [`#[protect]`](crate::protect) does without `rpc = ".."`. The entry then also matches the path
    /// whose method name is the same without `_` and case: `GetUrl`, derived from `get_url`, matches
    /// `GetURL`. Under [`protect_with`](crate::ResourceServer::protect_with) names match exactly.
    #[must_use]
    pub const fn derived(self) -> Self {
        Self { is_derived: true, ..self }
    }

    pub(super) const fn rpc(&self) -> &'static str {
        self.rpc
    }

    pub(super) const fn is_derived(&self) -> bool {
        self.is_derived
    }

    /// The same rule for the RPC of exactly this name.
    pub(super) const fn of_rpc(self, rpc: &'static str) -> Self {
        Self { rpc, is_derived: false, ..self }
    }

    /// The texts of the method's [`#[require]`](macro@crate::require)s, as
    /// [`#[protect]`](crate::protect) writes them, so that a reader of the table does not take the
    /// rule for all there is.
    #[must_use]
    pub const fn requiring(self, requirements: &'static [&'static str]) -> Self {
        Self { requirements, ..self }
    }

    /// Says which sides of the RPC are streams; [`#[protect]`](crate::protect) finds it out.
    ///
    /// ```
    /// use grpc_auth::policy::{AccessRule, MethodPolicy, RpcKind, ServicePolicy};
    ///
    /// const HEALTH: ServicePolicy = ServicePolicy::new("grpc.health.v1.Health", &[
    ///     MethodPolicy::new("Check", AccessRule::Authenticated).kind(RpcKind::Unary),
    ///     MethodPolicy::new("Watch", AccessRule::Authenticated).kind(RpcKind::ServerStreaming),
    /// ]);
    /// // A call that is never cut off, and one that ends with its caller's token.
    /// assert_eq!(HEALTH.entry("Check").unwrap().kind(), RpcKind::Unary);
    /// assert_eq!(HEALTH.entry("Watch").unwrap().kind(), RpcKind::ServerStreaming);
    /// ```
    #[must_use]
    pub const fn kind(self, kind: RpcKind) -> Self {
        Self { kind, ..self }
    }
}

impl PolicyEntry {
    /// The full name of the service.
    #[must_use]
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The name of the RPC.
    #[must_use]
    pub const fn rpc(&self) -> &'static str {
        self.method.rpc
    }

    pub(crate) const fn is_derived(&self) -> bool {
        self.method.is_derived
    }

    /// Which of its sides are streams.
    #[must_use]
    pub const fn kind(&self) -> RpcKind {
        self.method.kind
    }

    /// Who may call it.
    #[must_use]
    pub const fn rule(&self) -> &'static AccessRule {
        &self.method.rule
    }

    /// What the method's guard requires beyond the rule, in the words of its
    /// [`#[require]`](macro@crate::require)s; all of them must hold.
    #[must_use]
    pub const fn requirements(&self) -> &'static [&'static str] {
        self.method.requirements
    }
}

const fn find(methods: &'static [MethodPolicy], rpc: &str) -> Option<&'static MethodPolicy> {
    let mut rest = methods;
    while let [method, tail @ ..] = rest {
        if same(method.rpc, rpc) {
            return Some(method);
        }
        rest = tail;
    }
    None
}

const fn is_name(name: &str) -> bool {
    let mut rest = name.as_bytes();
    while let [byte, tail @ ..] = rest {
        if *byte == b'/' || *byte <= b' ' {
            return false;
        }
        rest = tail;
    }
    !name.is_empty()
}

/// `==`, which is not const for `str` yet.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    // From the end: names of one service share beginnings more often than ends.
    while let ([a_head @ .., a_last], [b_head @ .., b_last]) = (a, b) {
        if *a_last != *b_last {
            return false;
        }
        (a, b) = (a_head, b_head);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: ServicePolicy = ServicePolicy::new(
        "a.B",
        &[
            MethodPolicy::new("One", AccessRule::Authenticated),
            MethodPolicy::new("Two", AccessRule::AllowUnauthenticated),
        ],
    );

    #[test]
    fn a_guard_finds_its_own_entry_whatever_entries_are_missing_and_whatever_their_names() {
        const OPEN: AccessRule = AccessRule::AllowUnauthenticated;
        const REST: &[MethodPolicy] = &[
            MethodPolicy::annotated(1, "Get", AccessRule::Authenticated),
            MethodPolicy::annotated(4, "Get", OPEN),
        ];
        let policy = ServicePolicy::annotated("a.B", REST);
        let rule = |position| policy.entry_of_method(position).map(|entry| *entry.rule());
        assert_eq!(rule(1), Some(AccessRule::Authenticated));
        assert_eq!(rule(4), Some(OPEN));
        assert_eq!([0, 2, 3, 5].map(rule), [None; 4]);
    }

    #[test]
    fn entries_of_two_services_and_of_other_rules_differ() {
        const ENTRIES: &[MethodPolicy] = &[MethodPolicy::new("Get", AccessRule::Authenticated)];
        const OPEN: &[MethodPolicy] = &[MethodPolicy::new("Get", AccessRule::AllowUnauthenticated)];
        let entry = |service, methods| ServicePolicy::new(service, methods).entry("Get").unwrap();
        assert_eq!(entry("a.B", ENTRIES), entry("a.B", ENTRIES));
        // The same table in memory, for another service.
        assert_ne!(entry("a.B", ENTRIES), entry("a.C", ENTRIES));
        assert_ne!(entry("a.B", ENTRIES), entry("a.B", OPEN));
    }

    #[test]
    fn a_table_serializes_as_what_it_says() {
        assert_eq!(
            serde_json::to_string(&POLICY).unwrap(),
            r#"{"service":"a.B","methods":[{"rpc":"One","rule":"authenticated"},{"rpc":"Two","rule":"allow_unauthenticated"}]}"#
        );
    }

    #[test]
    fn requirements_stand_in_the_table_for_people_and_for_programs() {
        const METHODS: &[MethodPolicy] = &[
            MethodPolicy::annotated(0, "Get", AccessRule::Authenticated)
                .requiring(&["owns_order", "|claims: &Claims<Staff>, _| claims.staff"]),
            MethodPolicy::annotated(1, "Ping", AccessRule::AllowUnauthenticated),
        ];
        let policy = ServicePolicy::annotated("a.B", METHODS);
        assert_eq!(
            policy.to_string(),
            "a.B\n  Get   authenticated require(owns_order) \
             require(|claims: &Claims<Staff>, _| claims.staff)\n  Ping  allow_unauthenticated\n"
        );
        assert_eq!(
            serde_json::to_string(&policy).unwrap(),
            r#"{"service":"a.B","methods":[{"rpc":"Get","rule":"authenticated","require":["owns_order","|claims: &Claims<Staff>, _| claims.staff"]},{"rpc":"Ping","rule":"allow_unauthenticated"}]}"#
        );
    }

    #[test]
    #[should_panic(expected = "nothing enforces a requirement in a table written by hand")]
    fn a_table_written_by_hand_has_no_requirements() {
        const METHODS: &[MethodPolicy] =
            &[MethodPolicy::new("One", AccessRule::Authenticated).requiring(&["owns_order"])];
        let _ = ServicePolicy::new("a.B", METHODS);
    }

    #[test]
    #[should_panic(expected = "a method has two entries")]
    fn a_method_cannot_have_two_entries() {
        const ENTRY: MethodPolicy = MethodPolicy::new("One", AccessRule::Authenticated);
        let _ = ServicePolicy::new("a.B", &[ENTRY, ENTRY]);
    }

    #[test]
    fn names_are_not_paths() {
        for name in ["a.B", "B", "a_b.C1"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "/a.B", "a.B/", "a B", "a.B\n", "\0"] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
