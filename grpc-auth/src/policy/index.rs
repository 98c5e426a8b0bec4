//! From the path of a call to the entry that decides it.

use std::cmp::Ordering;

use http::Uri;

use super::rpc_name::likeness;
use super::service_policy::{PolicyEntry, ServicePolicy};

const HAS_QUERY: &str = "the call's `:path` has a query (`?`), which the path of a gRPC method never \
     has: let the client send `/package.Service/Method` alone";

/// The entries of one or more services by path.
#[derive(Debug)]
pub(crate) struct PolicyIndex {
    /// Sorted by the length of the path, then by the path: a few comparisons, most of them of
    /// numbers, find it sooner than a hash is computed.
    entries: Box<[(Box<str>, PolicyEntry)]>,
    /// The entries whose RPC name was derived from the method's Rust name: the path, its method name
    /// without `_` and in lower case, and the place in `entries`. Sorted by the path.
    derived: Box<[(Box<str>, usize)]>,
    /// Whether every method of every service is known to have a guard.
    are_guarded: bool,
}

impl PolicyIndex {
    /// # Errors
    /// The name of a service that two policies claim: which of them decides would be a guess.
    pub(crate) fn new(
        policies: impl IntoIterator<Item = ServicePolicy>,
    ) -> Result<Self, &'static str> {
        let mut services = Vec::new();
        let mut entries = Vec::new();
        for policy in policies {
            if services.contains(&policy.service()) {
                return Err(policy.service());
            }
            services.push(policy.service());
            entries.extend(entries_of(policy));
        }
        Ok(Self::of(entries).matching_derived_names())
    }

    /// For a service that may have methods without a guard: each path is matched exactly, since no
    /// guard would notice a method that another entry was matched for.
    pub(crate) fn single(policy: ServicePolicy) -> Self {
        Self::of(entries_of(policy).collect())
    }

    /// For a service that is known to have a guard in every method.
    pub(crate) fn guarded(policy: ServicePolicy) -> Self {
        let index = Self::of(entries_of(policy).collect()).matching_derived_names();
        Self { are_guarded: true, ..index }
    }

    fn of(mut entries: Vec<(Box<str>, PolicyEntry)>) -> Self {
        entries.sort_by(|(one, _), (other, _)| by_length(one, other));
        Self { entries: entries.into(), derived: Box::default(), are_guarded: false }
    }

    fn matching_derived_names(self) -> Self {
        let derived = self.entries.iter().enumerate().filter(|(_, (_, entry))| entry.is_derived());
        let mut derived: Vec<(Box<str>, usize)> = derived
            .map(|(place, (path, _))| (normalized(path).map(char::from).collect(), place))
            .collect();
        derived.sort();
        Self { derived: derived.into(), ..self }
    }

    /// The entry that decides on a call. The path of the URI is matched: HTTP method and content type
    /// get no exemption, since tonic serves them all. A path with a query matches nothing: no gRPC
    /// method has one, and a proxy that authorizes by the whole `:path` sees another path than tonic,
    /// which routes without the query. A fragment cannot stand here: `http::Uri` has none, h2 drops
    /// it when it reads `:path`.
    pub(crate) fn find(&self, uri: &Uri) -> Option<PolicyEntry> {
        Some(self.find_with_place(uri)?.0)
    }

    /// The same, with the place of the entry among [`entries`](Self::entries).
    #[inline]
    pub(crate) fn find_with_place(&self, uri: &Uri) -> Option<(PolicyEntry, usize)> {
        if uri.query().is_some() {
            return None;
        }
        self.find_path(uri.path())
    }

    fn find_path(&self, path: &str) -> Option<(PolicyEntry, usize)> {
        match self.entries.binary_search_by(|(own, _)| by_length(own, path)) {
            Ok(place) => self.entries.get(place).map(|(_, entry)| (*entry, place)),
            Err(_) => self.find_derived(path),
        }
    }

    /// The entry whose method has the Rust name that tonic makes of this path: `/a.B/GetURL` is
    /// served by `get_url`, from which `GetUrl` was derived.
    #[inline(never)]
    fn find_derived(&self, path: &str) -> Option<(PolicyEntry, usize)> {
        let place =
            self.derived.binary_search_by(|(own, _)| own.bytes().cmp(normalized(path))).ok()?;
        let (_, place) = self.derived.get(place)?;
        self.entries.get(*place).map(|(_, entry)| (*entry, *place))
    }

    /// Says why no entry has this path, and what to write: the cause in the log.
    #[cold]
    pub(crate) fn explain_miss(&self, uri: &Uri) -> String {
        match uri.query() {
            Some(_) => HAS_QUERY.into(),
            None => self.explain_path(uri.path()),
        }
    }

    fn explain_path(&self, path: &str) -> String {
        let (service, rpc) = path.rsplit_once('/').unwrap_or(("", path));
        let service = service.strip_prefix('/').unwrap_or_default();
        let mut own = self.entries().filter(|entry| entry.service() == service).peekable();
        if own.peek().is_none() {
            return "no policy of this layer is for the path's service: add one".into();
        }
        let rpc = if is_rpc_name(rpc) { rpc } else { ".." };
        let how = format!(
            "`rpc = \"{rpc}\"` in its rule (in a policy written by hand, \
             `MethodPolicy::new(\"{rpc}\", ..)`)"
        );
        let nearest = own
            .map(|entry| (likeness(entry.rpc().as_bytes(), rpc.as_bytes()), entry))
            .max_by_key(|(score, _)| *score);
        match nearest {
            Some((score, entry)) if 2 * score >= rpc.len().max(entry.rpc().len()) => format!(
                "no entry of the policy has this path; the nearest is `{}`: if its method serves \
                 this RPC, write {how}",
                entry.rpc()
            ),
            _ => format!(
                "no entry of the policy has this path: if a method of the service serves this \
                 RPC, write {how}"
            ),
        }
    }

    /// Whether every method of every service is known to have a guard.
    pub(crate) fn are_guarded(&self) -> bool {
        self.are_guarded
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = PolicyEntry> {
        self.entries.iter().map(|(_, entry)| *entry)
    }
}

fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

fn entries_of(policy: ServicePolicy) -> impl Iterator<Item = (Box<str>, PolicyEntry)> {
    policy.entries().map(|entry| (format!("/{}/{}", entry.service(), entry.rpc()).into(), entry))
}

/// A path, its method name without `_` and in lower case: tonic makes Rust names of RPC names by
/// inserting `_` and changing case, and nothing else.
fn normalized(path: &str) -> impl Iterator<Item = u8> {
    let (service, rpc) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
    let rpc = rpc.bytes().filter(|byte| *byte != b'_').map(|byte| byte.to_ascii_lowercase());
    service.bytes().chain(rpc)
}

/// Fit for the log, and to be written into a rule.
fn is_rpc_name(rpc: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=100).contains(&rpc.len()) && rpc.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rule::AccessRule;
    use crate::policy::service_policy::MethodPolicy;

    const ENTRIES: &[MethodPolicy] = &[MethodPolicy::new("Get", AccessRule::Authenticated)];

    /// One derived name, and one that was written.
    const DERIVED: &[MethodPolicy] = &[
        MethodPolicy::annotated(0, "GetUrl", AccessRule::Authenticated).derived(),
        MethodPolicy::annotated(1, "Put_It", AccessRule::Authenticated),
    ];

    fn entry(index: &PolicyIndex, path: &str) -> Option<PolicyEntry> {
        index.find_path(path).map(|(entry, _)| entry)
    }

    #[test]
    fn a_path_with_a_query_matches_nothing() {
        let policy = ServicePolicy::new("a.B", ENTRIES);
        let get = policy.entry("Get");
        let (by_hand, guarded) = (PolicyIndex::single(policy), PolicyIndex::guarded(policy));
        for (uri, expected) in [
            ("/a.B/Get", get),
            ("http://a.example/a.B/Get", get),
            ("/a.B/Get?", None),
            ("/a.B/Get?x", None),
            ("/a.B/Other?/a.B/Get", None),
            ("http://a.example/a.B/Get?x=1", None),
            ("/?/a.B/Get", None),
            // `http::Uri` has no fragment.
            ("/a.B/Get#x", get),
            ("/a.B/Get#x?y", get),
            ("/a.B/Get?#", None),
        ] {
            let uri = uri.parse().unwrap();
            assert_eq!(guarded.find(&uri), expected, "{uri}");
            assert_eq!(by_hand.find(&uri), expected, "{uri}");
            if uri.query().is_some() {
                assert!(guarded.explain_miss(&uri).contains("has a query (`?`)"), "{uri}");
            }
        }
    }

    #[test]
    fn a_path_is_matched_byte_for_byte() {
        let policy = ServicePolicy::new("a.B", ENTRIES);
        for index in [PolicyIndex::single(policy), PolicyIndex::guarded(policy)] {
            assert_eq!(entry(&index, "/a.B/Get"), policy.entry("Get"));
            for path in [
                "/a.B/get",
                "/a.B/Get/",
                "/a.B/%47et",
                "//a.B/Get",
                "/a.C/Get",
                "a.B/Get",
                "/a.B",
                "/",
                "*",
                "",
            ] {
                assert_eq!(entry(&index, path), None, "{path}");
            }
        }
    }

    #[test]
    fn a_derived_name_matches_without_underscores_and_case_and_a_written_one_exactly() {
        let policy = ServicePolicy::annotated("a.B", DERIVED);
        let index = PolicyIndex::guarded(policy);
        let [derived, written] = ["GetUrl", "Put_It"].map(|rpc| policy.entry(rpc));
        for (path, expected) in [
            ("/a.B/GetUrl", derived),
            ("/a.B/GetURL", derived),
            ("/a.B/get_url", derived),
            ("/a.B/_getURL_", derived),
            ("/a.B/GetUrls", None),
            ("/a.B/GetUr", None),
            ("/a.B/", None),
            // Of the service's name every byte counts.
            ("/a.b/GetURL", None),
            ("/a_.B/GetURL", None),
            ("/A.B/GetUrl", None),
            ("/a.B/x/GetURL", None),
            ("GetURL", None),
            ("/a.B/Put_It", written),
            ("/a.B/PutIt", None),
            ("/a.B/put_it", None),
        ] {
            assert_eq!(entry(&index, path), expected, "{path}");
            let place = index.find_path(path).map(|(_, place)| index.entries().nth(place));
            assert_eq!(place, expected.map(Some), "{path}");
        }
        let layer = PolicyIndex::new([policy]).unwrap();
        assert_eq!(entry(&layer, "/a.B/GetURL"), derived);
        // Without guards a path is matched exactly.
        let unguarded = PolicyIndex::single(policy);
        assert_eq!(entry(&unguarded, "/a.B/GetURL"), None);
        assert_eq!(entry(&unguarded, "/a.B/GetUrl"), derived);
    }

    #[test]
    fn a_written_name_comes_before_a_derived_one() {
        const ENTRIES: &[MethodPolicy] = &[
            MethodPolicy::annotated(0, "GetUrl", AccessRule::AllowUnauthenticated).derived(),
            MethodPolicy::annotated(1, "Get_U_R_L", AccessRule::Authenticated),
        ];
        let policy = ServicePolicy::annotated("a.B", ENTRIES);
        let index = PolicyIndex::guarded(policy);
        assert_eq!(entry(&index, "/a.B/GetURL"), policy.entry("GetUrl"));
        assert_eq!(entry(&index, "/a.B/Get_U_R_L"), policy.entry("Get_U_R_L"));
    }

    #[test]
    fn a_miss_names_the_nearest_entry_and_what_to_write() {
        let index = PolicyIndex::guarded(ServicePolicy::annotated("a.B", DERIVED));
        for (path, expected) in [
            (
                "/a.B/PutIt",
                "the nearest is `Put_It`: if its method serves this RPC, write `rpc = \"PutIt\"`",
            ),
            ("/a.B/FetchUrl", "has this path: if a method of the service serves this RPC"),
            ("/a.B/GetTheUrl", "the nearest is `GetUrl`"),
            ("/a.B/GetUrl\"\n", "write `rpc = \"..\"`"),
            ("/a.B/Other", "no entry of the policy has this path: if a method"),
            ("/a.C/GetUrl", "no policy of this layer is for the path's service: add one"),
            ("", "no policy of this layer is for the path's service: add one"),
        ] {
            let text = index.explain_path(path);
            assert!(text.contains(expected), "{path}: {text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn two_policies_cannot_decide_on_one_service() {
        let policy = ServicePolicy::new("a.B", ENTRIES);
        assert_eq!(PolicyIndex::new([policy, policy]).unwrap_err(), "a.B");
    }
}
