//! The fields of the forms, each with its label and its error messages.

use maud::{Markup, html};

use super::messages::{Form, View};

/// A field: its form, its name, the message key of its label, and its value.
pub struct Field<'a> {
    pub form: Form,
    pub name: &'static str,
    pub label: &'static str,
    pub value: &'a str,
}

impl Field<'_> {
    fn id(&self) -> String {
        format!("{}-{}", self.form.name(), self.name)
    }

    fn around(&self, view: &View<'_>, control: &Markup) -> Markup {
        let id = self.id();
        let faults = view.faults(self.form, self.name);
        html! { div.field {
            label for=(id) { (view.visit.words.say(self.label)) }
            (control)
            @if !faults.is_empty() {
                p.fault id={ (id) "-fault" } { @for fault in faults { (view.sentence(&fault.text)) " " } }
            }
        } }
    }

    /// The id of the field's error message, for `aria-describedby`; `None` if the field has no error.
    fn wrong(&self, view: &View<'_>) -> Option<String> {
        let is_wrong = !view.faults(self.form, self.name).is_empty();
        is_wrong.then(|| format!("{}-fault", self.id()))
    }

    /// A field for text, a date or a time.
    pub fn input(&self, view: &View<'_>, kind: &str, required: bool) -> Markup {
        let wrong = self.wrong(view);
        let most = (kind == "text").then_some("500");
        let control = html! {
            input id=(self.id()) name=(self.name) type=(kind) value=(self.value) required[required] maxlength=[most]
                aria-invalid=[wrong.as_ref().map(|_| "true")] aria-describedby=[wrong.as_deref()];
        };
        self.around(view, &control)
    }

    /// A select field for a contact. `none` is the message key of the empty option. Without a message key, the field
    /// has no empty option.
    pub fn contact(&self, view: &View<'_>, none: Option<&'static str>, required: bool) -> Markup {
        let wrong = self.wrong(view);
        let control = html! {
            select id=(self.id()) name=(self.name) required[required]
                aria-invalid=[wrong.as_ref().map(|_| "true")] aria-describedby=[wrong.as_deref()] {
                @if let Some(none) = none { option value="" { (view.visit.words.say(none)) } }
                @for contact in view.contacts() {
                    option value=(contact.code) selected[contact.code == self.value] {
                        (view.business.contact(&contact.code))
                    }
                }
            }
        };
        self.around(view, &control)
    }
}

/// The errors that concern the whole form.
pub fn general(view: &View<'_>, form: Form) -> Markup {
    html! { @for fault in view.faults(form, "") {
        p.fault role="alert" { (view.sentence(&fault.text)) }
    } }
}
