//! Names of RPCs out of a `FileDescriptorSet`, read while the user's crate compiles.
//!
//! It walks the protobuf encoding itself: nothing but `const fn` runs at that time. Field numbers
//! are those of `google/protobuf/descriptor.proto`.

#![expect(clippy::panic, reason = "it runs while compiling: a panic is a compile error")]

use super::rpc_name::{is_same, likeness};
use super::service_policy::{MethodPolicy, same};
use text::Text;
use wire::{find_field, next_field};

mod text;
mod wire;

const FILE: u64 = 1;
const FILE_PACKAGE: u64 = 2;
const FILE_SERVICE: u64 = 6;
const SERVICE_NAME: u64 = 1;
const SERVICE_METHOD: u64 = 2;
const METHOD_NAME: u64 = 1;

/// Gives each entry whose name was derived from a Rust name the name of its RPC in the descriptor.
/// An entry without an RPC stays as it is: [`DescriptorCheck`] reports it.
#[must_use]
pub const fn named_by<const N: usize>(
    descriptor: &'static [u8],
    service: &str,
    mut methods: [MethodPolicy; N],
) -> [MethodPolicy; N] {
    let Some(service) = find_service(descriptor, service) else { return methods };
    let mut cursor = service;
    let mut rest: &mut [MethodPolicy] = &mut methods;
    while let [method, tail @ ..] = rest {
        if method.is_derived()
            && let Some((rpc, after)) = find_near(service, cursor, method.rpc(), false)
        {
            cursor = after;
            *method = method.of_rpc(rpc);
        }
        rest = tail;
    }
    methods
}

/// Compares the methods of an impl with a service of a descriptor: each mistake is a compile error
/// of its own, at the method.
#[derive(Debug)]
pub struct DescriptorCheck<const N: usize> {
    name: &'static str,
    /// The `ServiceDescriptorProto`.
    service: &'static [u8],
    methods: &'static [MethodName],
    /// Whether the method at this position has an RPC.
    found: [bool; N],
}

/// The name of a method, from which the RPC's name is derived, or the RPC's name itself.
#[derive(Clone, Copy, Debug)]
pub struct MethodName {
    position: usize,
    name: &'static str,
    is_exact: bool,
}

impl MethodName {
    /// The method at this position of the impl has this Rust name.
    #[must_use]
    pub const fn derived(position: usize, name: &'static str) -> Self {
        Self { position, name, is_exact: false }
    }

    /// The method at this position of the impl has `rpc = ".."`.
    #[must_use]
    pub const fn exact(position: usize, name: &'static str) -> Self {
        Self { position, name, is_exact: true }
    }
}

impl<const N: usize> DescriptorCheck<N> {
    /// `methods` are those that `cfg` left of the `N` methods of the impl.
    ///
    /// # Panics
    /// In a constant, a compile error: the descriptor does not contain the service.
    #[must_use]
    #[track_caller]
    pub const fn new(
        descriptor: &'static [u8],
        name: &'static str,
        methods: &'static [MethodName],
    ) -> Self {
        let Some(service) = find_service(descriptor, name) else {
            let message = Text::new()
                .add("the descriptor does not contain the service `")
                .add(name)
                .add("`\n\nhelp: give `descriptor = ..` the file descriptor set of this service");
            panic!("{}", message.as_str());
        };
        let mut found = [false; N];
        let mut cursor = service;
        let mut rest = methods;
        while let [method, tail @ ..] = rest {
            if let Some((_, after)) = find_near(service, cursor, method.name, method.is_exact) {
                cursor = after;
                if let Some((_, [slot, ..])) = found.split_at_mut_checked(method.position) {
                    *slot = true;
                }
            }
            rest = tail;
        }
        Self { name, service, methods, found }
    }

    /// Checks the method at this position.
    ///
    /// # Panics
    /// In a constant, a compile error: the service has no RPC for it. The message names the RPC
    /// without a method that is most like it.
    #[track_caller]
    pub const fn method(&self, position: usize) {
        let (Some((_, [false, ..])), Some(method)) =
            (self.found.split_at_checked(position), self.at(position))
        else {
            return;
        };
        let text = Text::new()
            .add(if method.is_exact { "the RPC `" } else { "method `" })
            .add(method.name)
            .add("` is not in the service `")
            .add(self.name);
        let text = match self.nearest_rpc(method) {
            Some(rpc) => text
                .add("` of the descriptor, and its RPC `")
                .add(rpc)
                .add("` has no method\n\nhelp: if this method serves it, write `rpc = \"")
                .add(rpc)
                .add("\"` in its rule"),
            None => text.add(
                "` of the descriptor, and every RPC there has a method\n\nhelp: remove the method, \
                 or compile the descriptor again from the `.proto` file",
            ),
        };
        panic!("{}", text.as_str());
    }

