//! From the path of a call to the row that decides it.

use std::cmp::Ordering;

use http::Uri;

use super::table::{Row, ServicePolicy};

/// The rows of one or more services by path.
#[derive(Debug)]
pub(crate) struct PolicyIndex {
    /// Sorted by the length of the path, then by the path: a few comparisons, most of them of
    /// numbers, find it sooner than a hash is computed.
    rows: Box<[(Box<str>, Row)]>,
    /// `/service/` of the services that are known to have a guard in every method.
    guarded: Box<[Box<str>]>,
}

/// What the policies say of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// This row decides.
    Row(Row),
    /// No row, but the service's methods have guards: a valid token, then the guard.
    Guarded,
    /// No entry says who may call it: the call is rejected.
    Unknown,
    /// The path has a query, which the path of a gRPC method never has: the call is rejected. A proxy
    /// that authorizes by the whole `:path` sees another path than tonic, which routes without the
    /// query.
    Query,
}

impl PolicyIndex {
    /// # Errors
    /// The name of a service that two policies claim: which of them decides would be a guess.
    pub(crate) fn new(
        policies: impl IntoIterator<Item = ServicePolicy>,
    ) -> Result<Self, &'static str> {
        let mut services = Vec::new();
        let mut rows = Vec::new();
        for policy in policies {
            if services.contains(&policy.service()) {
                return Err(policy.service());
            }
            services.push(policy.service());
            rows.extend(rows_of(policy));
        }
        Ok(Self::of(rows, Box::default()))
    }

    pub(crate) fn single(policy: ServicePolicy) -> Self {
        Self::of(rows_of(policy).collect(), Box::default())
    }

    /// For a service that is known to have a guard in every method.
    pub(crate) fn guarded(policy: ServicePolicy) -> Self {
        let prefix = format!("/{}/", policy.service()).into();
        Self::of(rows_of(policy).collect(), Box::new([prefix]))
    }

    fn of(mut rows: Vec<(Box<str>, Row)>, guarded: Box<[Box<str>]>) -> Self {
        rows.sort_by(|(one, _), (other, _)| by_length(one, other));
        Self { rows: rows.into(), guarded }
    }

    /// Matches the path of the URI: HTTP method and content type get no exemption, since tonic serves
    /// them all. A fragment cannot stand here: `http::Uri` has none, h2 drops it when it reads
    /// `:path`.
    pub(crate) fn find(&self, uri: &Uri) -> Match {
        self.find_with_place(uri).0
    }

    /// The same, with the place of the row among [`rows`](Self::rows).
    #[inline]
    pub(crate) fn find_with_place(&self, uri: &Uri) -> (Match, usize) {
        if uri.query().is_some() {
            return (Match::Query, self.rows.len());
        }
        self.find_path(uri.path())
    }

    fn find_path(&self, path: &str) -> (Match, usize) {
        match self.rows.binary_search_by(|(own, _)| by_length(own, path)) {
            Ok(place) => {
                let row = self.rows.get(place);
                (row.map_or(Match::Unknown, |(_, row)| Match::Row(*row)), place)
            }
            Err(place) if self.guarded.iter().any(|prefix| path.starts_with(&**prefix)) => {
                (Match::Guarded, place)
            }
            Err(place) => (Match::Unknown, place),
        }
    }

    /// Whether every method of every service is known to have a guard.
    pub(crate) fn are_guarded(&self) -> bool {
        !self.guarded.is_empty()
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().map(|(_, row)| *row)
    }
}

fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn rows_of(policy: ServicePolicy) -> impl Iterator<Item = (Box<str>, Row)> {
    policy.rows().map(|row| (format!("/{}/{}", row.service(), row.rpc()).into(), row))
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
            assert_eq!(guarded.find_path(path).0, expected, "{path}");
            let without_guards = if expected == row { row } else { Match::Unknown };
            assert_eq!(by_hand.find_path(path).0, without_guards, "{path}");
        }
    }

    #[test]
    fn a_path_with_a_query_matches_nothing() {
        let policy = ServicePolicy::new("a.B", ROWS);
        let row = Match::Row(policy.row("Get").unwrap());
        let (by_hand, guarded) = (PolicyIndex::single(policy), PolicyIndex::guarded(policy));
        for (uri, expected) in [
            ("/a.B/Get", row),
            ("http://a.example/a.B/Get", row),
            ("/a.B/Get?", Match::Query),
            ("/a.B/Get?x", Match::Query),
            ("/a.B/Other?/a.B/Get", Match::Query),
            ("http://a.example/a.B/Get?x=1", Match::Query),
            ("/?/a.B/Get", Match::Query),
            // `http::Uri` has no fragment.
            ("/a.B/Get#x", row),
            ("/a.B/Get#x?y", row),
            ("/a.B/Get?#", Match::Query),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(guarded.find(&uri), expected, "{uri}");
            assert_eq!(by_hand.find(&uri), expected, "{uri}");
        }
    }

    #[test]
    fn two_policies_cannot_decide_on_one_service() {
        let policy = ServicePolicy::new("a.B", ROWS);
        assert_eq!(PolicyIndex::new([policy, policy]).unwrap_err(), "a.B");
    }
}
