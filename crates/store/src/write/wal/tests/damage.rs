//! Bytes that changed on the disk.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use signalbox_testkit::disk::EIO;
use signalbox_testkit::{Call, Fault, Outcome};

use super::*;

/// One in so many damaged logs is appended to as well; it takes longer than the rest.
const APPEND_EVERY: usize = 32;

/// A clean small log, where its frames are, and what they are.
struct Intact {
    files: Vec<(PathBuf, Vec<u8>)>,
    given: Given,
    /// File, bytes and sequence of each frame.
    frames: Vec<(usize, std::ops::Range<usize>, u64)>,
}

fn intact(appends: u64, len: usize) -> Intact {
    let fixture = Fixture::new(SimDisk::default());
    let mut given = Given::default();
    let (wal, _, _) = fixture.open();
    (0..appends).for_each(|id| assert!(given.append(&wal, id, len + id as usize % 97).is_ok()));
    // Without a mark, damage of the last frame could not be told from a torn write.
    wal.close();
    let files: Vec<(PathBuf, Vec<u8>)> = fixture.disk.files().into_iter().collect();
    let mut frames = Vec::new();
    for (file, (_, content)) in files.iter().enumerate() {
        let mut at = frame::FRAMES_START as usize;
        while let Some(header) = content.get(at..).and_then(|bytes| frame::FrameHeader::parse(bytes, at as u64)) {
            frames.push((file, at..at + header.frame_len() as usize, header.sequence));
            at += header.frame_len() as usize;
        }
    }
    Intact { files, given, frames }
}

impl Intact {
    /// Opens the log with one file changed; `hit` are the bytes that changed.
    fn check(&self, file: usize, content: Vec<u8>, hit: std::ops::Range<usize>, context: &str) -> RecoveryReport {
        let mut files = self.files.clone();
        files[file].1 = content;
        let (wal, report, frames) = Fixture::new(SimDisk::with_files(files)).try_open().unwrap_or_else(|error| panic!("{context}: {error}"));
        let is_hit = |sequence: u64| {
            let touches = |(at, bytes, number): &(usize, std::ops::Range<usize>, u64)| {
                *at == file && *number == sequence && bytes.start < hit.end && hit.start < bytes.end
            };
            self.frames.iter().any(touches)
        };
        self.given.check(&frames, is_hit, context);
        // What is missing and was acknowledged is said to be missing.
        let missing: Vec<u64> = self.given.acknowledged.values().copied().filter(|sequence| frames.iter().all(|frame| frame.sequence != *sequence)).collect();
        let mut told: Vec<u64> = report.lost.iter().flat_map(|range| range.first..=range.last).collect();
        let mark = self.frames.last().unwrap().2;
        told.retain(|sequence| *sequence != mark);
        let is_mark_hit = is_hit(mark);
        assert!(told == missing || is_mark_hit, "{context}: {missing:?} are missing, {told:?} are said to be");
        assert!(frames.iter().all(|frame| frame.sequence < report.position), "{context}: position {}", report.position);
        if hit.start.is_multiple_of(APPEND_EVERY) {
            assert_eq!(append(&wal, 9999, 50).unwrap(), report.position, "{context}");
        }
        report
    }
}

#[test]
fn a_flipped_bit_costs_at_most_the_frame_it_hits() {
    let intact = intact(24, 500);
    let mut states = 0;
    for (file, (_, content)) in intact.files.iter().enumerate() {
        let end = intact.frames.iter().filter(|(at, _, _)| *at == file).map(|(_, bytes, _)| bytes.end).max().unwrap_or(0);
        let headers = (0..64).chain(4096..4160);
        for byte in headers.chain(frame::FRAMES_START as usize..end.min(content.len())) {
            // All bits of headers, one bit of each payload byte.
            let in_header = byte < 8192 || intact.frames.iter().any(|(at, bytes, _)| *at == file && (bytes.start..bytes.start + 72).contains(&byte));
            for bit in if in_header { 0..8 } else { (byte % 8) as u32..(byte % 8) as u32 + 1 } {
                let mut changed = content.clone();
                changed[byte] ^= 1 << bit;
                intact.check(file, changed, byte..byte + 1, &format!("file {file}, byte {byte}, bit {bit}"));
                states += 1;
            }
        }
    }
    println!("{states} flipped bits");
    assert!(states >= 20_000, "only {states} states");
}

#[test]
fn a_file_cut_anywhere_costs_the_frames_behind_the_cut() {
    let intact = intact(24, 500);
    let mut states = 0;
    for (file, (_, content)) in intact.files.iter().enumerate() {
        for len in (0..content.len()).step_by(13) {
            intact.check(file, content[..len].to_vec(), len..content.len(), &format!("file {file} cut at {len}"));
            states += 1;
        }
    }
    println!("{states} cuts");
}

