//! What a method requires beyond its rule: functions of the caller's claims and the message.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;
use tonic::{Request, Status};
use tracing::error;

use super::audit::Denial;
use super::auth_context::AuthContext;
use super::guard::Admitted;
use crate::policy::denial::DenialReason;
use crate::token::claims::Claims;

impl Admitted<'_> {
    /// Checks the requirement at this position of the method's entry.
    ///
    /// # Errors
    /// The status that the caller gets.
    pub fn require<T, M, F>(
        &self,
        position: usize,
        request: &Request<M>,
        predicate: F,
    ) -> Result<(), Status>
    where
        F: Fn(&Claims<T>, &M) -> bool,
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.ask(position, |claims| predicate(claims, request.get_ref()))
    }

    /// The same in a method with a stream of messages, none of which has come yet.
    ///
    /// # Errors
    /// The status that the caller gets.
    pub fn require_of_claims_alone<T, F>(&self, position: usize, predicate: F) -> Result<(), Status>
    where
        F: Fn(&Claims<T>) -> bool,
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.ask(position, predicate)
    }

    fn ask<T>(&self, position: usize, predicate: impl Fn(&Claims<T>) -> bool) -> Result<(), Status>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        // A rule that needs no caller has no requirements: anonymous callers are rejected.
        let Some(principal) = self.call.and_then(AuthContext::principal) else {
            return Err(self.refuse(&DenialReason::CredentialsMissing.into()));
        };
        // A panic can leave nothing broken that is seen again, unless the user's claims have cells in
        // them. (Under `panic = "abort"` the process ends, which admits no caller either.)
        let asked = catch_unwind(AssertUnwindSafe(|| match principal.typed_claims() {
            Ok(claims) => Ok(predicate(claims)),
            Err(mismatch) => Err(mismatch),
        }));
        let denial = match asked {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => self.denial(position, DenialReason::PolicyRefused, "does not hold"),
            Ok(Err(mismatch)) => mismatch.clone().into(),
            Err(_) => self.panicked(position),
        };
        Err(self.refuse(&denial.of(principal)))
    }

    #[cold]
    fn panicked(&self, position: usize) -> Denial {
        error!(
            target: "grpc_auth",
            method = %self.entry,
            requirement = self.text(position),
            "a requirement panicked, so the call is rejected; the panic's own message went to the \
             panic hook"
        );
        self.denial(position, DenialReason::PolicyPanicked, "panicked")
    }

    #[cold]
    fn denial(&self, position: usize, denied: DenialReason, what: &str) -> Denial {
        Denial::new(denied, format!("the requirement `{}` {what}", self.text(position)))
    }

    fn text(&self, position: usize) -> &'static str {
        self.entry.requirements().get(position).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::policy::rule::AccessRule;
    use crate::policy::service_policy::{MethodPolicy, ServicePolicy};

    /// A method that lets anyone in cannot have requirements. If one had, every call would be rejected.
    #[test]
    fn nobody_fulfils_a_requirement() {
        const METHODS: &[MethodPolicy] =
            &[MethodPolicy::annotated(0, "Get", AccessRule::AllowUnauthenticated)
                .requiring(&["anyone"])];
        let entry = ServicePolicy::annotated("a.B", METHODS).entry("Get").unwrap();
        let anonymous = Admitted { entry, call: None };
        let answer = anonymous.require_of_claims_alone(0, |_: &Claims<serde_json::Value>| true);
        assert_eq!(answer.unwrap_err().code(), Code::Unauthenticated);
    }
}
