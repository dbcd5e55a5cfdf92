use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use signalbox_model::series::NoKnownSeries;
use signalbox_model::{Batch, TimeRange};

use super::container::{self, Line};
use super::join::Joiner;
use super::positions::Takeover;
use super::source::{Compiled, Lines};
use super::watch::{Round, Watch};
use super::{Compressed, LineFormat, Multiline, Source, Start, paths};
use crate::door::Context;

fn context() -> Context<'static> {
    Context { now_ns: 1_700_000_000_000_000_000, known: &NoKnownSeries, accepted_time: TimeRange::ALL, attribute_depth_max: 32, transform: None }
}

fn bodies(round: &Round) -> Vec<String> {
    let mut found = Vec::new();
    for batch in round.batches.iter().flat_map(|(_, decoded)| &decoded.batches) {
        let Batch::Logs(logs) = batch else { continue };
        let column = logs.rows().column_by_name("body").unwrap();
        let column = column.as_any().downcast_ref::<arrow_array::StringArray>().unwrap();
        found.extend(column.iter().map(|text| text.unwrap_or_default().to_owned()));
    }
    found
}

struct World {
    folder: tempfile::TempDir,
    source: Source,
    watch: Watch,
    now: Duration,
}

impl World {
    fn new(source: Source) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Source { paths: vec![folder.path().join("*.log").display().to_string()], ..source };
        let watch = Self::watch(&folder, &source);
        Self { folder, source, watch, now: Duration::from_secs(100) }
    }

    fn watch(folder: &tempfile::TempDir, source: &Source) -> Watch {
        Watch::new(vec![Compiled::new(source, "receive.files[0]").unwrap()], folder.path().join("state/positions.json"), None)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.folder.path().join(name)).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    fn restart(&mut self) {
        self.watch = Self::watch(&self.folder, &self.source);
    }

    /// A round that is not acknowledged.
    fn read(&mut self) -> Round {
        self.now += Duration::from_secs(1);
        self.watch.discover();
        self.watch.round(&context(), self.now)
    }

    /// Rounds until nothing comes, acknowledged.
    fn lines(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..3 {
            let round = self.read();
            all.extend(bodies(&round));
            self.watch.acknowledge(&round, self.now).unwrap();
        }
        all
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

#[test]
fn lines_come_once_and_unfinished_ones_when_they_end() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one\r\n\ntwo\nthr");
    world.write("b.log", b"\xffbad\n");
    world.write("c.txt", "no\n");
    assert_eq!(world.lines(), ["one", "two", "\u{fffd}bad"]);
    world.write("a.log", "ee\nfour\n");
    assert_eq!(world.lines(), ["three", "four"]);
    world.restart();
    assert_eq!(world.lines(), Vec::<String>::new());
}

#[test]
fn what_was_not_acknowledged_is_read_again() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one\n");
    assert_eq!(world.lines(), ["one"]);
    world.write("a.log", "two\n");
    assert_eq!(bodies(&world.read()), ["two"]);
    world.restart();
    assert_eq!(world.lines(), ["two"]);
}

#[test]
fn renamed_files_are_read_to_their_end_and_new_ones_from_their_beginning() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one\n");
    assert_eq!(world.lines(), ["one"]);
    world.write("a.log", "two\nlast");
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.write("a.log", "three\n");
    assert_eq!(world.lines(), ["two", "three"]);
    // Nobody writes to the old file any more: its last line needs no end.
    world.now += Duration::from_secs(60);
    assert_eq!(world.lines(), ["last"]);
    assert_eq!(world.watch.files(), 1);
    // And while nobody looks.
    world.write("a.log", "four\n");
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.write("a.log", "five\n");
    world.restart();
    let mut found = world.lines();
    found.sort();
    assert_eq!(found, ["five", "four"]);
}