#[test]
fn lost_sectors_and_random_bytes_cost_the_frames_they_hit() {
    let intact = intact(40, 700);
    let mut random = StdRng::seed_from_u64(11);
    for round in 0..2000 {
        let file = random.random_range(0..intact.files.len());
        let mut content = intact.files[file].1.clone();
        let unit = [512, 4096][random.random_range(0..2)];
        let from = random.random_range(0..content.len() / unit) * unit;
        match random.random_range(0..3) {
            0 => content[from..from + unit].fill(0),
            1 => random.fill(&mut content[from..from + unit]),
            _ => {
                // Another sector of the same file: valid frames in the wrong place.
                let other = random.random_range(0..content.len() / unit) * unit;
                content.copy_within(other..other + unit, from);
            }
        }
        intact.check(file, content, from..from + unit, &format!("round {round}: file {file}, {unit} bytes at {from}"));
    }
}

#[test]
fn a_missing_file_is_reported_with_its_sequences_and_the_rest_is_there() {
    let intact = intact(40, 700);
    for file in 0..intact.files.len() - 1 {
        let files = intact.files.iter().enumerate().filter(|(at, _)| *at != file).map(|(_, file)| file.clone());
        let (_wal, report, frames) = Fixture::new(SimDisk::with_files(files)).open();
        let sequences: Vec<u64> = intact.frames.iter().filter(|(at, _, _)| *at == file).map(|(_, _, sequence)| *sequence).collect();
        intact.given.check(&frames, |sequence| sequences.contains(&sequence), "missing file");
        assert_eq!(report.lost.len(), 1);
        assert_eq!((report.lost[0].first, report.lost[0].last, report.lost[0].was_durable), (sequences[0], *sequences.last().unwrap(), true));
    }
}

#[test]
fn the_report_names_sequence_file_and_bytes() {
    let intact = intact(24, 500);
    let (file, bytes, sequence) = intact.frames[5].clone();
    let mut content = intact.files[file].1.clone();
    content[bytes.start + 200] ^= 1;
    let report = intact.check(file, content, bytes.clone(), "payload");
    let want = LostRange { first: sequence, last: sequence, file: Some(1), bytes: bytes.start as u64..bytes.end as u64, was_durable: true };
    assert_eq!((report.lost, report.lost_frames), (vec![want], 1));
}

#[test]
fn a_damaged_file_is_kept_for_the_operator_when_it_is_released() {
    let intact = intact(24, 500);
    let mut files = intact.files.clone();
    let (file, bytes, _) = intact.frames[3].clone();
    files[file].1[bytes.start + 100] ^= 1;
    let fixture = Fixture::new(SimDisk::with_files(files));
    let (wal, report, _) = fixture.open();
    wal.release(report.position).unwrap();
    let names: Vec<String> = fixture.disk.files().into_keys().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert!(names.contains(&"damaged-0000000000000001".to_owned()), "{names:?}");
}

#[test]
fn a_disk_that_cannot_read_at_all_is_reported_and_the_log_goes_on() {
    let intact = intact(24, 500);
    let fixture = Fixture::new(SimDisk::with_files(intact.files.clone()));
    fixture.disk.fail(Fault { call: Call::Read, nth: 1, outcome: Outcome::Error(EIO), is_sticky: true });
    let (_wal, report, frames) = fixture.open();
    assert!(frames.is_empty() && report.unreadable_files > 0);
}

#[test]
fn files_of_another_log_are_left_alone() {
    let intact = intact(24, 500);
    let mut fixture = Fixture::new(SimDisk::with_files(intact.files.clone()));
    let foreign = {
        let other = Fixture::new(SimDisk::default());
        let opening = Opening {
            disk: Arc::new(other.disk.clone()),
            clock: Arc::new(other.clock.clone()),
            dir: Path::new(DIR),
            settings: small(),
            from: 1,
            new_log_id: 77,
        };
        let (wal, _) = Wal::open(opening, &mut |_| Ok(())).unwrap();
        append(&wal, 5, 100).unwrap();
        drop(wal);
        other.disk.files().into_values().next().unwrap()
    };
    // Under a name that its header does not bear it would be a damaged file of ours; so it keeps its own.
    let path = Path::new(DIR).join("wal-0000000000000001.log");
    fixture.disk.put(&path, foreign.clone());
    let (_wal, report, _) = fixture.open();
    assert_eq!(report.foreign_files, 1);
    assert_eq!(fixture.disk.files().get(&path), Some(&foreign));
    fixture.from = 1;
}
