//! Lucene's light and minimal stemmers, which take off plurals, cases and genders and leave derivations alone.
//!
//! Most are Jacques Savoy's (University of Neuchâtel, <http://members.unine.ch/jacques.savoy/clef/>); each file names its own. All
//! take lower case. Snowball's stemmers come from `frostem`, Porter's original from [`super::porter`].

pub(super) mod arabic;
pub(super) mod english;
pub(super) mod french;
pub(super) mod german;
pub(super) mod italian;
pub(super) mod norwegian;
pub(super) mod portuguese;
pub(super) mod russian;
pub(super) mod snowball;
pub(super) mod spanish;
pub(super) mod swedish;

/// Endings that are cut off where the word is longer than a number of characters.
type Endings = (usize, &'static [&'static str]);

/// A word as characters.
struct Word(Vec<char>);

impl Word {
    /// Rewrites `term` by `edit`.
    fn edit(term: &mut String, edit: impl FnOnce(&mut Word)) {
        let mut word = Word(term.chars().collect());
        edit(&mut word);
        term.clear();
        term.extend(word.0);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// The character so far from the end, 1 being the last.
    fn last(&self, from_end: usize) -> char {
        self.0.len().checked_sub(from_end).and_then(|at| self.0.get(at)).copied().unwrap_or('\0')
    }

    fn set_last(&mut self, from_end: usize, c: char) {
        if let Some(place) = self.0.len().checked_sub(from_end).and_then(|at| self.0.get_mut(at)) {
            *place = c;
        }
    }

    fn cut(&mut self, count: usize) {
        self.0.truncate(self.0.len().saturating_sub(count));
    }

    fn ends_with(&self, ending: &str) -> bool {
        let mut chars = self.0.iter().rev();
        ending.chars().rev().all(|c| chars.next() == Some(&c))
    }

    fn ends_with_any(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| self.ends_with(ending))
    }

    /// Whether the word is longer than `len` and ends so.
    fn is_longer(&self, len: usize, ending: &str) -> bool {
        self.len() > len && self.ends_with(ending)
    }

    /// Cuts the first ending of the first row that fits.
    fn cut_first(&mut self, rows: &[Endings]) -> bool {
        for &(longer_than, endings) in rows {
            if self.len() > longer_than
                && let Some(ending) = endings.iter().find(|ending| self.ends_with(ending))
            {
                self.cut(ending.chars().count());
                return true;
            }
        }
        false
    }

    fn map(&mut self, map: impl Fn(char) -> char) {
        self.0.iter_mut().for_each(|c| *c = map(*c));
    }
}

/// Vowels without acute, grave, circumflex and diaeresis.
fn without_accents(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ä' => 'a',
        'ò' | 'ó' | 'ô' | 'ö' => 'o',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    proptest::proptest! {
        #[test]
        fn never_panics(word in "[a-zàéíõçäößüåæøحوالهаеиойs]{0,14}(es|ns|mente|ement|issement|ficatrice|heter|иями|en|x|s)?") {
            for stem in [
                super::arabic::stem, super::arabic::normalize, super::english::minimal, super::french::light, super::french::minimal,
                super::german::light, super::german::minimal, super::german::normalize, super::italian::light,
                super::norwegian::light, super::norwegian::minimal, super::norwegian::light_nynorsk,
                super::norwegian::minimal_nynorsk, super::portuguese::light, super::russian::light, super::spanish::light,
                super::swedish::light,
            ] {
                let mut term = word.clone();
                stem(&mut term);
            }
        }
    }
}
