//! Mutation of texts for tests: what a fuzzer does, from a fixed seed, on stable.

/// Texts made of one seed.
const MUTANTS: usize = 1_500;

/// Pieces that templates and rule files care about.
const PIECES: [&str; 28] = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    "(",
    ")",
    "\"",
    "`",
    "'",
    "\\",
    "|",
    ":=",
    "=",
    ".",
    ",",
    "$",
    "$x",
    "1e",
    "99999999999999999999",
    "5m",
    "{{end}}",
    "{{ if ",
    "nil",
    "\n",
    "  - ",
    ": ",
    "\u{e9}",
    "#",
];

/// Runs a check over mutants of the seeds. The check panics on what must not be.
pub(crate) fn check(seeds: &[&str], mut check: impl FnMut(&str)) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound.max(1) as u64) as usize
    };
    for seed in seeds {
        check(seed);
        for _ in 0..MUTANTS {
            let mut characters: Vec<char> = seed.chars().collect();
            for _ in 0..=random(6) {
                let at = random(characters.len() + 1);
                match random(4) {
                    0 => drop(characters.drain(at..(at + 1 + random(8)).min(characters.len()).max(at))),
                    1 => drop(characters.splice(at..at, PIECES[random(PIECES.len())].chars())),
                    2 => {
                        let copied: Vec<char> = characters[at..(at + random(12)).min(characters.len())].to_vec();
                        drop(characters.splice(at..at, copied));
                    }
                    _ => characters.truncate(at),
                }
            }
            check(&characters.into_iter().collect::<String>());
        }
    }
}
