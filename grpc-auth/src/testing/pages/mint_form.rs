//! The form for a token to try things with.

use maud::{Markup, html};
use url::form_urlencoded;

use crate::lock::locked;
use crate::testing::data::state::{AUDIENCE, State};
use crate::token::scope::is_scope_token;

/// A token that a visitor wants.
pub(super) struct Wish {
    pub(super) subject: String,
    pub(super) audience: String,
    pub(super) scopes: Vec<String>,
}

impl Wish {
    /// What the form begins with.
    pub(super) fn first(state: &State) -> Self {
        let user = locked(&state.users).0.keys().next().cloned();
        Self {
            subject: user.unwrap_or_else(|| "test".into()),
            audience: AUDIENCE.into(),
            scopes: Vec::new(),
        }
    }

    /// Each box that is ticked is a `scope` of its own; what is typed may be several.
    pub(super) fn read(form: &[u8]) -> Self {
        let mut wish = Self { subject: String::new(), audience: String::new(), scopes: Vec::new() };
        for (name, value) in form_urlencoded::parse(form) {
            match &*name {
                "subject" => wish.subject = value.trim().into(),
                "audience" => wish.audience = value.trim().into(),
                "scope" => wish.scopes.extend(value.split_whitespace().map(String::from)),
                _ => {}
            }
        }
        wish
    }

    /// The field that is wrong, and how.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        if self.subject.is_empty() {
            return Some(("subject", "Write whom the token is about.".into()));
        }
        if self.audience.is_empty() {
            return Some(("audience", "Write which service the token is for.".into()));
        }
        let wrong = self.scopes.iter().find(|scope| !is_scope_token(scope.as_bytes()))?;
        Some((
            "scope",
            format!("“{wrong}” cannot be a scope: it has a character that none may have."),
        ))
    }
}

pub(super) fn mint_form(state: &State, wish: &Wish) -> Markup {
    let known = known_scopes(state);
    let others: Vec<_> = wish.scopes.iter().filter(|scope| !known.contains(scope)).collect();
    let others = others.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    html! {
        section.panel.full {
            h2 { "Get a token" }
            form method="post" action="/mint" {
                div.fields {
                    div.field {
                        label for="subject" { "Subject" }
                        input #subject type="text" name="subject" value=(wish.subject) required
                            list="users" autocomplete="off" autocapitalize="none" spellcheck="false";
                        datalist #users {
                            @for name in locked(&state.users).0.keys() { option value=(name) {} }
                        }
                    }
                    div.field {
                        label for="audience" { "Audience" }
                        input #audience type="text" name="audience" value=(wish.audience) required
                            autocomplete="off" autocapitalize="none" spellcheck="false";
                    }
                }
                @if !known.is_empty() {
                    fieldset {
                        legend { "Scopes" }
                        div.choices {
                            @for scope in &known {
                                label {
                                    input type="checkbox" name="scope" value=(scope)
                                        checked[wish.scopes.contains(scope)];
                                    code { (scope) }
                                }
                            }
                        }
                    }
                }
                div.field {
                    label for="scope" { @if known.is_empty() { "Scopes" } @else { "Other scopes" } }
                    p.hint #scope-hint { "Separated by spaces." }
                    input #scope type="text" name="scope" value=(others) autocomplete="off"
                        autocapitalize="none" spellcheck="false" aria-describedby="scope-hint";
                }
                div.buttons { button.primary type="submit" { "Get a token" } }
            }
        }
    }
}

/// What any client may be granted, and what is described.
fn known_scopes(state: &State) -> Vec<String> {
    let mut scopes: Vec<String> = locked(&state.scope_texts).keys().cloned().collect();
    for client in locked(&state.clients).values() {
        scopes.extend(client.scopes.iter().cloned());
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