#[test]
fn a_file_that_was_silent_for_long_is_known_under_its_next_name() {
    let mut world = World::new(Source::default());
    world.source.paths = vec![world.path("*.log*").display().to_string()];
    world.restart();
    world.write("a.log", "one\n");
    assert_eq!(world.lines(), ["one"]);
    for name in ["a.log.1", "a.log.2"] {
        world.now += Duration::from_secs(3600);
        let before = if name == "a.log.1" { "a.log" } else { "a.log.1" };
        fs::rename(world.path(before), world.path(name)).unwrap();
        assert_eq!(world.lines(), Vec::<String>::new(), "{name}");
        world.restart();
        assert_eq!(world.lines(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn truncated_files_and_files_with_an_old_inode_begin_anew() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one is a long line\n");
    assert_eq!(world.lines(), ["one is a long line"]);
    fs::write(world.path("a.log"), "two\n").unwrap();
    assert_eq!(world.lines(), ["two"]);
    fs::write(world.path("a.log"), "three, longer than what stood there\n").unwrap();
    assert_eq!(world.lines(), ["three, longer than what stood there"]);
    fs::write(world.path("a.log"), "another file with the same inode, and longer than the old one\n").unwrap();
    world.restart();
    assert_eq!(world.lines(), ["another file with the same inode, and longer than the old one"]);
}

#[test]
fn long_lines_are_cut_and_cost_no_memory() {
    let mut world = World::new(Source { line_bytes_max: 10, ..Source::default() });
    world.write("a.log", format!("{}\nnext\n", "x".repeat(3_000_000)));
    let mut all = Vec::new();
    for _ in 0..20 {
        all.extend(world.lines());
    }
    assert_eq!(all, ["xxxxxxxxxx", "next"]);
}

#[test]
fn the_end_is_where_reading_starts_if_asked_and_excluded_files_are_not_read() {
    let mut world = World::new(Source { start: Start::End, exclude: vec!["**/b.log".into()], ..Source::default() });
    world.write("a.log", "old\n");
    world.write("b.log", "no\n");
    assert_eq!(world.lines(), Vec::<String>::new());
    world.write("a.log", "new\n");
    world.write("c.log", "later\n");
    assert_eq!(world.lines(), ["new", "later"]);
}

#[test]
fn damaged_positions_read_everything_again() {
    let mut world = World::new(Source::default());
    world.write("a.log", "one\n");
    world.lines();
    for damage in ["", "{", "[]", "{\"version\":1,\"files\":[{\"offset\":-1}]}"] {
        fs::write(world.path("state/positions.json"), damage).unwrap();
        world.restart();
        assert_eq!(world.lines(), ["one"], "{damage}");
    }
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A source of files that are also read when they are compressed.
fn archive() -> World {
    let mut world = World::new(Source::default());
    world.source = Source { compressed: Compressed::Once, paths: vec![world.path("*.log*").display().to_string()], ..world.source };
    world.restart();
    world
}

fn numbered(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| format!("line {number} with some words\n")).collect()
}

#[test]
fn compressed_files_are_read_once_when_asked() {
    let mut world = World::new(Source::default());
    world.source.paths = vec![world.path("*").display().to_string()];
    world.restart();
    world.write("a.log.gz", packed("one\n"));
    assert_eq!(world.lines(), Vec::<String>::new());
    let mut world = archive();
    // Two members, as `cat a.gz b.gz` makes; the last line has no end. Others of rotation are not understood.
    world.write("a.log.gz", [packed("one\ntwo\nth"), packed("ree\nfour")].concat());
    world.write("b.log.bz2", "BZh");
    world.write("empty.log.gz", packed(""));
    world.write("cut.log.gz", &packed(&numbered(0..9))[..5]);
    assert_eq!(world.lines(), ["one", "two", "three", "four"]);
    world.restart();
    assert_eq!(world.lines(), Vec::<String>::new());
    fs::rename(world.path("a.log.gz"), world.path("a.log.2.gz")).unwrap();
    assert_eq!(world.lines(), Vec::<String>::new());
}

#[test]
fn a_compressed_file_is_read_on_in_pieces_and_after_a_restart() {
    let mut world = archive();
    let all = numbered(0..30_000);
    world.write("a.log.gz", packed(&all));
    let round = world.read();
    let mut found = bodies(&round);
    assert!(round.has_more && found.len() < 30_000);
    world.watch.acknowledge(&round, world.now).unwrap();
    // Read and not acknowledged.
    world.read();
    world.restart();
    found.extend(world.lines());
    while found.len() < 30_000 {
        found.extend(world.lines());
    }
    assert!(found.iter().map(String::as_str).eq(all.lines()));
}

#[test]
fn a_file_that_was_followed_is_not_read_again_when_it_comes_back_compressed() {
    let mut world = archive();
    world.write("a.log", numbered(0..20));
    assert_eq!(world.lines().len(), 20);
    fs::rename(world.path("a.log"), world.path("a.log.1")).unwrap();
    world.write("a.log.1", numbered(20..21));
    // Compressed while the old one is still there, and its last line is read from there.
    world.write("a.log.1.gz", packed(&numbered(0..21)));
    assert_eq!(world.lines(), ["line 20 with some words"]);
    fs::remove_file(world.path("a.log.1")).unwrap();
    world.now += Duration::from_secs(60);
    assert_eq!(world.lines(), Vec::<String>::new());
    world.now += Duration::from_secs(60);
    assert_eq!(world.lines(), Vec::<String>::new());
    world.restart();
    assert_eq!(world.lines(), Vec::<String>::new());
    // Read in part, then rotated and compressed while nobody looked.
    world.write("b.log", numbered(0..20));
    assert_eq!(world.lines().len(), 20);
    fs::remove_file(world.path("b.log")).unwrap();
    world.write("b.log.1.gz", packed(&numbered(0..22)));
    world.restart();
    assert_eq!(world.lines(), ["line 20 with some words", "line 21 with some words"]);
    // Another file with the same beginning, which stays.
    world.write("c.log", numbered(0..20));
    assert_eq!(world.lines().len(), 20);
    world.write("c.log.1.gz", packed(&numbered(0..30)));
    let later: Vec<String> = (0..30).flat_map(|_| world.lines()).collect();
    assert_eq!(later.len(), 30);
}

#[test]
fn damaged_and_cut_compressed_files_give_what_they_have_and_an_endless_line_no_memory() {
    let mut world = archive();
    let whole = packed(&numbered(0..30_000));
    world.write("cut.log.gz", &whole[..whole.len() / 2]);
    let first: Vec<String> = (0..3).flat_map(|_| world.lines()).collect();
    assert!(first.len() > 5_000 && first.len() < 29_000, "{}", first.len());
    // It was still being written.
    world.write("cut.log.gz", &whole[whole.len() / 2..]);
    let rest: Vec<String> = (0..3).flat_map(|_| world.lines()).collect();
    assert!(first.iter().chain(&rest).map(String::as_str).eq(numbered(0..30_000).lines()));
    let mut damaged = whole;
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    world.write("damaged.log.gz", damaged);
    let found: Vec<String> = (0..3).flat_map(|_| world.lines()).collect();
    assert!(found.len() > 5_000 && found.len() < 30_000, "{}", found.len());
    world.now += Duration::from_secs(60);
    world.lines();
    world.restart();
    assert_eq!(world.lines(), Vec::<String>::new());
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(b'x').take(20 << 20), &mut bomb).unwrap();
    world.write("bomb.log.gz", bomb.finish().unwrap());
    let mut lines: Vec<String> = Vec::new();
    for _ in 0..40 {
        lines.extend(world.lines());
    }
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [256 << 10]);
}

#[test]
fn reading_begins_where_another_reader_stopped_once() {
    let mut world = World::new(Source::default());
    for name in ["a.log", "b.log", "c.log"] {
        world.write(name, "one\ntwo\nthree\n");
    }
    // In the middle of a line the whole line is read; past the end it was another file.
    let offsets = [("a.log", 8), ("b.log", 6), ("c.log", 99)].map(|(name, offset)| (world.path(name), offset)).into();
    let takeover = Some(Takeover { file: world.path("promtail.yaml"), offsets });
    let again = |world: &World| Watch::new(vec![Compiled::new(&world.source, "x").unwrap()], world.path("state/positions.json"), takeover.clone());
    world.watch = again(&world);
    assert_eq!(world.lines(), ["three", "two", "three", "one", "two", "three"]);
    // Rotated: what the other reader said is of the file that was.
    fs::rename(world.path("a.log"), world.path("a.old")).unwrap();
    world.write("a.log", "four\nfive\nsix\n");
    world.watch = again(&world);
    assert_eq!(world.lines(), ["four", "five", "six"]);
    assert!(!world.path("promtail.yaml").exists());
}

#[test]
fn lines_of_containers_are_read() {
    let line = |text: &'static str, stream, is_partial| Line { text: text.into(), timestamp_ns: Some(1_714_979_289_500_000_000), stream, is_partial };
    let cases = [
        (LineFormat::Cri, "2024-05-06T07:08:09.5Z stdout F hello world", line("hello world", "stdout", false)),
        (LineFormat::Cri, "2024-05-06T07:08:09.5Z stderr P:x part", line("part", "stderr", true)),
        (LineFormat::Container, "2024-05-06T07:08:09.5Z stdout F", line("", "stdout", false)),
        (LineFormat::Docker, r#"{"log":"a \"b\"\n","stream":"stderr","time":"2024-05-06T07:08:09.5Z"}"#, line("a \"b\"", "stderr", false)),
        (LineFormat::Container, r#"{"log":"cut","stream":"stdout","time":"2024-05-06T07:08:09.5Z","attrs":{"x":"y"}}"#, line("cut", "stdout", true)),
    ];
    for (format, text, want) in cases {
        assert_eq!(container::read(format, text), want, "{text}");
    }
    for text in
        ["", "x", "2024-05-06T07:08:09.5Z", "2024-05-06T07:08:09.5Z stdin F x", "2024-05-06T07:08:09.5Z stdout Q x", "x stdout F y", "{\"log\":", "{\"log\":7}"]
    {
        let read = container::read(LineFormat::Container, text);
        assert_eq!((&*read.text, read.timestamp_ns, read.is_partial), (text, None, false));
    }
}

#[test]
fn parts_and_groups_are_joined_stream_by_stream() {
    let lines = Lines::new(&Multiline { firstline: r"^\S".into(), lines_max: 3, wait_ms: 1000 }, "x").unwrap();
    let (mut joiner, mut out) = (Joiner::default(), Vec::new());
    let texts = [
        ("a", "stdout", false),
        ("b1", "stderr", true),
        (" more", "stdout", false),
        ("b2", "stderr", false),
        (" x", "stdout", false),
        (" y", "stdout", false),
        ("c", "stdout", false),
    ];
    for (at, (text, stream, is_partial)) in texts.into_iter().enumerate() {
        let line = Line { text: text.into(), timestamp_ns: None, stream, is_partial };
        joiner.push(line, at as u64, Some(&lines), 100, Duration::ZERO, &mut out);
    }
    let shown = |pieces: &[super::join::Piece]| pieces.iter().map(|piece| format!("{}@{}", piece.text, piece.start)).collect::<Vec<_>>();
    assert_eq!(shown(&out), ["a\n more\n x@0", " y@5"]);
    assert_eq!(joiner.start(), Some(1));
    joiner.flush_old(&lines, Duration::from_millis(999), &mut out);
    assert_eq!(out.len(), 2);
    joiner.flush_old(&lines, Duration::from_millis(1000), &mut out);
    assert_eq!(out.len(), 4);
    assert_eq!(joiner.start(), None);
}

#[test]
fn a_record_of_several_lines_is_read_again_as_a_whole() {
    let mut world = World::new(Source { multiline: Some(Multiline { firstline: r"^\S".into(), ..Multiline::default() }), ..Source::default() });
    world.write("a.log", "one\n a\ntwo\n b\n");
    assert_eq!(bodies(&world.read()), ["one\n a"]);
    let round = world.read();
    world.watch.acknowledge(&round, world.now).unwrap();
    world.restart();
    world.write("a.log", " c\nthree\n");
    assert_eq!(world.lines(), ["two\n b\n c"]);
    world.now += Duration::from_secs(10);
    assert_eq!(world.lines(), ["three"]);
}

#[test]
fn paths_tell_pods_and_containers() {
    let shown = |path: &str| paths::attributes(Path::new(path)).into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    assert_eq!(shown("/var/log/pods/shop_cart-1_uid-1/cart/0.log"), "k8s.namespace.name=shop k8s.pod.name=cart-1 k8s.pod.uid=uid-1 k8s.container.name=cart");
    assert_eq!(
        shown("/var/log/containers/cart-1_shop_cart-app-0a1b.log"),
        "k8s.namespace.name=shop k8s.pod.name=cart-1 k8s.container.name=cart-app container.id=0a1b"
    );
    assert_eq!(shown("/var/lib/docker/containers/0a1b/0a1b-json.log"), "container.id=0a1b");
    for path in ["/var/log/syslog", "/var/log/pods/x/y/0.log", "/var/log/containers/x.log", "/"] {
        assert_eq!(shown(path), "");
    }
    assert_eq!(paths::checked(&["/a/{b,c{d}/*.log".into(), "/{x,y}".into()], "x").unwrap(), ["/a/b/*.log", "/a/c{d/*.log", "/x", "/y"]);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_their_place() {
    let paths = vec!["/var/log/*.log".to_owned()];
    for (source, want) in [
        (Source::default(), "receive.files[0].paths: want at least one"),
        (Source { paths: vec!["/a/[".into()], ..Source::default() }, "receive.files[0].paths[0]: cannot read pattern"),
        (Source { paths: paths.clone(), exclude: vec!["[".into()], ..Source::default() }, "receive.files[0].exclude[0]: cannot read pattern"),
        (Source { paths: paths.clone(), line_bytes_max: 0, ..Source::default() }, "receive.files[0].line_bytes_max"),
        (Source { paths: paths.clone(), multiline: Some(Multiline::default()), ..Source::default() }, "receive.files[0].multiline: want firstline"),
        (Source { paths, transform: serde_norway::from_str("[{}]").unwrap(), ..Source::default() }, "receive.files[0].transform[0]: the step does nothing"),
    ] {
        let error = Compiled::new(&source, "receive.files[0]").unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn records_are_those_of_the_tenant_of_their_source() {
    let mut world = World::new(Source { tenant: "red".to_owned(), ..Source::default() });
    world.write("a.log", "one\n");
    let owners: Vec<String> = world.read().batches.iter().map(|(tenant, _)| tenant.to_string()).collect();
    assert_eq!(owners, ["red"]);
    let refused = Compiled::new(&Source { paths: vec!["x".to_owned()], tenant: "a b".to_owned(), ..Source::default() }, "receive.files[0]");
    assert!(refused.unwrap_err().to_string().starts_with("receive.files[0].tenant: cannot use \"a b\" as tenant"));
}
