//! A TOML file that people write, and the mistakes in it, each with its place.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::files::{self, Access};

/// The text of a TOML file, with its name.
#[derive(Clone, Debug)]
pub struct Document {
    path: PathBuf,
    text: String,
}

/// One mistake in a file. It is shown as
/// `FILE:LINE:COLUMN: what is wrong; what to do`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    path: PathBuf,
    line: usize,
    column: usize,
    problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, problem } = self;
        write!(f, "{}:{line}:{column}: {problem}", path.display())
    }
}

/// All mistakes that were found in a file, in the order of their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl fmt::Display for Mistakes {
    /// One a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl Document {
    /// The document `text`, which came from the file `path`.
    #[must_use]
    pub const fn new(path: PathBuf, text: String) -> Self {
        Self { path, text }
    }

    /// Reads the file `path`.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = files::read(path, Access::Public)?;
        Ok(Self::new(path.to_owned(), text.to_string()))
    }

    /// The name of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What `name` in the document means: names of files are relative to the
    /// directory that the document is in.
    #[must_use]
    pub fn resolve(&self, name: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(name)
    }

    /// Deserializes the document.
    ///
    /// # Errors
    /// [`Mistakes`], with the first one.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Mistakes> {
        toml::from_str(&self.text).map_err(|error| {
            let place = error.span().unwrap_or_default();
            // Some of toml's messages have several lines.
            let problem = error.message().trim().replace('\n', "; ");
            Mistakes(vec![self.mistake(place, problem)])
        })
    }

    fn mistake(&self, place: Range<usize>, problem: String) -> Mistake {
        let before = self.text.get(..place.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Mistake {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            problem: without_keys(&problem),
        }
    }
}

/// The shortest run of characters that is taken for a part of a key.
const KEY_LEN: usize = 32;

/// `problem` without what may be a part of a private key in its text form: somebody
/// may have pasted it into the wrong file, and mistakes quote what they are about.
/// That is, a long run of the characters of base64url, of both cases; ids (which are
/// hexadecimal) and the names of files are rarely like that.
fn without_keys(problem: &str) -> String {
    let is_of_a_key = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut shown = String::with_capacity(problem.len());
    let mut rest = problem;
    while !rest.is_empty() {
        let (run, after) = rest.split_at(rest.find(|c| !is_of_a_key(c)).unwrap_or(rest.len()));
        let has = |is: fn(&u8) -> bool| run.as_bytes().iter().any(is);
        let is_key =
            run.len() >= KEY_LEN && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        shown.push_str(if is_key { "…" } else { run });
        let next = after.find(is_of_a_key).unwrap_or(after.len());
        shown.push_str(&after[..next]);
        rest = &after[next..];
    }
    shown
}

/// Collects the mistakes in a document.
#[derive(Debug)]
pub struct Review<'a> {
    document: &'a Document,
    mistakes: Vec<Mistake>,
}

impl<'a> Review<'a> {
    /// A review that has found nothing yet.
    #[must_use]
    pub const fn new(document: &'a Document) -> Self {
        Self { document, mistakes: Vec::new() }
    }

    /// The document.
    #[must_use]
    pub const fn document(&self) -> &'a Document {
        self.document
    }

    /// Notes a mistake at the byte range `place`: what is wrong, and what to do.
    pub fn note(&mut self, place: Range<usize>, problem: impl Into<String>) {
        self.mistakes.push(self.document.mistake(place, problem.into()));
    }

    /// `value` if no mistake was noted and it is there.
    ///
    /// # Errors
    /// [`Mistakes`].
    pub fn finish<T>(mut self, value: Option<T>) -> Result<T, Mistakes> {
        match value {
            Some(value) if self.mistakes.is_empty() => Ok(value),
            _ => {
                self.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
                Err(Mistakes(self.mistakes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_in_lines_and_characters() {
        let document = Document::new("dir/a.toml".into(), "ä = 1\nbö = 2 # x\n".to_owned());
        let place = document.text().find('2').unwrap();
        let mistake = document.mistake(place..place + 1, "too small".to_owned());
        assert_eq!(mistake.to_string(), "dir/a.toml:2:6: too small");
        let end = document.mistake(1_000..1_001, "over".to_owned());
        assert_eq!((end.line, end.column), (3, 1));
        assert_eq!(document.resolve("b"), Path::new("dir/b"));
        assert_eq!(document.resolve("/b"), Path::new("/b"));
    }

    #[test]
    fn a_mistake_does_not_show_what_may_be_a_key() {
        let key = "ICmwDjz3d2IH0NY8841rkGz0fMc5BtM_";
        let text = format!("{key}network = 1\n");
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        let shown = Document::new("a".into(), text).parse::<Nothing>().unwrap_err().to_string();
        assert!(shown.contains("unknown field `…`") && !shown.contains(&key[..8]), "{shown}");
        assert_eq!(without_keys(&format!("{key}: {key}; é{key}é")), "…: …; é…é");
        // Names of files and ids stay.
        for other in
            [&key[1..], "0123456789abcdef0123456789abcdef", "/the/place-of_the-thermometer-2"]
        {
            assert_eq!(without_keys(other), other);
        }
    }

    #[test]
    fn mistakes_are_shown_in_the_order_of_their_places() {
        let document = Document::new("a".into(), "x\ny\n".to_owned());
        let mut review = Review::new(&document);
        review.note(2..3, "second");
        review.note(0..1, "first");
        let mistakes = review.finish(Some(())).unwrap_err();
        assert_eq!(mistakes.to_string(), "a:1:1: first\na:2:1: second");
    }
}
