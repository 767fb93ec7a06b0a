//! The forms of a page, as a browser would send them.

use super::browser::{Browser, Shown};

/// A form of a page: its fields and its URL.
pub struct Form {
    pub action: String,
    fields: Vec<(String, String)>,
}

impl Form {
    /// Finds the first form whose tag contains this string, or else the first form that contains it.
    #[track_caller]
    pub fn of(shown: &Shown, mark: &str) -> Self {
        let forms = shown.text.split("<form").skip(1);
        let found = forms.filter_map(|form| form.split("</form>").next());
        let own = |form: &&str| form.split('>').next().is_some_and(|tag| tag.contains(mark));
        let form = found.clone().find(own);
        let form = form.or_else(|| found.clone().find(|form| form.contains(mark)));
        let form = form.unwrap_or_else(|| panic!("no form with {mark}: {}", shown.text));
        let tag = form.split('>').next().unwrap();
        let inputs = form.split("<input").skip(1).filter_map(|input| input.split('>').next());
        let sent = inputs.filter(|input| !input.contains("type=\"checkbox\""));
        let field = |input: &str| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()));
        Self {
            action: attribute(tag, "action").unwrap_or_default(),
            fields: sent.filter_map(field).collect(),
        }
    }

    #[track_caller]
    pub fn value(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(own, _)| own == name);
        &found.unwrap_or_else(|| panic!("no field {name}: {:?}", self.fields)).1
    }

    /// Fills in a field.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => value.clone_into(own),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Adds a field whose name may occur several times.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    pub async fn send(&self, browser: &Browser<'_>) -> Shown {
        browser.post(&self.action, &self.pairs()).await
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let value = rest.split('"').next()?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}
