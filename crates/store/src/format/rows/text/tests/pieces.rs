//! Of what is rare few pages are left.

use super::*;

/// Rows of many pages with everything that makes it hard to pass pages over: identifiers of each kind.
fn busy(pages: usize) -> (Indexed, Vec<[String; 6]>) {
    let mut random = Random(17);
    let mut rare = Vec::new();
    let rows = (0..pages * PAGE_ROWS).map(|row| {
        let ids = [random.uuid(), random.ip(), random.digits(8), random.hex(16), random.digits(5), random.letters(6)];
        // Not one line has all of them.
        let body = match row % 8 {
            0 => format!("request {} took {}ms", ids[0], random.below(2000)),
            1 => format!("{} \"GET /items/{} HTTP/1.1\" 200 {}", ids[1], ids[4], random.digits(5)),
            2 => format!("order ORD-{} created", ids[2]),
            3 => format!("session={} user={}", ids[3], random.digits(6)),
            _ => format!("worker {} is waiting for a connection", row % 16),
        };
        rare.push(ids);
        (body, vec![format!("worker-{}", row % 16)])
    });
    (Indexed::new(rows.collect()), rare)
}

#[test]
fn identifiers_leave_their_page_however_they_are_asked_for() {
    let pages = 24;
    let (indexed, rare) = busy(pages);
    let (mut left, mut asked) = ([0usize; 7], 0);
    for row in (0..rare.len()).step_by(8 * 61) {
        let [uuid, ..] = &rare[row];
        let (ip, order, session) = (&rare[row + 1][1], &rare[row + 2][2], &rare[row + 3][3]);
        asked += 1;
        let phrases = [
            phrase(uuid),
            Phrase::whole(session.as_str()),
            phrase(session),
            phrase(ip),
            Phrase { is_case_sensitive: false, ..phrase(&uuid.to_ascii_uppercase()) },
            phrase(&format!("ORD-{order}")),
            phrase(order),
        ];
        for (left, phrase) in left.iter_mut().zip(phrases) {
            let found = indexed.find_phrase(&phrase);
            let want = indexed.want(&TextFilter { clauses: vec![vec![phrase.clone()]] });
            assert!(want.is_subset(&found) && !want.is_empty(), "{phrase:?}");
            *left += found.len() - want.len();
        }
    }
    // Pages too many, of pages times questions.
    let all = asked * pages;
    assert!(left[..5].iter().all(|left| *left * 200 <= all), "{left:?} of {all}");
    assert!(left[5..].iter().all(|left| *left * 8 <= all), "{left:?} of {all}");
}

#[test]
fn words_leave_the_pages_they_are_on() {
    let (indexed, _) = busy(8);
    let mut rows = indexed.rows;
    rows[3 * PAGE_ROWS + 5].0 = "java.lang.IllegalStateException: OutOfMemory in größe".into();
    let indexed = Indexed::new(rows);
    for text in ["IllegalState", "OutOfMemory", "StateException: Out", "größ", "java.l", "tat"] {
        assert_eq!(indexed.find_phrase(&phrase(text)), BTreeSet::from([3]), "{text}");
    }
    assert_eq!(indexed.find_phrase(&Phrase { is_case_sensitive: false, ..phrase("outofmemory") }), BTreeSet::from([3]));
    assert_eq!(indexed.find_phrase(&phrase("outofmemory")), BTreeSet::new());
    assert_eq!(indexed.find_phrase(&phrase("waiting for a connection")).len(), 8);
    assert_eq!(indexed.find_phrase(&phrase("waiting for no connection")).len(), 0);
}

/// A page full of long identifiers still has a small index.
#[test]
fn grams_are_bounded() {
    let mut random = Random(5);
    let indexed = Indexed::new((0..4 * PAGE_ROWS).map(|_| (random.hex(2000), Vec::new())).collect());
    assert!(indexed.parts.grams.len() <= 4 * PAGE_ROWS * 12 / 8, "{}", indexed.parts.grams.len());
    for row in (0..indexed.rows.len()).step_by(50) {
        let body = indexed.rows[row].0.clone();
        indexed.check(&TextFilter { clauses: vec![vec![phrase(&body[700..1400])], vec![phrase(&body[10..40])]] });
    }
    let stranger = random.hex(1500);
    assert!(indexed.find_phrase(&phrase(&stranger)).is_empty());
}

/// What looks like a part of an address, but is none: it is found by the pieces that it has.
#[test]
fn odd_chains_of_numbers_are_found() {
    let lines = ["v10.1.2.33x", "at 10.1.2.3344", "910.1.2.33", "1.10.1.2.33.7", "0f3a2b1c-e29b-41d4-a716-446655440010.1.2.33", "x10.1.2.33."];
    for line in lines {
        let mut rows = vec![("an address 10.9.9.9".to_owned(), Vec::new()); 3 * PAGE_ROWS];
        rows[PAGE_ROWS + 7] = ("nothing".into(), vec![line.into()]);
        let indexed = Indexed::new(rows);
        for text in ["10.1.2.33", "0.1.2.3", "10.1.2.3"] {
            assert_eq!(indexed.find_phrase(&phrase(text)), BTreeSet::from([1]), "{text} in {line}");
        }
        let whole = TextFilter { clauses: vec![vec![Phrase::whole("10.1.2.33")]] };
        indexed.check(&whole);
    }
}
