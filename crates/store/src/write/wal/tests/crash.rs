//! Power loss at every operation of a reference run.

use signalbox_testkit::Survival;

use super::*;

/// Random survivals are drawn this often at each operation.
const SEEDS: u64 = 5;

/// Appends with releases and a restart in the middle; notes after how many operations each append was acknowledged and each
/// release was begun.
struct Reference {
    disk: SimDisk,
    given: Given,
    /// Operations at the acknowledgement, by id.
    acknowledged_at: BTreeMap<u64, usize>,
    /// Operations before the release, and the position released. The catalog had committed it before.
    released_at: Vec<(usize, u64)>,
}

fn reference_run(settings: &WalSettings) -> Reference {
    let mut fixture = Fixture { settings: settings.clone(), ..Fixture::new(SimDisk::default()) };
    let (mut given, mut acknowledged_at, mut released_at) = (Given::default(), BTreeMap::new(), Vec::new());
    let mut id = 0;
    for _process in 0..3 {
        let (wal, _, _) = fixture.open();
        for round in 0..6u64 {
            let mut answers = Vec::new();
            for step in 0..(1 + round % 3) {
                let len = 40 + ((id * 977 + step * 131) % 2600) as usize;
                given.lens.insert(id, len);
                answers.push((id, wal.append(record(id, len), Box::new(|_| {}))));
                id += 1;
            }
            for (id, answer) in answers {
                let sequence = block_on(answer).unwrap();
                given.acknowledged.insert(id, sequence);
                acknowledged_at.insert(id, fixture.disk.operations());
            }
            if round == 4 {
                let position = wal.position() - 2;
                released_at.push((fixture.disk.operations(), position));
                wal.release(position).unwrap();
                fixture.from = position;
            }
        }
        if id % 2 == 0 {
            wal.close();
        }
    }
    Reference { disk: fixture.disk, given, acknowledged_at, released_at }
}

/// Loses power after each operation in every way; returns the number of states.
fn crash_everywhere(reference: &Reference, settings: &WalSettings) -> usize {
    let mut states = 0;
    for operations in 0..=reference.disk.operations() {
        let from = reference.released_at.iter().take_while(|(at, _)| *at <= operations).last().map_or(1, |(_, position)| *position);
        let mut given = reference.given.clone();
        given.acknowledged.retain(|id, _| reference.acknowledged_at[id] <= operations);
        for survival in Survival::ALL {
            for seed in 0..if survival.is_random() { SEEDS } else { 1 } {
                let context = format!("{operations} operations, {survival:?}, seed {seed}");
                let disk = reference.disk.crash(operations, survival, seed);
                check_state(Fixture { from, settings: settings.clone(), ..Fixture::new(disk) }, given.clone(), &context);
                states += 1;
            }
        }
    }
    states
}

fn check_state(fixture: Fixture, mut given: Given, context: &str) {
    let (wal, report, frames) = fixture.try_open().unwrap_or_else(|error| panic!("{context}: {error}"));
    let fresh: Vec<Frame> = frames.into_iter().filter(|frame| !frame.is_consumed).collect();
    given.check(&fresh, |sequence| sequence < fixture.from, context);
    assert_eq!(report.lost_frames, 0, "{context}: {:?}", report.lost);
    // It goes on from there: what survived and what is appended now are there after another restart.
    for frame in &fresh {
        let id = u64::from_le_bytes(frame.payload[..8].try_into().unwrap());
        given.acknowledged.insert(id, frame.sequence);
    }
    given.acknowledged.retain(|_, sequence| *sequence >= fixture.from);
    for id in 1000..1003 {
        given.append(&wal, id, 500).unwrap_or_else(|error| panic!("{context}: {error}"));
    }
    drop(wal);
    let (_, report, frames) = fixture.try_open().unwrap();
    let fresh: Vec<Frame> = frames.into_iter().filter(|frame| !frame.is_consumed).collect();
    given.check(&fresh, |_| false, &format!("{context}, second opening"));
    assert_eq!(report.lost_frames, 0, "{context}, second opening: {:?}", report.lost);
}

#[test]
fn no_power_loss_at_any_operation_loses_or_changes_what_was_acknowledged() {
    let settings = small();
    let reference = reference_run(&settings);
    let states = crash_everywhere(&reference, &settings);
    println!("{states} crash states of {} operations", reference.disk.operations());
    assert!(states >= 2000, "only {states} states");
}

#[test]
fn the_same_holds_with_spares_prepared_by_another_thread() {
    let settings = WalSettings { spare_files: 1, ..small() };
    let reference = reference_run(&settings);
    assert!(crash_everywhere(&reference, &settings) >= 1000);
}
