//! Bytes that are no index.

use super::*;

/// The same as the fuzz target, on mutations of a good index.
#[test]
fn hostile_bytes_are_refused_or_an_index() {
    let mut random = Random(23);
    let indexed = Indexed::new((0..700).map(|_| random.row()).collect());
    let (good, rows) = (&indexed.parts, indexed.rows.len() as u64);
    let check = |index: &[u8], prints: &[u8], grams: &[u8], text: &str| check_text_index(index, prints, grams, rows, text);
    assert!(check(&good.index, &good.prints, &good.grams, "timeout").unwrap() > 0);
    for cut in 0..good.index.len() {
        assert!(check(&good.index[..cut], &good.prints, &good.grams, "timeout").is_err(), "cut at {cut}");
    }
    assert!(TextIndex::decode(&good.index, rows + 1000).is_err(), "there are too few pages");
    let mut refused = 0;
    for round in 0..4000 {
        let mut parts = [good.index.to_vec(), good.prints.to_vec(), good.grams.to_vec()];
        let part = &mut parts[round % 3];
        for _ in 0..1 + random.below(3) {
            let at = random.below(part.len());
            match random.below(3) {
                0 => part[at] = random.below(256) as u8,
                1 => drop(part.remove(at)),
                _ => part.insert(at, 0xff),
            }
        }
        let texts = ["timeout", "10.0.0.1", "deadbeef0123", "größe", "4"];
        refused += u32::from(check(&parts[0], &parts[1], &parts[2], texts[random.below(5)]).is_err());
    }
    assert!(refused > 500, "{refused} refused");
    let huge = [b"SBXTXT\0\x02".as_slice(), &[0x01], &[0xff; 9], &[1]].concat();
    assert!(check_text_index(&huge, b"", b"", u64::MAX, "a").is_err());
}
