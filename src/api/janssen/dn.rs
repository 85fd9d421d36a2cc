//! Users by distinguished names, the handles of directories.

use crate::model::UserId;

/// The template of users' distinguished names: the text around the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnTemplate {
    before: String,
    after: String,
}

impl DnTemplate {
    /// Reads a template: a name with `{id}` in it once.
    pub fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.split_once("{id}")?;
        let sound = !after.contains("{id}") && !text.chars().any(char::is_control) && !before.is_empty();
        sound.then(|| Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// The distinguished name of a user.
    pub fn dn_of(&self, user: &UserId) -> String {
        format!("{}{user}{}", self.before, self.after)
    }

    /// The text before and after the id.
    pub fn around(&self) -> (&str, &str) {
        (&self.before, &self.after)
    }

    /// The id in a distinguished name. A text that does not match the template is itself the id.
    pub fn id_in<'a>(&self, text: &'a str) -> &'a str {
        let inside = text.strip_prefix(self.before.as_str()).and_then(|rest| rest.strip_suffix(self.after.as_str()));
        inside.unwrap_or(text)
    }
}

impl Default for DnTemplate {
    fn default() -> Self {
        Self { before: "inum=".to_owned(), after: ",ou=people,o=jans".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_id_are_told_from_each_other() {
        let template = DnTemplate::default();
        assert_eq!(template.dn_of(&UserId::parse("1").unwrap()), "inum=1,ou=people,o=jans");
        assert_eq!(template.id_in("inum=1,ou=people,o=jans"), "1");
        assert_eq!(template.id_in("1"), "1");
        assert_eq!(template.id_in("inum=1,ou=others,o=jans"), "inum=1,ou=others,o=jans");
        for text in ["inum=1", "{id}{id}", "x{id}{id}", "a\n{id}", ""] {
            assert_eq!(DnTemplate::parse(text), None, "{text:?}");
        }
    }
}
