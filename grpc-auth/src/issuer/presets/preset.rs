//! A preset as data: for programs that take a provider's name from their configuration.

use crate::error::ConfigError;
use crate::issuer::Issuer;

/// A preset of [`Issuer`], for programs that take the provider from their configuration: its name,
/// and how the issuer follows from the identifier.
///
/// [`Issuer::PRESETS`] lists all of them.
///
/// ```
/// use grpc_auth::Issuer;
///
/// let okta = Issuer::preset("okta")?;
/// let issuer = okta.issuer("https://example.okta.com/oauth2/default", &[])?;
/// assert!(okta.issuer("https://issuer.example.com/", &[]).is_err());
/// # Ok::<_, grpc_auth::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Preset {
    /// The name in settings: that of the constructor with hyphens, or `oidc` for
    /// [`Issuer::discover`].
    pub name: &'static str,
    /// The product, as its maker writes it.
    pub product: &'static str,
    /// The form of its issuer identifiers, variable parts in capitals.
    pub form: &'static str,
    /// An identifier of that form.
    pub example: &'static str,
    /// Which client ids it needs.
    pub clients: PresetClients,
    /// Recognizes an identifier; the second parameter is the client ids.
    pub(super) parse: fn(&str, &[String]) -> Option<Issuer>,
}

/// Which client ids a [`Preset`] needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetClients {
    /// None.
    Unused,
    /// One: the client that the service itself is.
    Service,
    /// Those whose tokens are accepted. They take the place of an audience.
    Callers,
}

impl Preset {
    /// The issuer with this identifier.
    ///
    /// # Errors
    /// [`ConfigError::Value`] when the identifier does not have this preset's form,
    /// [`ConfigError::Setting`] when it needs the service's client and not exactly one is given.
    pub fn issuer(&self, identifier: &str, clients: &[String]) -> Result<Issuer, ConfigError> {
        if self.clients == PresetClients::Service && clients.len() != 1 {
            return Err(ConfigError::setting(
                self.product,
                "client",
                "write the id of one client, the service's own: its roles count, and those of no \
                 other client",
            ));
        }
        (self.parse)(identifier, clients).ok_or_else(|| {
            ConfigError::value(
                format!("{} issuer", self.product),
                identifier,
                format!("write it like `{}`", self.example),
            )
        })
    }
}

/// What stands between the start and the end of an identifier.
pub(super) fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_preset_takes_its_own_form_of_issuer_and_no_other() {
        let client = ["echo".to_owned()];
        for preset in Issuer::PRESETS {
            let issuer = preset.issuer(preset.example, &client).unwrap();
            assert_eq!(issuer.identifier, preset.example);
            assert!(issuer.check(&[]).is_ok(), "{preset:?}");
            if preset.name != "oidc" {
                let error = preset.issuer("http://localhost:1", &client).unwrap_err().to_string();
                assert!(error.contains(preset.example), "{error}");
            }
            let lacks_client = preset.issuer(preset.example, &[]).is_err();
            assert_eq!(lacks_client, preset.clients == PresetClients::Service, "{preset:?}");
            assert_eq!(Issuer::preset(preset.name).unwrap().name, preset.name);
        }
        let error = Issuer::preset("octa").unwrap_err().to_string();
        assert!(error.contains("okta, "), "{error}");
    }

    /// The list of presets and the documents name the same ones.
    #[test]
    fn each_preset_is_in_the_table_of_issuers_and_in_the_readme() {
        let readme = include_str!("../../../README.md");
        let table: Vec<_> = include_str!("../mod.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("/// | [`")?.split('`').next())
            .filter(|constructor| *constructor != "static_keys")
            .map(|constructor| constructor.replace("discover", "oidc").replace('_', "-"))
            .collect();
        assert_eq!(table, Issuer::PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>());
        for preset in Issuer::PRESETS {
            assert!(readme.contains(preset.product), "the README lacks {}", preset.product);
        }
    }
}
