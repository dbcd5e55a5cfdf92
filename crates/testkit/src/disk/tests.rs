use signalbox_model::disk::write_all_at;

use super::*;

const DIR: &str = "d";

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

fn disk() -> SimDisk {
    let disk = SimDisk::default();
    disk.create_dir_all(Path::new(DIR)).unwrap();
    disk
}

fn content(disk: &SimDisk, name: &str) -> Option<Vec<u8>> {
    disk.files().remove(&path(name))
}

#[test]
fn unsynced_names_and_content_are_lost_apart_from_each_other() {
    let disk = disk();
    let file = disk.open(&path("a"), OpenMode::CreateNew).unwrap();
    write_all_at(file.as_ref(), b"one", 0).unwrap();
    let now = disk.operations();
    assert_eq!(content(&disk.crash(now, Survival::Nothing, 0), "a"), None);
    assert_eq!(content(&disk.crash(now, Survival::NamesOnly, 0), "a"), Some(vec![]));
    assert_eq!(content(&disk.crash(now, Survival::LengthsOnly, 0), "a"), Some(vec![0; 3]));
    assert_eq!(content(&disk.crash(now, Survival::Everything, 0), "a"), Some(b"one".to_vec()));
    file.sync_data().unwrap();
    assert_eq!(content(&disk.crash(disk.operations(), Survival::Nothing, 0), "a"), None, "the name is not durable yet");
    disk.sync_dir(Path::new(DIR)).unwrap();
    assert_eq!(content(&disk.crash(disk.operations(), Survival::Nothing, 0), "a"), Some(b"one".to_vec()));
    assert_eq!(content(&disk.crash(now, Survival::Nothing, 0), "a"), None, "an earlier moment is still that moment");
}

#[test]
fn a_failed_sync_gives_up_what_it_did_not_write() {
    let disk = disk();
    let file = disk.open(&path("a"), OpenMode::CreateNew).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    write_all_at(file.as_ref(), b"one", 0).unwrap();
    disk.fail(Fault { call: Call::Sync, nth: 1, outcome: Outcome::Error(EIO), is_sticky: false });
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(EIO));
    write_all_at(file.as_ref(), b"2", 3).unwrap();
    file.sync_data().unwrap();
    assert_eq!(content(&disk, "a"), Some(b"one2".to_vec()));
    assert_eq!(content(&disk.crash(disk.operations(), Survival::Nothing, 0), "a"), Some(b"\0\0\x002".to_vec()));
}

#[test]
fn what_was_given_up_never_wins_over_what_was_synced_later() {
    let disk = disk();
    let file = disk.open(&path("a"), OpenMode::CreateNew).unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    write_all_at(file.as_ref(), b"old", 0).unwrap();
    disk.fail(Fault { call: Call::Sync, nth: 1, outcome: Outcome::Error(EIO), is_sticky: false });
    assert!(file.sync_data().is_err());
    write_all_at(file.as_ref(), b"ne", 0).unwrap();
    file.sync_data().unwrap();
    assert_eq!(content(&disk.crash(disk.operations(), Survival::Everything, 0), "a"), Some(b"ned".to_vec()));
    assert_eq!(content(&disk.crash(disk.operations(), Survival::Nothing, 0), "a"), Some(b"ne".to_vec()));
}

#[test]
fn a_torn_write_keeps_whole_sectors_and_the_seed_decides() {
    let disk = disk();
    let file = disk.open(&path("a"), OpenMode::CreateNew).unwrap();
    file.set_len(4096).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new(DIR)).unwrap();
    write_all_at(file.as_ref(), &[1; 4096], 0).unwrap();
    let torn: Vec<Vec<u8>> = (0..8).filter_map(|seed| content(&disk.crash(disk.operations(), Survival::TornSectors, seed), "a")).collect();
    for content in &torn {
        assert!(content.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
    }
    assert!(torn.iter().any(|content| content.contains(&0) && content.contains(&1)));
    assert_eq!(torn[3], content(&disk.crash(disk.operations(), Survival::TornSectors, 3), "a").unwrap());
}

#[test]
fn a_full_disk_takes_what_fits_and_then_refuses() {
    let disk = disk();
    disk.limit(Some(10));
    let file = disk.open(&path("a"), OpenMode::CreateNew).unwrap();
    assert_eq!(file.write_at(&[1; 16], 0).unwrap(), 10);
    assert_eq!(file.write_at(&[1; 6], 10).unwrap_err().raw_os_error(), Some(ENOSPC));
    assert_eq!(file.write_at(&[2; 10], 0).unwrap(), 10, "what is there may be overwritten");
    assert_eq!(disk.space(Path::new(DIR)).unwrap().available_bytes, 0);
}

#[test]
fn a_sticky_fault_lasts_until_healed_and_a_short_write_is_short() {
    let disk = disk();
    let file = disk.open(&path("a"), OpenMode::CreateNew).unwrap();
    disk.fail(Fault { call: Call::Write, nth: 2, outcome: Outcome::Short(1), is_sticky: true });
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 1);
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 1);
    disk.heal();
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert_eq!(disk.calls(Call::Write), 4);
}
