//! Alertmanager's notification templates: its data, its functions, the defaults that people's configurations name, and their
//! own files of `templates:` (<https://prometheus.io/docs/alerting/latest/notifications/>).
//!
//! Rendering is pure: the time comes in with the message. HTML (mails, Telegram) escapes what an action prints, by where in the
//! markup it stands.

mod data;
mod default;
mod functions;
mod json;
mod markup;

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signalbox_lang::template::{Interruption, Template, Value};

use crate::message::{Message, Pairs};
use crate::retry::Failure;
use functions::World;

/// Most files of `templates:`, and bytes of each.
const FILES_MAX: usize = 1_000;

/// The templates that texts of a configuration may call. Cloning is cheap.
#[derive(Clone)]
pub struct Templates {
    library: Arc<Vec<Template>>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Templates({})", self.library.len())
    }
}

impl Templates {
    /// The default ones, and those of files, which may replace them; a pattern may match many files or none.
    ///
    /// # Errors
    /// Which pattern or file is wrong, and why.
    pub fn load(patterns: &[PathBuf]) -> Result<Self, String> {
        let mut texts = Vec::new();
        for pattern in patterns {
            let shown = pattern.display();
            let paths = glob::glob(&pattern.to_string_lossy()).map_err(|error| format!("templates: {shown}: {error}"))?;
            for path in paths {
                let path = path.map_err(|error| format!("templates: {shown}: {error}"))?;
                if texts.len() >= FILES_MAX {
                    return Err(format!("templates: found more than {FILES_MAX} files"));
                }
                let text = std::fs::read_to_string(&path).map_err(|error| format!("templates: cannot read {}: {error}", path.display()))?;
                texts.push((path.display().to_string(), text));
            }
        }
        Self::of_texts(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())))
    }

    /// The default ones, and those of texts with the paths or names of their files, which may replace them.
    ///
    /// # Errors
    /// Which text is wrong, and why.
    pub fn of_texts<'a>(texts: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let world = World::nowhere();
        let mut library = vec![Template::parse("default.tmpl", default::TEXT, &world)?];
        for (path, text) in texts {
            let name = Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            library.push(Template::parse(&name, text, &world).map_err(|error| format!("templates: {path}: {error}"))?);
        }
        Ok(Self { library: Arc::new(library) })
    }

    /// Whether a text of a configuration can be parsed.
    ///
    /// # Errors
    /// The first thing that is wrong, in Go's words.
    pub fn check(text: &str) -> Result<(), String> {
        Template::parse("", text, &World::nowhere()).map(|_| ())
    }

    fn render(&self, text: &str, dot: &Value, world: &World<'_>) -> Result<String, String> {
        // Most texts of a configuration are none: a channel's name, a colour.
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let template = Template::parse("", text, world)?;
        match template.run_with(dot, world, &self.library) {
            Ok(text) => Ok(text),
            Err(Interruption::Failed(why) | Interruption::Needs(why)) => Err(why),
        }
    }
}

/// Renders the texts of one message.
#[derive(Debug)]
pub struct Renderer<'a> {
    templates: &'a Templates,
    dot: Value,
    route_labels: Pairs,
    /// Whether the labels of the route are texts already: what an alert put into one is never a template.
    are_labels_expanded: bool,
    now_ns: i64,
    key: String,
    handle: Option<String>,
}

/// What the labels of a route see as the reason: they are the same for every message about a group.
const NO_REASON: &str = "unknown";

impl<'a> Renderer<'a> {
    /// For a message, at an instant.
    pub fn new(templates: &'a Templates, message: &Message, now_ns: i64) -> Self {
        let raw = Self {
            templates,
            dot: data::root(message, &message.route_labels, NO_REASON),
            route_labels: message.route_labels.clone(),
            are_labels_expanded: false,
            now_ns,
            key: String::new(),
            handle: None,
        };
        let route_labels = raw.expanded_route_labels();
        let dot = data::root(message, &route_labels, message.reason.as_str());
        Self { dot, route_labels, are_labels_expanded: true, ..raw }
    }

    /// A label of the route that cannot be expanded is left out: the message is more important.
    fn expanded_route_labels(&self) -> Pairs {
        let mut expanded = Pairs::new();
        let routes = Routes { renderer: self, is_html: false, open: RefCell::default() };
        for name in self.route_labels.keys() {
            match routes.label(name) {
                Ok(text) => {
                    expanded.insert(name.clone(), text);
                }
                Err(why) => tracing::warn!(label = %name, "cannot expand label {name:?} of a route, leaving it out: {why}"),
            }
        }
        expanded
    }

    /// The labels of the route, expanded.
    pub fn route_labels(&self) -> &Pairs {
        &self.route_labels
    }

    /// The same with the key of the delivery.
    pub(crate) fn keyed(self, key: String) -> Self {
        Self { key, ..self }
    }

    /// The same at every attempt, different for every message.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The same after a message that its receiver has a name for.
    pub(crate) fn after(self, handle: Option<&str>) -> Self {
        Self { handle: handle.map(str::to_owned), ..self }
    }

    /// What the receiver called the latest message of the group.
    pub(crate) fn handle(&self) -> Option<&str> {
        self.handle.as_deref()
    }

    /// The time of the attempt, nanoseconds since the Unix epoch.
    pub(crate) fn now_ns(&self) -> i64 {
        self.now_ns
    }

    /// Expands a text.
    ///
    /// # Errors
    /// What the template does wrong: a retry would do the same.
    pub fn text(&self, text: &str) -> Result<String, Failure> {
        self.expand(text, false).map_err(Failure::permanent)
    }

    /// Expands a text that is HTML.
    ///
    /// # Errors
    /// What the template does wrong: a retry would do the same.
    pub fn html(&self, text: &str) -> Result<String, Failure> {
        self.expand(text, true).map_err(Failure::permanent)
    }

    fn expand(&self, text: &str, is_html: bool) -> Result<String, String> {
        let routes = Routes { renderer: self, is_html, open: RefCell::default() };
        routes.expand(text)
    }
}

/// Labels of the route, which may be templates that name one another.
struct Routes<'a> {
    renderer: &'a Renderer<'a>,
    is_html: bool,
    /// Those that are being expanded: one that needs itself never ends.
    open: RefCell<Vec<String>>,
}

impl Routes<'_> {
    fn expand(&self, text: &str) -> Result<String, String> {
        let label = |name: &str| self.label(name);
        let world = World { now_ns: self.renderer.now_ns, markup: self.is_html.then(RefCell::default), route_label: &label };
        self.renderer.templates.render(text, &self.renderer.dot, &world)
    }

    fn label(&self, name: &str) -> Result<String, String> {
        let Some(text) = self.renderer.route_labels.get(name) else { return Ok(String::new()) };
        if self.renderer.are_labels_expanded {
            return Ok(text.clone());
        }
        if self.open.borrow().iter().any(|open| open == name) {
            let open = self.open.borrow().join(" -> ");
            return Err(format!("route label cycle detected: {open} -> {name}"));
        }
        self.open.borrow_mut().push(name.to_owned());
        let expanded = self.expand(text);
        self.open.borrow_mut().pop();
        expanded
    }
}

/// A text of at most so many characters, with a mark where it was cut.
pub(crate) fn truncate(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    if characters_max <= 3 {
        return text.chars().take(characters_max).collect();
    }
    text.chars().take(characters_max - 1).chain(['…']).collect()
}

/// A text of at most so many bytes, cut between characters, with a mark where it was cut.
pub(crate) fn truncate_bytes(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes_max.saturating_sub('…'.len_utf8()))])
}

#[cfg(test)]
mod tests;
