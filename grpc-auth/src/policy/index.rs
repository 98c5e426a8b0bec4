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
            if index.services.insert(policy.service(), Service::from(policy)).is_some() {
                return Err(policy.service());
            }
        }
        Ok(index)
    }

    pub(crate) fn single(policy: ServicePolicy) -> Self {
        Self { services: HashMap::from([(policy.service(), Service::from(policy))]) }
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

impl From<ServicePolicy> for Service {
    fn from(policy: ServicePolicy) -> Self {
        let rows = policy.rows().map(|row| (row.rpc(), row)).collect();
        Self { rows, guarded: policy.is_guarded() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AccessRule, MethodPolicy};
    use super::*;

    const ROWS: &[MethodPolicy] = &[MethodPolicy::new("Get", AccessRule::Authenticated)];

    #[test]
    fn a_path_is_matched_byte_for_byte() {
        let by_hand = ServicePolicy::new("a.B", ROWS);
        let annotated = ServicePolicy::guarded("a.C", ROWS);
        let index = PolicyIndex::new([by_hand, annotated]).unwrap();
        let row = |policy: ServicePolicy| Match::Row(policy.row("Get").unwrap());

        for (path, expected) in [
            ("/a.B/Get", row(by_hand)),
            ("/a.C/Get", row(annotated)),
            ("/a.B/get", Match::Unknown),
            ("/a.C/get", Match::Guarded),
            ("/a.C/Get/", Match::Guarded),
            ("/a.B/%47et", Match::Unknown),
            ("//a.B/Get", Match::Unknown),
            ("/a.D/Get", Match::Unknown),
            ("a.B/Get", Match::Unknown),
            ("/a.B", Match::Unknown),
            ("/", Match::Unknown),
            ("*", Match::Unknown),
            ("", Match::Unknown),
        ] {
            assert_eq!(index.find(path), expected, "{path}");
        }
    }

    #[test]
    fn two_policies_cannot_decide_on_one_service() {
        let policy = ServicePolicy::new("a.B", ROWS);
        assert_eq!(PolicyIndex::new([policy, policy]).unwrap_err(), "a.B");
    }
}