    /// Checks that every RPC has a method.
    ///
    /// # Panics
    /// In a constant, a compile error that names the RPCs without a method, except for those that
    /// the message of a method names.
    #[track_caller]
    pub const fn rpcs(&self) {
        let mut missing = Text::new();
        let mut rest = self.service;
        while let Some((rpc, tail)) = next_rpc(rest) {
            rest = tail;
            if !self.has_method(rpc) && !self.is_named_at_a_method(rpc) {
                let separator = if missing.is_empty() { "`" } else { "`, `" };
                missing = missing.add(separator).add(rpc);
            }
        }
        if !missing.is_empty() {
            let text = Text::new()
                .add("these RPCs of `")
                .add(self.name)
                .add("` have no method in this impl, so every call of them is rejected: ")
                .add(missing.as_str())
                .add("`\n\nhelp: write the methods, each with its rule");
            panic!("{}", text.as_str());
        }
    }

    /// `cfg` may have removed methods before it, so it stands at its position or nearer to the
    /// beginning.
    const fn at(&self, position: usize) -> Option<MethodName> {
        let mut rest = self.methods;
        while let [head @ .., method] = rest {
            if method.position == position {
                return Some(*method);
            }
            rest = head;
        }
        None
    }

    const fn has_method(&self, rpc: &str) -> bool {
        let mut rest = self.methods;
        while let [method, tail @ ..] = rest {
            if is_for(method.name, method.is_exact, rpc) {
                return true;
            }
            rest = tail;
        }
        false
    }

    const fn is_named_at_a_method(&self, rpc: &str) -> bool {
        let mut rest = self.methods;
        while let [method, tail @ ..] = rest {
            rest = tail;
            if let Some((_, [false, ..])) = self.found.split_at_checked(method.position)
                && let Some(nearest) = self.nearest_rpc(*method)
                && same(nearest, rpc)
            {
                return true;
            }
        }
        false
    }

    /// The RPC without a method whose name is most like the method's.
    const fn nearest_rpc(&self, method: MethodName) -> Option<&'static str> {
        let mut nearest = None;
        let mut best = 0;
        let mut rest = self.service;
        while let Some((rpc, tail)) = next_rpc(rest) {
            rest = tail;
            let score = likeness(method.name.as_bytes(), rpc.as_bytes());
            if !self.has_method(rpc) && (nearest.is_none() || score > best) {
                (nearest, best) = (Some(rpc), score);
            }
        }
        nearest
    }
}

const fn is_for(name: &str, is_exact: bool, rpc: &str) -> bool {
    if is_exact { same(name, rpc) } else { is_same(name.as_bytes(), rpc.as_bytes()) }
}

/// The RPC of a method, and what follows it. Methods mostly stand in the order of the `.proto` file,
/// so what follows the last one found is searched first.
const fn find_near(
    service: &'static [u8],
    cursor: &'static [u8],
    name: &str,
    is_exact: bool,
) -> Option<(&'static str, &'static [u8])> {
    match find_rpc(cursor, name, is_exact) {
        Some(found) => Some(found),
        None => find_rpc(service, name, is_exact),
    }
}

const fn find_rpc(
    service: &'static [u8],
    name: &str,
    is_exact: bool,
) -> Option<(&'static str, &'static [u8])> {
    let mut rest = service;
    while let Some((rpc, tail)) = next_rpc(rest) {
        if is_for(name, is_exact, rpc) {
            return Some((rpc, tail));
        }
        rest = tail;
    }
    None
}

/// The name of the next RPC of a `ServiceDescriptorProto`, and what follows it.
#[track_caller]
const fn next_rpc(service: &'static [u8]) -> Option<(&'static str, &'static [u8])> {
    let mut rest = service;
    while let Some((number, field, tail)) = next_field(rest) {
        if number == SERVICE_METHOD
            && let Some(name) = find_field(field, METHOD_NAME)
            && let Ok(name) = std::str::from_utf8(name)
        {
            return Some((name, tail));
        }
        rest = tail;
    }
    None
}

/// The `ServiceDescriptorProto` with this full name.
#[track_caller]
const fn find_service<'a>(descriptor: &'a [u8], service: &str) -> Option<&'a [u8]> {
    let mut files = descriptor;
    while let Some((number, file, tail)) = next_field(files) {
        files = tail;
        if number != FILE {
            continue;
        }
        let package: &[u8] = match find_field(file, FILE_PACKAGE) {
            Some(package) => package,
            None => &[],
        };
        let mut fields = file;
        while let Some((number, candidate, tail)) = next_field(fields) {
            fields = tail;
            if number != FILE_SERVICE {
                continue;
            }
            if let Some(name) = find_field(candidate, SERVICE_NAME)
                && is_full_name(service.as_bytes(), package, name)
            {
                return Some(candidate);
            }
        }
    }
    None
}

/// `package.name`, or `name` in a file without a package.
const fn is_full_name(full: &[u8], package: &[u8], name: &[u8]) -> bool {
    let Some((start, end)) = full.split_at_checked(full.len().saturating_sub(name.len())) else {
        return false;
    };
    if !same_bytes(end, name) {
        return false;
    }
    match start {
        [] => package.is_empty(),
        [start @ .., b'.'] => !package.is_empty() && same_bytes(start, package),
        _ => false,
    }
}

const fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    match (std::str::from_utf8(a), std::str::from_utf8(b)) {
        (Ok(a), Ok(b)) => same(a, b),
        _ => false,
    }
}
