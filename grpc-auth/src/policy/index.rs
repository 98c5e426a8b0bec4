//! From the path of a call to the row that decides it.

use std::collections::HashMap;

use super::table::{Row, ServicePolicy};

/// The rows of one or more services by path.
#[derive(Debug)]
pub(crate) struct PolicyIndex {
    services: HashMap<&'static str, Service>,
}

#[derive(Debug)]
struct Service {
    rows: HashMap<&'static str, Row>,
    guarded: bool,
}

/// What the policies say of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// This row decides.
    Row(Row),
    /// No row, but the service's methods have guards: a valid token, then the guard.
    Guarded,
    /// Nothing says who may call it, so nobody may.
    Unknown,
}

impl PolicyIndex {
    /// # Errors
    /// The name of a service that two policies claim: which of them decides would be a guess.
    pub(crate) fn new(
        policies: impl IntoIterator<Item = ServicePolicy>,
    ) -> Result<Self, &'static str> {
        let mut index = Self { services: HashMap::new() };
        for policy in policies {
            let service = Service::new(policy, false);
            if index.services.insert(policy.service(), service).is_some() {
                return Err(policy.service());
            }
        }
        Ok(index)
    }

    pub(crate) fn single(policy: ServicePolicy) -> Self {
        Self { services: HashMap::from([(policy.service(), Service::new(policy, false))]) }
    }

    /// For a service that is known to have a guard in every method.
    pub(crate) fn guarded(policy: ServicePolicy) -> Self {
        Self { services: HashMap::from([(policy.service(), Service::new(policy, true))]) }
    }

    /// Matches the path of the URI and nothing else: method, query and content type get no
    /// exemption, since tonic serves them all.
    pub(crate) fn find(&self, path: &str) -> Match {
        let Some((service, rpc)) = path.strip_prefix('/').and_then(|path| path.split_once('/'))
        else {
            return Match::Unknown;
        };
        match self.services.get(service) {
            Some(service) => match service.rows.get(rpc) {
                Some(row) => Match::Row(*row),
                None if service.guarded => Match::Guarded,
                None => Match::Unknown,
            },
            None => Match::Unknown,
        }
    }
}

impl Service {
    fn new(policy: ServicePolicy, guarded: bool) -> Self {
        Self { rows: policy.rows().map(|row| (row.rpc(), row)).collect(), guarded }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AccessRule, MethodPolicy};
    use super::*;

    const ROWS: &[MethodPolicy] = &[MethodPolicy::new("Get", AccessRule::Authenticated)];

    #[test]
    fn a_path_is_matched_byte_for_byte() {
        let policy = ServicePolicy::new("a.B", ROWS);
        let row = Match::Row(policy.row("Get").unwrap());
        let by_hand = PolicyIndex::single(policy);
        let guarded = PolicyIndex::guarded(policy);

        for (path, expected) in [
            ("/a.B/Get", row),
            ("/a.B/get", Match::Guarded),
            ("/a.B/Get/", Match::Guarded),
            ("/a.B/%47et", Match::Guarded),
            ("//a.B/Get", Match::Unknown),
            ("/a.C/Get", Match::Unknown),
            ("a.B/Get", Match::Unknown),
            ("/a.B", Match::Unknown),
            ("/", Match::Unknown),
            ("*", Match::Unknown),
            ("", Match::Unknown),
        ] {
            assert_eq!(guarded.find(path), expected, "{path}");
            let without_guards = if expected == row { row } else { Match::Unknown };
            assert_eq!(by_hand.find(path), without_guards, "{path}");
        }
    }

    #[test]
    fn two_policies_cannot_decide_on_one_service() {
        let policy = ServicePolicy::new("a.B", ROWS);
        assert_eq!(PolicyIndex::new([policy, policy]).unwrap_err(), "a.B");
    }
}
