//! Mutated real queries: the parser must never panic, and what it accepts must print to text that it accepts.
//! `MUTATIONS` sets how many; the seed is fixed, so a failure repeats.

use signalbox_lang::promql;

use signalbox_testkit::conformance as corpus;

const MUTATIONS_DEFAULT: usize = 4000;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// Pieces of the grammar that a random byte would hardly make.
const PIECES: [&str; 40] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"",
    "'",
    "`",
    "\\",
    "=~",
    "!=",
    "[5m]",
    "[5m:1m]",
    " offset -1m",
    " @ end()",
    "@",
    "step()",
    "min_of(",
    " by (",
    " on (",
    " group_left",
    " fill (",
    " bool ",
    " anchored",
    " smoothed",
    "sum",
    "topk(1,",
    "info(",
    "0x",
    "1e",
    "_",
    "-",
    "^",
    "</",
    "\u{fffd}",
    "é",
    "\0",
    "# ",
];

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound.max(1)
    }
}

fn mutate(query: &str, other: &str, random: &mut Random) -> String {
    let mut bytes = query.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let (at, length) = (random.below(bytes.len() + 1), random.below(12));
        let end = (at + length).min(bytes.len());
        match random.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            2 => drop(bytes.splice(at..end, PIECES[random.below(PIECES.len())].bytes())),
            3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            4 => drop(bytes.splice(at.., other.bytes().skip(random.below(other.len())))),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn survives_mutated_queries() {
    let golden = include_str!("../../testdata/promql/valid.txt");
    let mut seeds: Vec<String> = golden.lines().filter(|line| !line.is_empty() && !line.starts_with("## ")).map(str::to_owned).collect();
    for script in ["operators", "functions", "duration_expression"] {
        seeds.extend(corpus::read(&format!("promql/promqltest/{script}.test")).iter().flat_map(|text| super::conformance::expressions(text)));
    }
    let mutations = std::env::var("MUTATIONS").map_or(MUTATIONS_DEFAULT, |count| count.parse().unwrap());
    let (mut random, mut accepted) = (Random(SEED), 0);
    for round in 0..mutations {
        let (first, second) = (random.below(seeds.len()), random.below(seeds.len()));
        let query = mutate(&seeds[first], &seeds[second], &mut random);
        if let Ok(expr) = promql::parse(&query) {
            accepted += 1;
            let printed = expr.to_string();
            let again = promql::parse(&printed).unwrap_or_else(|error| panic!("round {round}: {query:?} prints as {printed:?}: {error}"));
            assert_eq!(again.to_string(), printed, "round {round}: {query:?}");
            promql::prettify(&expr);
        }
    }
    eprintln!("mutations: {accepted} of {mutations} accepted");
    assert!(accepted > mutations / 20, "mutations are too wild to test anything: {accepted} of {mutations} accepted");
}
